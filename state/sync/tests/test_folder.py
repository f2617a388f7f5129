import errno
import os
import stat
from pathlib import Path

import pytest

from access.database import engine
from state import store
from state.files.atomic import PARTIAL, CannotWrite, NoRoom, sync_path
from state.jsondoc.text import make_document
from state.models import StoreMeta
from state.report import Category
from state.sync import folder as folder_files
from state.sync import write as folder_writing
from state.sync.folder import BusyFolder, lock_folder
from state.sync.notes import NAME, BadNotes
from state.sync.run import NoFolder, OtherMemory, read_memory
from state.sync.tests.memory import ADA, pull, push, put, read, sync, told, value, write

pytestmark = pytest.mark.django_db


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
    names = [name for name in os.listdir(folder) if name.endswith(".json") and name != NAME]
    assert len({name.casefold() for name in names}) == len(HOSTILE)
    for name in names:
        write(folder, name, read(folder, name) | {"back": True})

    sync(folder)

    assert [value(key) for key in HOSTILE] == [{"n": n, "back": True} for n in range(len(HOSTILE))]


def test_any_name_tells_its_key_also_without_notes(folder):
    for number, key in enumerate(HOSTILE):
        put(key, number)
    sync(folder)
    (folder / NAME).unlink()
    head = store.head()

    report = sync(folder)

    assert store.head() == head
    assert report.count(Category.FAILED) == report.count(Category.CONFLICTING) == 0


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
    assert list(read_memory().keys) == ["Note"]


def test_of_two_files_for_one_key_the_one_in_step_counts(mirrored):
    write(mirrored, "N%6Fte.json", 1)
    put("Note", "b", "title")

    report = sync(mirrored)

    assert told(report, Category.FAILED) == {
        "N%6Fte.json": "is a second file for the key Note, beside Note.json; remove one of them"
    }
    assert read(mirrored, "Note.json") == value("Note")


def test_pipes_and_folders_are_passed_over(mirrored):
    os.mkfifo(mirrored / "pipe.json")
    (mirrored / "folder.json").mkdir()

    report = sync(mirrored)

    assert told(report, Category.FAILED) == {
        "folder.json": "is not a regular file",
        "pipe.json": "is not a regular file",
    }


# Whose folder it is


def test_a_folder_of_another_memory_is_refused_with_the_way_out(mirrored):
    StoreMeta.objects.update(store_id="00000000-0000-0000-0000-000000000000")

    with pytest.raises(OtherMemory, match=r"another memory .* remove .nola-sync.json"):
        sync(mirrored)


def test_damaged_notes_are_not_taken_for_none(mirrored):
    (mirrored / NAME).write_text('{"format": 1')

    with pytest.raises(BadNotes, match="is damaged"):
        sync(mirrored)


@pytest.mark.parametrize("name", ["../out.json", "/etc/x.json", "", ".hidden.json"])
def test_notes_cannot_lead_out_of_the_folder(mirrored, name):
    notes = read(mirrored, NAME)
    notes["files"] = {name: notes["files"]["Note.json"]}
    write(mirrored, NAME, notes)

    with pytest.raises(BadNotes, match="not the name of a file"):
        sync(mirrored)


def test_the_folders_of_nola_itself_are_refused(settings):
    settings.NOLA_CHECKPOINT_DIR.mkdir(parents=True)

    with pytest.raises(NoFolder, match="choose another folder"):
        sync(settings.NOLA_CHECKPOINT_DIR)


def test_two_syncs_do_not_work_in_one_folder_at_once(mirrored, monkeypatch):
    monkeypatch.setattr(folder_files, "LOCK_SECONDS", 0)

    with lock_folder(mirrored), pytest.raises(BusyFolder, match="another sync"):
        sync(mirrored)


# An older database was put back


def test_a_new_epoch_with_the_same_history_goes_on(mirrored):
    StoreMeta.objects.update(epoch="00000000")
    put("Note", "b", "title")

    sync(mirrored)

    assert read(mirrored, "Note.json")["title"] == "b"
    assert read(mirrored, NAME)["epoch"] == "00000000"


def test_a_revision_that_is_gone_is_no_common_ground(mirrored):
    notes = read(mirrored, NAME)
    notes["files"]["Note.json"] |= {"revision": 99, "text": "gone"}
    write(mirrored, NAME, notes)
    write(mirrored, "Note.json", {"title": "newer"})
    StoreMeta.objects.update(epoch="00000000")

    report = sync(mirrored)

    assert "an older database was put back since" in told(report, Category.CONFLICTING)["Note.json"]
    assert (value("Note")["title"], read(mirrored, "Note.json")) == ("a", {"title": "newer"})


# Folders that cannot be written, and files that change meanwhile


def test_a_file_that_is_saved_in_the_moment_it_would_be_replaced_stays(mirrored, monkeypatch):
    put("Note", "nola", "title")
    sync_file = sync_path

    def saved_meanwhile(path):
        sync_file(path)
        if path.name.endswith(PARTIAL) and "Note" in path.name:
            write(mirrored, "Note.json", {"title": "a", "tags": ["mine"], "about": {"n": 1, "m": 1}})

    with monkeypatch.context() as patch:
        patch.setattr("state.sync.folder.sync_path", saved_meanwhile)
        report = sync(mirrored)
    assert "in this moment" in told(report, Category.FAILED)["Note.json"]
    assert read(mirrored, "Note.json")["tags"] == ["mine"]

    sync(mirrored)

    merged = {"title": "nola", "tags": ["mine"], "about": {"n": 1, "m": 1}}
    assert value("Note") == read(mirrored, "Note.json") == merged


def test_a_full_disk_is_said_and_the_next_sync_goes_on(mirrored, monkeypatch):
    for number in range(4):
        put(f"New{number}", number)
    write_bytes = Path.write_bytes

    def full(path, raw):
        if "New1" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, raw)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        report = sync(mirrored)
    [failed] = report.select(Category.FAILED)
    assert failed.text.startswith("the disk is full: New1.json could not be written")
    assert failed.text.endswith("2 more files wait for that")
    assert not [name for name in os.listdir(mirrored) if name.endswith(PARTIAL)]

    sync(mirrored)

    assert [read(mirrored, f"New{number}.json") for number in range(4)] == [0, 1, 2, 3]


def read_only(monkeypatch):
    """As for anybody but root, whom permissions do not stop."""
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)

    open_file = Path.open

    def refused(path, mode="r", *arguments, **options):
        if mode not in ("r", "rb"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_file(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", refused)


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_done(mirrored, monkeypatch):
    write(mirrored, "Note.json", {"title": "b"})
    read_only(monkeypatch)

    for run in (sync, pull):
        with pytest.raises(CannotWrite, match="Make it writable, or push"):
            run(mirrored)

    assert value("Note")["title"] == "a"


def test_push_works_in_a_folder_that_cannot_be_written(mirrored, monkeypatch):
    write(mirrored, "Note.json", {"title": "b"})
    read_only(monkeypatch)

    report = push(mirrored)

    assert value("Note") == {"title": "b"}
    assert "the folder does not remember it" in told(report, Category.NOTED)[NAME]


def test_drafts_that_a_killed_sync_left_are_removed(mirrored):
    (mirrored / ".Note.json.0123abcd.partial").write_text("half")
    (mirrored / ".mine.partial").write_text("mine")

    sync(mirrored)

    assert not (mirrored / ".Note.json.0123abcd.partial").exists()
    assert (mirrored / ".mine.partial").exists()


def test_a_file_keeps_its_permissions_and_a_new_one_is_the_owners(mirrored):
    (mirrored / "Note.json").chmod(0o644)
    put("Note", "b", "title")
    put("New", 1)

    sync(mirrored)

    assert [stat.S_IMODE((mirrored / name).stat().st_mode) for name in ("Note.json", "New.json")] == [0o644, 0o600]


def test_a_sync_of_many_keys_with_nothing_to_do_asks_the_database_once(folder, django_assert_num_queries):
    documents = {f"Key{number}": make_document(number) for number in range(50)}
    store.put_keys(documents, ADA)
    sync(folder)

    with django_assert_num_queries(1 if engine().find_file() else 2):  # whether there is a memory
        sync(folder)


def test_a_full_disk_before_the_notes_are_kept_is_said_and_nothing_is_lost(mirrored, monkeypatch):
    write(mirrored, "Note.json", {"title": "file", "tags": ["x"], "about": {"n": 1, "m": 1}})
    put("Note", "nola", "about", "n")

    def full(folder, text):
        raise NoRoom("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(folder_writing, "save_notes", full)
        report = sync(mirrored)
    assert "What came into Nola stays there" in told(report, Category.FAILED)[NAME]
    assert value("Note") == {"title": "file", "tags": ["x"], "about": {"n": "nola", "m": 1}}

    sync(mirrored)

    assert read(mirrored, "Note.json") == value("Note")


def test_a_link_in_the_place_of_a_description_is_left_alone(mirrored, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (mirrored / "Note.json.conflict").symlink_to(outside)
    write(mirrored, "Note.json", {"title": "file", "tags": ["x"], "about": {"n": 1, "m": 1}})
    put("Note", "nola", "title")

    report = sync(mirrored)

    assert report.count(Category.CONFLICTING) == 1
    assert (mirrored / "Note.json.conflict").is_symlink() and outside.read_text() == "mine"


def test_a_key_has_one_file(mirrored):
    write(mirrored, "A.json", 1)

    report = push(mirrored, names=["A.json"], links={"A.json": "Note"})

    assert told(report, Category.FAILED) == {"A.json": "cannot be the file of Note: that is Note.json"}
