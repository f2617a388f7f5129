"""`./nola`, the one word for all commands: where it works, what it lists, and that messages name what is there."""

import ast
import os
import re
import shlex
import subprocess

import pytest
from django.core.management import get_commands, load_command_class

from nola_site.command_line import COMMANDS, CommandLine
from tests.server import ROOT

OURS = ("access", "state", "conversations", "nola_site")
FOR_DEVELOPERS = {"migrate", "flush"}  # Django's own, made safe
LISTED = {name for commands in COMMANDS.values() for name in commands}
PYTHON = """#!/bin/sh
printf '%s|' "$@"
exit 7
"""


def run(*command: object, cwd: object = "/", **more: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **more}
    return subprocess.run([*map(str, command)], cwd=str(cwd), env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture
def checkout(tmp_path):
    """A checkout in a folder with a space in its name, whose Python tells what it is given and ends with 7."""
    root = tmp_path / "a checkout"
    (root / ".venv" / "bin").mkdir(parents=True)
    python = root / ".venv" / "bin" / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    (root / "nola").write_bytes((ROOT / "nola").read_bytes())
    (root / "nola").chmod(0o755)
    (root / "Makefile").write_text("setup:\n\t@echo installing; touch .venv/.installed\n")
    return root


@pytest.mark.process
def test_it_passes_arguments_and_the_exit_code_on_from_anywhere_and_by_links(checkout, tmp_path):
    (checkout / ".venv" / ".installed").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nola").symlink_to("../a checkout/nola")
    (tmp_path / "remember").symlink_to(tmp_path / "bin" / "nola")

    for command in (checkout / "nola", tmp_path / "bin" / "nola", tmp_path / "remember"):
        done = run(command, "doctor", "a b", "")
        assert (done.returncode, done.stdout) == (7, f"{checkout}/manage.py|doctor|a b||"), done.stderr
    by_path = run("nola", "version", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert by_path.stdout == f"{checkout}/manage.py|version|"


@pytest.mark.process
def test_it_installs_first_what_is_missing_and_says_so_beside_what_it_prints(checkout):
    first, second = run(checkout / "nola", "version"), run(checkout / "nola", "version")

    assert (first.stderr, first.stdout) == ("installing\n", f"{checkout}/manage.py|version|")
    assert (second.stderr, second.stdout) == ("", first.stdout)


@pytest.mark.process
def test_it_is_the_command_line_of_django_under_our_name(tmp_path):
    done = run(ROOT / "nola", "nonsense", NOLA_DATA_DIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "Unknown command: 'nonsense'\nType 'nola help' for usage.\n")

    done = run(ROOT / "nola", "backup", "--help", NOLA_DATA_DIR=str(tmp_path))
    assert done.stdout.startswith("usage: nola backup ")


def test_help_lists_ours_first_with_a_line_each():
    text = CommandLine(["help"]).main_help_text()
    ours, django = text.split("Of Django:")

    assert re.findall(r"^  (\w+) +\S", ours, re.MULTILINE) == [name for one in COMMANDS.values() for name in one]
    assert set(re.findall(r"\w+", django)) | LISTED == set(get_commands())
    assert all(len(line) <= 90 for line in text.splitlines())


def test_help_lists_each_command_of_ours_and_none_that_is_not_there():
    ours = {name for name, app in get_commands().items() if app in OURS}

    assert ours - FOR_DEVELOPERS <= LISTED <= get_commands().keys()


def texts_of_python():
    """The texts of our code in which a command is named, what is put in at run time as NAME."""
    for app in OURS:
        for path in (ROOT / app).rglob("*.py"):
            if "tests" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                said = [part.value if isinstance(part, ast.Constant) else "{}" for part in parts]
                if all(isinstance(one, str) for one in said) and "nola " in (text := "".join(said)):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def texts_of_templates():
    for path in (ROOT / "templates").rglob("*.html"):
        yield str(path.relative_to(ROOT)), path.read_text()


SPOKEN = [
    (place, command)
    for place, text in [*texts_of_python(), *texts_of_templates()]
    for command in re.findall(r"\./nola ([a-z]+[^.,;:()\"`<\n]*)", text)
]


def options_of(name):
    """What `./nola NAME` takes, and what its parts take, such as those of `checkpoint`."""
    parser = load_command_class(get_commands()[name], name).create_parser("nola", name)
    parts = [one for action in parser._actions if isinstance(action.choices, dict) for one in action.choices.values()]
    return {option for one in (parser, *parts) for option in re.findall(r"--[a-z][\w-]*", one.format_help())}


def test_what_a_message_tells_to_run_is_there():
    assert len(SPOKEN) > 20
    for place, command in SPOKEN:
        name, *words = command.replace("{}", "X").split()
        assert name in get_commands() or name == "help", place
        options = {word for word in words if word.startswith("--")}
        assert not options or options <= options_of(name), place


def test_messages_name_the_one_word():
    for place, text in [*texts_of_python(), *texts_of_templates()]:
        assert "python manage.py" not in text, place
    for app in OURS:
        for path in (ROOT / app).rglob("*.py"):
            assert "tests" in path.parts or not re.search(r"manage\.py [a-z]", path.read_text()), path


def test_the_image_has_the_same_word():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert {"!nola", "!manage.py"} <= set(ignored)
    assert "ln -s /venv .venv" in dockerfile and "touch /venv/.installed" in dockerfile
    assert {
        shlex.split(line)[0] for line in re.findall(r"nola_backend (\./.*)", (ROOT / "docs/running.md").read_text())
    } == {"./nola"}
