"""Copies that other programs put beside a file when they met two versions: named as such, and left to a person."""

import shlex

import pytest

from state.report import Category
from state.sync.run import read_memory
from state.sync.tests.memory import pull, push, put, read, sync, told, value, write

pytestmark = pytest.mark.django_db
COPIES = [
    "Note.sync-conflict-20260131-120000-ABCDEFG.json",
    "Note (conflicted copy 2026-01-31).json",
    "Note (Ada's conflicted copy 2026-01-31).json",
    "Note (conflicted copy 2026-01-31 120000).json",
    "Note (1).json",
]


@pytest.mark.parametrize("run", [sync, push, pull])
@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_named_and_nothing_is_taken_from_it(mirrored, name, run):
    write(mirrored, name, {"title": "other"})
    before = value("Note")

    report = run(mirrored)

    assert list(read_memory().keys) == ["Note"]
    assert value("Note") == before
    assert read(mirrored, name) == {"title": "other"}
    said = told(report, Category.CONFLICTING)[name]
    assert said.startswith("looks like a copy of Note.json from another program")
    assert told(run(mirrored), Category.CONFLICTING)[name] == said  # it waits


@pytest.mark.parametrize("name", COPIES)
def test_the_command_that_is_told_makes_it_a_key_of_its_own(mirrored, name):
    write(mirrored, name, {"title": "other"})
    *_, path, option, key = shlex.split(told(sync(mirrored), Category.CONFLICTING)[name])
    assert (path, option) == (str(mirrored / name), "--key")

    push(mirrored, names=[name], links={name: key})

    assert value(key) == {"title": "other"}
    write(mirrored, name, {"title": "edited"})
    put(key, 1, "more")
    report = sync(mirrored)
    assert value(key) == read(mirrored, name) == {"title": "edited", "more": 1}
    assert told(report, Category.CONFLICTING) == {}


@pytest.mark.parametrize("key", [name.removesuffix(".json") for name in COPIES])
def test_a_key_that_has_such_a_name_goes_in_and_out(folder, key):
    put("Note", 1)
    put(key, {"n": 1})

    sync(folder)

    [name] = [path.name for path in folder.glob("*.json") if path.name not in ("Note.json", ".nola-sync.json")]
    write(folder, name, {"n": 2})
    assert told(sync(folder), Category.CONFLICTING) == {}
    assert value(key) == {"n": 2}
    (folder / ".nola-sync.json").unlink()  # a new folder of the same files
    assert told(sync(folder), Category.CONFLICTING) == {}
    assert value(key) == read(folder, name) == {"n": 2}


def test_a_copy_that_is_dropped_leaves_nothing(mirrored):
    write(mirrored, COPIES[0], 1)
    sync(mirrored)
    (mirrored / COPIES[0]).unlink()

    report = sync(mirrored, delete=True)

    assert [finding for finding in report.findings if finding.category is not Category.READ] == []
    assert list(read_memory().keys) == ["Note"]


def test_a_name_that_people_give_as_well_is_a_key_where_there_is_no_original(mirrored):
    write(mirrored, "my file (1).json", 1)

    sync(mirrored)

    assert value("my file (1)") == 1


def test_a_copy_waits_also_where_its_original_is_gone(mirrored):
    (mirrored / "Note.json").unlink()
    write(mirrored, COPIES[0], 1)

    report = push(mirrored)

    assert COPIES[0] in told(report, Category.CONFLICTING)
    assert list(read_memory().keys) == ["Note"]


def test_a_sync_of_other_keys_says_nothing_of_a_copy(mirrored):
    put("Other", 1)
    write(mirrored, COPIES[0], 1)

    assert told(sync(mirrored, keys=["Other"]), Category.CONFLICTING) == {}
    assert COPIES[0] in told(sync(mirrored, keys=["Note"]), Category.CONFLICTING)
