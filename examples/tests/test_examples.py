"""The examples do what they say, against a real server and a model that is made up."""

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from nola_client import Nola
from tests.server import KEY, ROOT

pytestmark = pytest.mark.process


class Model(http.server.ThreadingHTTPServer):
    """Answers chat completions: what `answers` has next, or what it makes of the request."""

    def __init__(self, *answers):
        super().__init__(("127.0.0.1", 0), Answer)
        self.answers, self.asked, self.keys = list(answers), [], []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, request))
        self.server.keys.append(self.headers["Authorization"])
        message = self.server.answers.pop(0)
        body = json.dumps({"choices": [{"message": message}]}).encode()
        self.send_response(200 if message else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def model(*answers):
    with Model(*answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def says(text):
    return {"role": "assistant", "content": text}


def remembers(path, value, number=1):
    arguments = json.dumps({"path": path, "value": value, "reason": "you said so"})
    call = {"id": f"call_{number}", "type": "function", "function": {"name": "remember", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def run(script, *arguments, text="", **env):
    env |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "examples" / script, *arguments]
    return subprocess.run(command, env=env, input=text, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def memory(server):
    return {"MEMORY_URL": f"http://127.0.0.1:{server.port}", "MEMORY_KEY": KEY}


@pytest.fixture
def nola(server):
    with Nola(KEY, f"http://127.0.0.1:{server.port}") as client:
        yield client


def test_an_agent_loads_answers_keeps_and_learns(memory, nola):
    nola.put("Profile/name", "Ada")

    with model(remembers("Profile/diet", "vegan"), says("Noted, Ada."), says("Tofu?")) as made_up:
        told = run(
            "agent.py", "dinner", text="I am vegan\nWhat shall I eat?\n", MODEL_URL=made_up.address, MODEL="m", **memory
        )

    assert (told.stdout, told.stderr) == ("Noted, Ada.\nTofu?\n", "")
    assert nola.get("Profile") == {"name": "Ada", "diet": "vegan"}
    assert next(nola.history("Profile/diet"))["reason"] == "you said so"
    assert [(one["speaker"], one["message"], one["status"]) for one in nola.messages("dinner")] == [
        ("user", "I am vegan", "ok"),
        ("assistant", "Noted, Ada.", "ok"),
        ("user", "What shall I eat?", "ok"),
        ("assistant", "Tofu?", "ok"),
    ]
    first, after_tool, second = [request for _, request in made_up.asked]
    assert "Ada" in first["messages"][0]["content"]
    assert after_tool["messages"][-1]["content"].startswith("Remembered, as revision")
    assert "vegan" in second["messages"][0]["content"]
    assert [one["content"] for one in second["messages"][1:]] == ["I am vegan", "Noted, Ada.", "What shall I eat?"]
    assert {path for path, _ in made_up.asked} == {"/v1/chat/completions"}
    assert made_up.keys == [None] * 3


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(memory, nola, monkeypatch):
    from examples import agent

    base = nola.put("Places/city", "Brno").revision
    nola.put("Places/city", "Prague")

    told, seen = agent.remember(nola, json.dumps({"path": "Places/city", "value": "Lisbon"}), base)

    assert "Not written" in told
    assert "Prague" in told
    assert seen == base
    assert nola.get("Places/city") == "Prague"
    assert "Not written" in agent.remember(nola, "{broken", base)[0]


def test_what_was_said_is_kept_also_where_the_model_fails(memory, nola):
    with model({}) as made_up:
        told = run("agent.py", "failing", text="hello\n", MODEL_URL=made_up.address, MODEL_KEY="secret", **memory)

    assert told.returncode != 0
    assert made_up.keys == ["Bearer secret"]
    assert [(one["message"], one["status"]) for one in nola.messages("failing")] == [("hello", "error")]


def test_the_agent_is_short_and_needs_little():
    text = (ROOT / "examples" / "agent.py").read_text()

    assert text.count("\n") < 150
    assert "django" not in text


@pytest.mark.parametrize("client", ["", "cursor"])
def test_the_hook_gives_the_context(memory, nola, client):
    nola.put("Profile/name", "Ada")

    told = json.loads(run("load_context.py", *filter(None, [client]), text="{}", **memory).stdout)

    text = told["additional_context"] if client else told["hookSpecificOutput"]["additionalContext"]
    assert told.keys() == ({"additional_context"} if client else {"hookSpecificOutput"})
    assert "Ada" in text


def test_a_session_begins_also_where_no_memory_answers(tmp_path):
    for env in ({"MEMORY_URL": "http://127.0.0.1:1"}, {"MEMORY_URL": "nonsense"}):
        told = run("load_context.py", **env)

        assert (told.returncode, told.stdout) == (0, "{}\n")
        assert told.stderr.startswith("nola: no context: ")
