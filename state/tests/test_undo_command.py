"""`./nola undo`: what a terminal takes back."""

import pytest
from django.core.management import CommandError, call_command

from state.models import Revision

JSON = "application/json"
pytestmark = pytest.mark.django_db


@pytest.fixture
def task(agent):
    for path, body in [("Task", '{"a":1,"b":1}'), ("Task/a", "2"), ("Task/b", "2"), ("Other", "1")]:
        agent.put(f"/api/state/{path}", body, content_type=JSON)
    return agent


def undo(capsys, *arguments):
    call_command("undo", *arguments)
    return capsys.readouterr().out


def test_a_revision_is_taken_back_and_what_is_said_takes_that_back(task, capsys):
    said = undo(capsys, "2", "--reason", "it was wrong")

    assert said == "Revision 5 took it back, in Task. To take it back: ./nola undo 5\n"
    assert task.get("/api/state/Task").json() == {"a": 1, "b": 2}
    newest = Revision.objects.first()
    assert (newest.source, newest.reason, newest.info) == ("undo", "it was wrong", {"undoes": [2]})
    assert newest.actor.startswith("cli:")
    undo(capsys, *said.split("./nola undo ")[1].split())
    assert task.get("/api/state/Task").json() == {"a": 2, "b": 2}


def test_a_dry_run_shows_and_changes_nothing(task, capsys):
    assert undo(capsys, "2", "3", "--dry-run").startswith('Task\n  [{"op":"replace"')
    assert Revision.objects.count() == 4
    undo(capsys, "4")
    assert undo(capsys, "4", "--dry-run") == "Nothing would change.\n"


def test_all_of_an_actor_is_taken_back_from_a_moment_to_another(task, capsys):
    undo(capsys, "--by", "key:default", "--since", "1", "--until", "3")

    assert task.get("/api/state").json() == {"Other": 1, "Task": {"a": 1, "b": 1}}


def test_what_is_in_the_way_is_named_and_may_be_chosen(task, capsys):
    task.put("/api/state/Task/a", "3", content_type=JSON)

    with pytest.raises(CommandError, match=r"Nothing was changed: .* at /Task/a"):
        undo(capsys, "2")
    undo(capsys, "2", "--prefer", "mine")
    assert task.get("/api/state/Task/a").json() == 1


@pytest.mark.parametrize(
    "arguments", [["99"], ["--batch", "none"], ["--by", "key:nobody"], ["--by", "key:default", "--until", "yesterday"]]
)
def test_what_is_not_there_is_refused(task, arguments):
    with pytest.raises(CommandError, match="Nothing was changed: "):
        call_command("undo", *arguments)


@pytest.mark.parametrize("arguments", [[], ["2", "--batch", "x"]])
def test_one_way_to_say_what_is_to_be_taken_back(arguments):
    with pytest.raises(CommandError):
        call_command("undo", *arguments)
