import json
import os

import pytest

from state import history, jsontext, mirror, mirrorfiles, store, syncnotes
from state.edits import Address
from state.mirror import Run
from state.models import Revision, StoreMeta
from state.report import Category, Unit
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)


def put(key, value, *tokens):
    return store.put(Address(key, tokens), jsontext.document(value), ADA).revision


def value(key):
    return json.loads(store.read(Address(key)).text)


def sync(folder, **options):
    return mirror.run(Run("cli:ada", folder, **options))


def push(folder, **options):
    return sync(folder, pulls=False, **options)


def pull(folder, **options):
    return sync(folder, pushes=False, **options)


def read(folder, name):
    return json.loads((folder / name).read_text())


def write(folder, name, value):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(value))


def told(report, category, unit=None):
    return {one.file: one.text for one in report.of(category, unit)}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "memory"


@pytest.fixture
def mirrored(folder):
    put("Note", {"title": "a", "tags": ["x"], "about": {"n": 1, "m": 1}})
    sync(folder)
    return folder


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
    assert history.touched(store.head()) == [("state", "Note")]


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


def in_conflict(folder):
    write(folder, "Note.json", {"title": "file", "tags": ["x"], "about": {"n": 2, "m": 1}})
    put("Note", "nola", "title")
    put("Note", 3, "about", "m")


def test_a_conflict_leaves_both_sides_as_they_are_and_names_the_place(mirrored):
    in_conflict(mirrored)
    head = store.head()
    text = (mirrored / "Note.json").read_text()

    report = sync(mirrored)

    assert store.head() == head
    assert (mirrored / "Note.json").read_text() == text
    [told_of] = report.of(Category.CONFLICTING)
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

    assert not mirror.memory().keys
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
    assert ("Note" in mirror.memory().keys) != answer
    assert (mirrored / "Other.json").exists() != answer


def test_a_key_that_was_deleted_leaves_its_file_until_that_is_said(mirrored):
    store.remove(Address("Note"), ADA)

    sync(mirrored)
    assert (mirrored / "Note.json").exists()
    sync(mirrored, delete=True)

    assert not (mirrored / "Note.json").exists()
    assert not mirror.memory().keys


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


# Files that cannot be read


@pytest.mark.parametrize("text", ["", "  \n", '{"title": "b', "[NaN]", '{"a": 1, "a": 2}', "\ufeff"])
def test_a_file_that_cannot_be_read_is_never_taken_for_empty(mirrored, text):
    (mirrored / "Note.json").write_text(text)
    write(mirrored, "Other.json", 1)

    report = sync(mirrored)

    assert value("Note")["title"] == "a"
    assert (mirrored / "Note.json").read_text() == text
    assert list(told(report, Category.FAILED)) == ["Note.json"]
    assert value("Other") == 1


def test_a_byte_order_mark_is_taken(mirrored):
    (mirrored / "Note.json").write_bytes(b"\xef\xbb\xbf1")

    sync(mirrored)

    assert value("Note") == 1


def test_links_are_neither_read_nor_written_through(mirrored, tmp_path):
    outside = tmp_path / "secret.json"
    outside.write_text('"secret"')
    (mirrored / "Note.json").unlink()
    (mirrored / "Note.json").symlink_to(outside)
    (mirrored / "New.json").symlink_to(outside)
    put("Note", "b", "title")

    report = sync(mirrored, delete=True)

    assert outside.read_text() == '"secret"'
    assert set(told(report, Category.FAILED)) == {"Note.json", "New.json"}
    assert list(mirror.memory().keys) == ["Note"]


def test_two_files_for_one_key_are_named(mirrored):
    write(mirrored, "N%6Fte.json", 1)

    report = sync(mirrored)

    assert "a second file for the key Note" in str(told(report, Category.FAILED))
    assert value("Note")["title"] == "a"


def test_pipes_and_folders_are_passed_over(mirrored):
    os.mkfifo(mirrored / "pipe.json")
    (mirrored / "folder.json").mkdir()

    report = sync(mirrored)

    assert told(report, Category.FAILED) == {
        "folder.json": "is not a regular file",
        "pipe.json": "is not a regular file",
    }


# Names


HOSTILE = [
    "../x",
    "a/b",
    " ",
    ".",
    "..",
    "😀",
    "é",
    "É",
    "Note",
    "note",
    "NOTE",
    "con",
    "x" * 512,
    "😀" * 128,
    "%41",
    "a\n",
]


def test_any_key_goes_into_the_folder_and_back(folder, tmp_path):
    for number, key in enumerate(HOSTILE):
        put(key, {"n": number})
    sync(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["memory"]
    names = [name for name in os.listdir(folder) if name.endswith(".json") and name != syncnotes.NAME]
    assert len({name.casefold() for name in names}) == len(HOSTILE)
    for name in names:
        write(folder, name, read(folder, name) | {"back": True})

    sync(folder)

    assert [value(key) for key in HOSTILE] == [{"n": n, "back": True} for n in range(len(HOSTILE))]


def test_any_name_tells_its_key_also_without_notes(folder):
    for number, key in enumerate(HOSTILE):
        put(key, number)
    sync(folder)
    (folder / syncnotes.NAME).unlink()
    head = store.head()

    report = sync(folder)

    assert store.head() == head
    assert report.count(Category.FAILED) == report.count(Category.CONFLICTING) == 0


# Whose folder it is


def test_a_folder_of_another_memory_is_refused_with_the_way_out(mirrored):
    StoreMeta.objects.update(store_id="00000000-0000-0000-0000-000000000000")

    with pytest.raises(mirror.OtherMemory, match=r"another memory .* remove .nola-sync.json"):
        sync(mirrored)


def test_damaged_notes_are_not_taken_for_none(mirrored):
    (mirrored / syncnotes.NAME).write_text('{"format": 1')

    with pytest.raises(syncnotes.BadNotes, match="is damaged"):
        sync(mirrored)


@pytest.mark.parametrize("name", ["../out.json", "/etc/x.json", "", ".hidden.json"])
def test_notes_cannot_lead_out_of_the_folder(mirrored, name):
    notes = read(mirrored, syncnotes.NAME)
    notes["files"] = {name: notes["files"]["Note.json"]}
    write(mirrored, syncnotes.NAME, notes)

    with pytest.raises(syncnotes.BadNotes, match="not the name of a file"):
        sync(mirrored)


def test_the_folders_of_nola_itself_are_refused(settings):
    settings.NOLA_CHECKPOINT_DIR.mkdir(parents=True)

    with pytest.raises(mirror.NoFolder, match="choose another folder"):
        sync(settings.NOLA_CHECKPOINT_DIR)


def test_two_syncs_do_not_work_in_one_folder_at_once(mirrored, monkeypatch):
    monkeypatch.setattr(mirrorfiles, "LOCK_SECONDS", 0)

    with mirrorfiles.held(mirrored), pytest.raises(mirrorfiles.BusyFolder, match="another sync"):
        sync(mirrored)


# Levels


def test_a_folder_of_one_level_is_never_pushed(folder):
    put("Me", {"bio": {"level_1": "short", "level_3": "long"}})
    pull(folder, level=1)
    assert read(folder, "Me.json") == {"bio": "short"}
    write(folder, "Me.json", {"bio": "shorter"})

    for run in (push, sync):
        with pytest.raises(mirror.OtherMemory, match="hold only level 1"):
            run(folder)

    assert value("Me") == {"bio": {"level_1": "short", "level_3": "long"}}


def test_a_folder_of_one_level_stays_at_it_and_keeps_edited_files(folder):
    put("Me", {"bio": {"level_1": "short", "level_3": "long"}})
    put("It", {"level_1": "a"})
    pull(folder, level=1)
    write(folder, "Me.json", {"bio": "shorter"})
    put("Me", "new", "bio", "level_1")
    put("It", "b", "level_1")

    report = pull(folder)

    assert read(folder, "It.json") == "b"
    assert read(folder, "Me.json") == {"bio": "shorter"}
    assert "was edited, and a folder of level 1 is never pushed" in told(report, Category.CONFLICTING)["Me.json"]


def test_a_folder_of_everything_is_not_filtered_to_a_level(mirrored):
    with pytest.raises(mirror.OtherMemory, match="into another folder"):
        pull(mirrored, level=1)


@pytest.mark.parametrize("level", [1, 2])
def test_a_file_that_somebody_filtered_to_a_level_is_not_pushed(folder, level):
    whole = {"bio": {"level_1": "short", "level_2": "more", "level_3": "long"}, "x": 1}
    put("Me", whole)
    sync(folder)
    write(folder, "Me.json", {"bio": ["short", "more"][level - 1], "x": 1})

    report = sync(folder)

    assert value("Me") == whole
    assert f"holds only level {level} of Me" in told(report, Category.CONFLICTING)["Me.json"]


# An older database was put back


def test_a_new_epoch_with_the_same_history_goes_on(mirrored):
    StoreMeta.objects.update(epoch="00000000")
    put("Note", "b", "title")

    sync(mirrored)

    assert read(mirrored, "Note.json")["title"] == "b"
    assert read(mirrored, syncnotes.NAME)["epoch"] == "00000000"


def test_a_revision_that_is_gone_is_no_common_ground(mirrored):
    notes = read(mirrored, syncnotes.NAME)
    notes["files"]["Note.json"] |= {"revision": 99, "text": "gone"}
    write(mirrored, syncnotes.NAME, notes)
    write(mirrored, "Note.json", {"title": "newer"})
    StoreMeta.objects.update(epoch="00000000")

    report = sync(mirrored)

    assert "an older database was put back since" in told(report, Category.CONFLICTING)["Note.json"]
    assert (value("Note")["title"], read(mirrored, "Note.json")) == ("a", {"title": "newer"})


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


# Envelopes

ABOUT = {"last_updated": "2025-12-17T21:43:42+00:00", "context_level": 3, "status": "stale", "needs_sync": True}


def test_files_can_be_pulled_in_envelopes(folder):
    put("Note", {"a": 1})
    at = Revision.objects.get().at.isoformat()

    pull(folder, envelope=True)

    assert read(folder, "Note.json") == {
        "metadata": {
            "last_updated": at,
            "context_level": 3,
            "status": "ready",
            "needs_sync": False,
            "stale_threshold_seconds": 600,
            "source_file": "Note.json",
        },
        "data": {"a": 1},
    }


def test_a_level_can_be_pulled_in_envelopes(folder):
    put("Me", {"level_1": "short", "level_3": "long"})
    pull(folder, level=1, envelope=True)
    put("Me", "shorter", "level_1")

    pull(folder)

    file = read(folder, "Me.json")
    assert (file["metadata"]["context_level"], file["data"]) == (1, "shorter")


def test_a_file_in_an_envelope_is_taken_out_of_it_and_stays_in_it(folder):
    put("Note", {"a": 1, "b": 1})
    pull(folder, envelope=True)
    write(folder, "Note.json", {"metadata": ABOUT, "data": {"a": 2, "b": 1}})
    put("Note", 2, "b")

    sync(folder)

    file = read(folder, "Note.json")
    assert value("Note") == file["data"] == {"a": 2, "b": 2}
    assert (file["metadata"]["status"], file["metadata"]["needs_sync"]) == ("ready", False)


def test_a_program_that_puts_a_plain_file_into_an_envelope_changes_nothing(mirrored):
    write(mirrored, "Note.json", {"metadata": ABOUT, "data": read(mirrored, "Note.json")})
    head = store.head()

    sync(mirrored)
    assert store.head() == head
    put("Note", "b", "title")
    sync(mirrored)

    assert read(mirrored, "Note.json")["data"]["title"] == "b"


def test_metadata_that_nola_does_not_know_stays_in_the_file_and_is_named(folder):
    put("Note", 1)
    pull(folder, envelope=True)
    write(folder, "Note.json", {"metadata": ABOUT | {"mood": "fine"}, "data": 2})

    report = sync(folder)

    assert "its metadata mood is of the file alone" in told(report, Category.NOTED)["Note.json"]
    put("Note", 3)
    sync(folder)
    file = read(folder, "Note.json")
    assert (file["metadata"]["mood"], file["data"]) == ("fine", 3)


def test_a_value_that_looks_like_an_envelope_goes_out_and_back_as_it_is(folder):
    section = {"metadata": {"status": "ready"}, "data": {"a": 1}}
    put("Section", section)
    sync(folder)
    assert read(folder, "Section.json") == section
    write(folder, "Section.json", section | {"data": {"a": 2}})

    sync(folder)

    assert value("Section") == section | {"data": {"a": 2}}


def test_a_value_that_looks_like_an_envelope_can_be_in_one(folder):
    section = {"metadata": {"status": "ready"}, "data": {"a": 1}}
    put("Section", section)
    pull(folder, envelope=True)
    file = read(folder, "Section.json")
    assert file["data"] == section
    write(folder, "Section.json", file | {"data": section | {"data": {"a": 2}}})

    sync(folder)

    assert value("Section") == section | {"data": {"a": 2}}


def test_an_envelope_that_says_it_is_filtered_is_not_pushed(mirrored):
    write(mirrored, "Note.json", {"metadata": ABOUT | {"context_level": 2}, "data": {"title": "b"}})

    report = sync(mirrored)

    assert value("Note")["title"] == "a"
    assert "holds only level 2 of Note" in told(report, Category.CONFLICTING)["Note.json"]


def test_a_folder_can_be_put_into_envelopes_and_out_of_them(mirrored):
    pull(mirrored, envelope=True)
    assert read(mirrored, "Note.json")["data"] == value("Note")
    sync(mirrored)

    pull(mirrored, envelope=False)

    assert read(mirrored, "Note.json") == value("Note")
    assert store.head() == 1
