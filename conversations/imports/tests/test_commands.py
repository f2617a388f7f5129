"""Chats come in and leave through the doors that people use: commands in processes of their own, and a live server."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from tests.server import ROOT, Server, environment, manage, running

pytestmark = pytest.mark.process


def conversation(number: int, messages: int) -> dict:
    """One as ChatGPT exports it, with a branch."""
    nodes: dict[str, dict] = {}
    for n in range(messages):
        name, parent = f"{number}-{n}", f"{number}-{n - 1}" if n else None
        if n == messages - 1 and n > 1:
            parent = f"{number}-{n - 2}"  # another answer to the message before the last
        content = {"content_type": "text", "parts": [f"words of {name} 你好"]}
        author = {"role": "user" if n % 2 == 0 else "assistant"}
        message = {"id": name, "author": author, "create_time": 1.7e9 + 60 * n, "content": content}
        nodes[name] = {"id": name, "message": message, "parent": parent, "children": []}
    about = {"title": f"Talk {number}", "create_time": 1.7e9, "conversation_id": f"talk-{number}"}
    return about | {"mapping": nodes, "current_node": f"{number}-{messages - 1}"}


def export(path: Path, conversations: int, messages: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        found = [conversation(number, messages) for number in range(conversations)]
        archive.writestr("conversations.json", json.dumps(found))
        archive.writestr("chat.html", "<html>")
    return path


def everything(server: Server) -> dict:
    """All that the server exports, without the numbers that are its own."""
    status, text, _ = server.request("GET", "/api/conversations?format=json")
    assert status == 200
    found = {}
    for one in json.loads(text)["conversations"]:
        places = {message["id"]: place for place, message in enumerate(one["messages"])}
        for message in one["messages"]:
            message |= {"id": places[message["id"]], "parent": places.get(message["parent"])}
        found[one["session_id"]] = one | {"current_leaf": places.get(one["current_leaf"])}
    return found


def test_an_import_that_is_killed_goes_on_where_it_stopped_while_others_write(tmp_path):
    path = export(tmp_path / "export.zip", 60, 100)
    with running(tmp_path / "data") as server:
        errors, stop = [], threading.Event()

        def write() -> None:
            for number in range(10_000):
                if stop.wait(0.05):
                    return
                body = json.dumps({"speaker": "user", "message": f"meanwhile {number}"}).encode()
                status, answer, _ = server.request("POST", "/api/conversations/meanwhile/messages", body)
                if status != 201:
                    errors.append(answer)

        writer = threading.Thread(target=write)
        writer.start()
        command = [sys.executable, "manage.py", "importchats", str(path)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(server.data, server.port),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        while process.poll() is None and len(everything(server)) < 10:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        brought = len(everything(server))
        result = manage(server.data, "importchats", str(path))
        again = manage(server.data, "importchats", str(path))
        stop.set()
        writer.join()
        found = everything(server)

    assert errors == []
    assert 10 <= brought < 61
    assert (result.returncode, result.stderr) == (0, "")
    assert "Nothing new: no revision was made." in again.stdout
    assert {name: len(one["messages"]) for name, one in found.items() if name != "meanwhile"} == {
        f"talk-{number}": 100 for number in range(60)
    }
    assert found["talk-7"]["current_leaf"] is not None


def test_all_chats_move_to_another_nola(tmp_path):
    path = export(tmp_path / "export.zip", 5, 20)
    with running(tmp_path / "one") as one:
        assert manage(one.data, "importchats", str(path)).returncode == 0
        body = json.dumps({"speaker": "user", "message": "hi", "client_id": "x", "metadata": {"n": 1.0}}).encode()
        one.request("POST", "/api/conversations/a~1b/messages", body)
        one.request("PATCH", "/api/conversations/a~1b", b'{"title":"Mine","tags":["t"],"archived":true}')
        before = everything(one)
        moved = tmp_path / "moved.jsonl"
        moved.write_bytes(one.request("GET", "/api/conversations?format=jsonl")[1])

    with running(tmp_path / "other") as other:
        status, answer, _ = other.request("POST", "/api/conversations/import", moved.read_bytes())
        after = everything(other)
        found = json.loads(other.request("GET", "/api/search?q=%E4%BD%A0%E5%A5%BD&limit=1")[1])

    assert (status, json.loads(answer)["counts"]["added"]) == (200, {"conversations": 6, "messages": 101})
    assert after == before
    assert found["found"] == 100
