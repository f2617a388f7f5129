import json
import os

import pytest

from state import store
from state.address import Address
from state.history import replay
from state.models import Revision
from state.report import Category, Unit
from state.sync.run import read_memory
from state.sync.tests.memory import ADA, in_conflict, pull, push, put, read, sync, told, value, write

pytestmark = pytest.mark.django_db


# Both ways


def test_a_new_folder_gets_a_file_for_each_key(folder):
    put("Note", {"b": 1, "a": [1.0, 2**70]})
    put("a/b", "text")

    report = sync(folder)

    assert sorted(os.listdir(folder)) == [".nola-sync.json", "Note.json", "a%2Fb.json"]
    assert (
        folder / "Note.json"
    ).read_text() == '{\n  "b": 1,\n  "a": [\n    1.0,\n    1180591620717411303424\n  ]\n}\n'
    assert report.count(Category.ADDED, Unit.FILES) == 2


def test_a_new_file_becomes_a_key(mirrored):
    write(mirrored, "Plan.json", {"a": 1})

    sync(mirrored)

    assert value("Plan") == {"a": 1}


def test_an_edit_of_the_file_comes_to_the_key(mirrored):
    write(mirrored, "Note.json", {"title": "b", "tags": ["x"], "about": {"n": 1, "m": 1}})

    sync(mirrored)

    assert value("Note")["title"] == "b"
    assert replay.list_touched(store.head()) == [("state", "Note")]


def test_an_edit_of_the_key_comes_to_the_file(mirrored):
    put("Note", "b", "title")

    sync(mirrored)

    assert read(mirrored, "Note.json")["title"] == "b"


def test_edits_of_both_are_merged_on_both_sides(mirrored):
    write(mirrored, "Note.json", {"title": "file", "tags": ["x"], "about": {"n": 1, "m": 1}})
    put("Note", "nola", "about", "n")

    sync(mirrored)

    merged = {"title": "file", "tags": ["x"], "about": {"n": "nola", "m": 1}}
    assert value("Note") == read(mirrored, "Note.json") == merged


def test_a_sync_without_changes_writes_nothing(mirrored):
    before = {path: path.stat().st_mtime_ns for path in mirrored.iterdir()}
    head = store.head()

    sync(mirrored)

    assert {path: path.stat().st_mtime_ns for path in mirrored.iterdir()} == before
    assert store.head() == head


def test_a_sync_is_one_revision_with_the_names_of_the_files(mirrored):
    write(mirrored, "a.json", 1)
    write(mirrored, "b%2Fc.json", 2)

    sync(mirrored)

    made = Revision.objects.get(pk=store.head())
    assert (made.actor, made.source) == ("cli:ada", "sync")
    assert made.info == {"folder": "memory", "files": {"a": "a.json", "b/c": "b%2Fc.json"}}


def test_an_edit_that_only_reformats_the_file_changes_nothing(mirrored):
    text = json.dumps(read(mirrored, "Note.json"))
    (mirrored / "Note.json").write_text(text)
    head = store.head()

    sync(mirrored)

    assert store.head() == head
    assert (mirrored / "Note.json").read_text() == text


# Conflicts


def test_a_conflict_leaves_both_sides_as_they_are_and_names_the_place(mirrored):
    in_conflict(mirrored)
    head = store.head()
    text = (mirrored / "Note.json").read_text()

    report = sync(mirrored)

    assert store.head() == head
    assert (mirrored / "Note.json").read_text() == text
    [told_of] = report.select(Category.CONFLICTING)
    assert '[/title: Nola has "nola" (revision 2), the file "file"]' in told_of.text
    described = read(mirrored, "Note.json.conflict")
    assert described["conflicts"] == [{"pointer": "/title", "base": "a", "nola": "nola", "file": "file", "by": 2}]


def test_a_conflict_is_the_same_again_and_again(mirrored):
    in_conflict(mirrored)
    first = sync(mirrored)
    files = {path.name: path.read_bytes() for path in mirrored.iterdir()}

    again = sync(mirrored)

    assert again.findings == first.findings
    assert {path.name: path.read_bytes() for path in mirrored.iterdir()} == files


def test_where_the_file_is_preferred_only_the_place_of_the_conflict_is_overwritten(mirrored):
    in_conflict(mirrored)
    sync(mirrored)

    sync(mirrored, prefer="file")

    merged = {"title": "file", "tags": ["x"], "about": {"n": 2, "m": 3}}
    assert value("Note") == read(mirrored, "Note.json") == merged
    assert not (mirrored / "Note.json.conflict").exists()


def test_where_the_memory_is_preferred_what_the_file_had_is_kept_beside_it(mirrored):
    in_conflict(mirrored)
    had = read(mirrored, "Note.json")

    report = sync(mirrored, prefer="db")

    merged = {"title": "nola", "tags": ["x"], "about": {"n": 2, "m": 3}}
    assert value("Note") == read(mirrored, "Note.json") == merged
    assert read(mirrored, "Note.json.was-3") == had
    assert "kept in Note.json.was-3" in told(report, Category.NOTED)["Note.json"]


def test_a_conflict_is_over_once_the_file_says_the_same(mirrored):
    in_conflict(mirrored)
    sync(mirrored)
    write(mirrored, "Note.json", {"title": "nola", "tags": ["x"], "about": {"n": 2, "m": 1}})

    sync(mirrored)

    assert value("Note") == read(mirrored, "Note.json")
    assert value("Note")["about"] == {"n": 2, "m": 3}
    assert not (mirrored / "Note.json.conflict").exists()


def test_a_description_of_a_conflict_that_somebody_edited_stays(mirrored):
    in_conflict(mirrored)
    sync(mirrored)
    (mirrored / "Note.json.conflict").write_text("my remarks")

    sync(mirrored, prefer="file")

    assert (mirrored / "Note.json.conflict").read_text() == "my remarks"


def test_a_conflict_does_not_keep_other_keys_waiting(mirrored):
    in_conflict(mirrored)
    write(mirrored, "Other.json", 1)

    sync(mirrored)

    assert value("Other") == 1


# First met


def test_a_file_that_equals_its_key_is_in_step_from_then_on(folder):
    put("Note", {"a": 1})
    write(folder, "Note.json", {"a": 1})
    sync(folder)
    put("Note", 2, "a")

    sync(folder)

    assert read(folder, "Note.json") == {"a": 2}


def test_a_file_never_in_step_that_differs_is_a_conflict(folder):
    put("Note", {"a": 1, "b": 1})
    write(folder, "Note.json", {"a": 2, "b": 1})

    report = sync(folder)

    assert "[/a: Nola has 1 (revision 1), the file 2]" in told(report, Category.CONFLICTING)["Note.json"]
    assert (value("Note"), read(folder, "Note.json")) == ({"a": 1, "b": 1}, {"a": 2, "b": 1})


@pytest.mark.parametrize(("prefer", "result"), [("file", {"a": 2}), ("db", {"a": 1})])
def test_one_side_can_be_preferred_where_there_is_no_common_revision(folder, prefer, result):
    put("Note", {"a": 1})
    write(folder, "Note.json", {"a": 2})

    sync(folder, prefer=prefer)

    assert value("Note") == read(folder, "Note.json") == result
    assert (folder / "Note.json.was-1").exists() == (prefer == "db")


def test_an_old_copy_is_recognized_and_brought_up_to_date(folder):
    put("Note", {"a": 1})
    put("Note", {"a": 2})
    write(folder, "Note.json", {"a": 1})

    sync(folder)

    assert value("Note") == read(folder, "Note.json") == {"a": 2}


def test_an_old_copy_is_not_pushed(folder):
    put("Note", {"a": 1})
    put("Note", {"a": 2})
    write(folder, "Note.json", {"a": 1})

    report = push(folder)

    assert value("Note") == {"a": 2}
    assert told(report, Category.SKIPPED) == {"Note.json": "is as its key was in revision 1; Nola has a newer one"}


# One way


def test_push_leaves_files_as_they_are_and_merges_on(mirrored):
    write(mirrored, "Note.json", {"title": "file", "tags": ["x"], "about": {"n": 1, "m": 1}})
    put("Note", "nola", "about", "n")
    push(mirrored)
    assert value("Note") == {"title": "file", "tags": ["x"], "about": {"n": "nola", "m": 1}}
    assert read(mirrored, "Note.json")["about"] == {"n": 1, "m": 1}

    write(mirrored, "Note.json", {"title": "file again", "tags": ["x"], "about": {"n": 1, "m": 1}})
    push(mirrored)

    assert value("Note") == {"title": "file again", "tags": ["x"], "about": {"n": "nola", "m": 1}}


def test_what_push_merged_comes_to_the_file_with_the_next_sync(mirrored):
    write(mirrored, "Note.json", {"title": "file", "tags": ["x"], "about": {"n": 1, "m": 1}})
    put("Note", "nola", "about", "n")
    push(mirrored)

    sync(mirrored)

    assert read(mirrored, "Note.json") == value("Note")


def test_pull_merges_into_an_edited_file_and_leaves_the_memory(mirrored):
    write(mirrored, "Note.json", {"title": "file", "tags": ["x"], "about": {"n": 1, "m": 1}})
    head = put("Note", "nola", "about", "n")

    pull(mirrored)

    assert read(mirrored, "Note.json") == {"title": "file", "tags": ["x"], "about": {"n": "nola", "m": 1}}
    assert store.head() == head
    push(mirrored)
    assert value("Note") == read(mirrored, "Note.json")


def test_a_file_of_another_name_can_be_pushed_to_a_key_and_stays_with_it(folder):
    put("Other", 1)
    write(folder, "user.json", {"a": 1})
    push(folder, names=["user.json"], links={"user.json": "userID"})
    put("userID", 2, "a")

    sync(folder, keys=["userID"])

    assert read(folder, "user.json") == {"a": 2}
    assert not (folder / "userID.json").exists()


def test_only_the_keys_asked_for_are_pulled_and_kept_in_step(folder):
    put("a", 1)
    put("b", 1)
    pull(folder, keys=["a"])

    sync(folder)
    assert not (folder / "b.json").exists()
    sync(folder, everything=True)

    assert (folder / "b.json").exists()


def test_a_key_that_is_nowhere_is_named(folder):
    put("Note", 1)

    report = pull(folder, keys=["nobody"])

    assert told(report, Category.FAILED) == {"nobody": "there is no such key, and no file for it"}


# Deletions


def test_a_file_that_has_gone_deletes_nothing(mirrored):
    (mirrored / "Note.json").unlink()

    report = sync(mirrored)

    assert value("Note")["title"] == "a"
    assert "the key stays" in told(report, Category.SKIPPED)["Note.json"]


def test_a_file_that_has_gone_deletes_its_key_if_that_is_said(mirrored):
    (mirrored / "Note.json").unlink()

    sync(mirrored, delete=True)

    assert not read_memory().keys
    sync(mirrored)
    assert not (mirrored / "Note.json").exists()


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_is_asked_before_anything_is_deleted(mirrored, answer):
    put("Other", 1)
    sync(mirrored)
    (mirrored / "Note.json").unlink()
    store.remove(Address("Other"), ADA)
    asked = []

    sync(mirrored, ask=lambda *counts: asked.append(counts) or answer)

    assert asked == [(1, 1)]
    assert ("Note" in read_memory().keys) != answer
    assert (mirrored / "Other.json").exists() != answer


def test_a_key_that_was_deleted_leaves_its_file_until_that_is_said(mirrored):
    store.remove(Address("Note"), ADA)

    sync(mirrored)
    assert (mirrored / "Note.json").exists()
    sync(mirrored, delete=True)

    assert not (mirrored / "Note.json").exists()
    assert not read_memory().keys


def test_pull_brings_back_a_file_that_has_gone(mirrored):
    (mirrored / "Note.json").unlink()

    pull(mirrored)

    assert read(mirrored, "Note.json") == value("Note")


def test_a_key_that_changed_is_not_deleted_with_its_file(mirrored):
    (mirrored / "Note.json").unlink()
    put("Note", "b", "title")

    report = sync(mirrored, delete=True)

    assert value("Note")["title"] == "b"
    assert "changed in Nola since" in told(report, Category.CONFLICTING)["Note.json"]


def test_a_file_that_changed_is_not_deleted_with_its_key(mirrored):
    store.remove(Address("Note"), ADA)
    write(mirrored, "Note.json", {"title": "b"})

    report = sync(mirrored, delete=True)

    assert read(mirrored, "Note.json") == {"title": "b"}
    assert "deleted in Nola" in told(report, Category.CONFLICTING)["Note.json"]
    sync(mirrored, prefer="file")
    assert value("Note") == {"title": "b"}


# Dry runs


def test_a_dry_run_counts_and_changes_nothing(mirrored):
    in_conflict(mirrored)
    write(mirrored, "New.json", 1)
    put("Other", 1)
    before = {path.name: path.read_bytes() for path in mirrored.iterdir()}
    head = store.head()

    report = sync(mirrored, dry_run=True)

    assert {path.name: path.read_bytes() for path in mirrored.iterdir()} == before
    assert store.head() == head
    assert report.count(Category.ADDED, Unit.KEYS) == report.count(Category.ADDED, Unit.FILES) == 1
    assert report.count(Category.CONFLICTING) == 1


def test_a_dry_run_makes_no_folder(folder):
    put("a", 1)

    report = sync(folder, dry_run=True)

    assert report.count(Category.ADDED, Unit.FILES) == 1
    assert not folder.exists()
