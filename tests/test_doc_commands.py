"""What the docs tell to run runs as it stands there, or is named here with the reason why not."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.server import KEY, ROOT, Server, manage, running
from tests.test_docs import PAGES
from tests.test_nola import options_of

NOT_RUN = {
    "make ": "installs, and tests itself: .ci/run does it",
    "docker ": "there is no engine here: nola_site/safety/tests/test_drill.py does the same",
    "POSTGRES_PASSWORD=": "the same: tests/test_balancer.py runs the balancer with two servers",
    "claude ": "is not here: nola_site/mcp/tests/test_docs.py starts what it would",
    "export MEMORY_KEY=": "a value",
    "MEMORY_KEY=nola_... MODEL=": "needs a model",
    "./nola forget -": "asks at a terminal: nola_site/forget/tests do it",
    "./nola move": "needs a PostgreSQL: nola_site/safety/tests/test_move.py does it",
    "pg_basebackup ": "is about the server of a PostgreSQL, as are those below",
    "psql -c": "the same",
    "echo ": "the same",
    "touch recovery.signal": "the same",
    "./nola sync FOLDER --watch": "goes on until Ctrl+C: state/sync/tests do it",
}
ASKING = ("checkpoint restore", "restorebackup", "forget")  # at a terminal; --yes is the answer
BLOCK = re.compile(r"^```sh\n(.*?)^```|^((?:    \./nola [^\n]*\n)+)", re.MULTILINE | re.DOTALL)


def list_commands(page: Path) -> list[str]:
    """The commands of a page, without what is said beside them."""
    blocks = ["".join(found) for found in BLOCK.findall(page.read_text())]
    return [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def is_run(command: str) -> bool:
    return not command.startswith(tuple(NOT_RUN))


WITH_COMMANDS = [page for page in PAGES if any(map(is_run, list_commands(page)))]


@pytest.fixture
def things(tmp_path):
    """What the commands of the docs name: files and folders of a person."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "Note.json").write_text('{"a": 1}')
    line = json.dumps({"speaker": "user", "message": "Hello", "session_id": "a"})
    (tmp_path / "chats.jsonl").write_text(line)
    (tmp_path / "memory.jsonl").write_text(
        '{"type":"entity","name":"Ada","entityType":"person","observations":["vegan"]}'
    )
    return {
        "FOLDER": folder,
        "FILE": tmp_path / "chats.jsonl",
        "chatgpt-export.zip": tmp_path / "chats.jsonl",
        "memory.jsonl": tmp_path / "memory.jsonl",
        "memory.zip": tmp_path / "memory.zip",
        "/mnt/usb": tmp_path / "usb",
    }


def run_nola(command: str, server: Server, things: dict[str, Path], new: Path) -> None:
    words = shlex.split(command.removeprefix("NOLA_DATA_DIR=/elsewhere "), comments=True)[1:]
    data = new if words[0] == "import" else server.data
    backups = sorted((server.data / "backups").glob("*.sqlite3"))
    words = [backups[-1].stem if word == "NAME" else str(things.get(word, word)) for word in words]
    is_asking = " ".join(words).startswith(ASKING) and "--dry-run" not in words
    done = manage(data, *words, *(["--yes"] if is_asking else []))
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.mark.process
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_what_is_told_to_run_runs(page, tmp_path, things):
    with running(tmp_path / "data") as server:
        server.request("PUT", "/api/state/Identity/owner/name", b'"Ada"')
        server.request("PUT", "/api/state/Preferences", b'{"card": "4111 1111 1111 1111"}')
        server.request("PUT", "/api/state/Persona/address", b'"Elm Street 1"')
        for number, command in enumerate(filter(is_run, list_commands(page))):
            if command.startswith(("./nola ", "NOLA_DATA_DIR=/elsewhere ./nola ")):
                run_nola(command, server, things, tmp_path / f"new-{number}")
            else:
                here = command.replace(":8000", f":{server.port}").replace("curl ", "curl --fail ", 1)
                env = {"PATH": os.environ["PATH"], "KEY": KEY, "MEMORY_KEY": KEY}
                done = subprocess.run(here, shell=True, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60)
                assert (done.returncode, bool(done.stdout)) == (0, True), f"{command}\n{done.stderr}"


def test_what_is_not_run_stands_in_the_docs():
    commands = [command for page in PAGES for command in list_commands(page)]

    assert len([one for one in commands if is_run(one)]) > 40
    for beginning in NOT_RUN:
        assert any(one.startswith(beginning) for one in commands), beginning


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_that_are_named_are_there(page):
    text = page.read_text()
    named = re.findall(r"\./nola ([a-z]+)((?: [^`\n#)]*)?)", text)

    for name, rest in named:
        options = set(re.findall(r"--[a-z][\w-]*", rest))
        assert name in ("help", "version") or options <= options_of(name), (name, rest)


def test_the_one_word_is_used_and_django_s_own_is_named_once():
    for page in PAGES:
        assert page.read_text().count("manage.py") == (page in (ROOT / "README.md", ROOT / "CHANGELOG.md")), page
