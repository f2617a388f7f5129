import json

import pytest

from access.database import engine
from state import store
from state.address import Address
from state.files.sources import NoFolder
from state.jsondoc.text import make_document
from state.report import Category
from state.revisions import Author, Source
from state.sync import watch
from state.sync.folder import BusyFolder
from state.sync.options import SyncOptions
from state.sync.run import read_memory, run_sync
from state.sync.watch import LOOK, SETTLE, Watch

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(watch, "time", clock := Clock())
    return clock


@pytest.fixture
def told():
    return []


class Watched:
    def __init__(self, folder, clock, told, **options):
        self.folder, self.clock, self.told = folder, clock, told
        one = SyncOptions("cli:ada", folder, **options)
        self.watch = Watch(one, run_sync(one), lambda finding: told.append((finding.category.value, finding.text)))
        self.look(3)
        self.syncs = 0

    def look(self, times):
        for _ in range(times):
            self.watch.look()
            self.clock.sleep(LOOK)

    def settle(self):
        self.look(round(SETTLE / LOOK) + 3)


@pytest.fixture
def watched(tmp_path, clock, told):
    store.put(Address("Note"), make_document({"a": 1}), ADA)
    return Watched(tmp_path / "files", clock, told)


def keys():
    return dict(read_memory().keys)


def value(key):
    return json.loads(store.read(Address(key)).text)


def test_nothing_is_done_while_nothing_changes(watched, monkeypatch):
    monkeypatch.setattr(watch, "run_sync", None)

    watched.settle()


def test_a_look_at_nothing_new_asks_the_database_once(watched, monkeypatch, django_assert_num_queries):
    asked = []
    monkeypatch.setattr(type(engine()), "read_version", lambda self: asked.append(self) or 1)
    watched.look(1)

    with django_assert_num_queries(0):
        watched.look(1)

    assert len(asked) == 2


def test_a_file_that_goes_for_a_moment_deletes_nothing(tmp_path, clock, told):
    store.put(Address("Note"), make_document({"a": 1}), ADA)
    watched = Watched(tmp_path / "files", clock, told, delete=True)
    note = watched.folder / "Note.json"
    note.unlink()
    store.put(Address("Other"), make_document(1), ADA)
    watched.watch.memory.version = None  # as if another process had written
    watched.look(4)
    assert (watched.folder / "Other.json").exists()
    note.write_text('{"a": 2}')

    watched.settle()

    assert value("Note") == {"a": 2}
    assert not any(category == "deleted" for category, _ in told)


def test_a_file_that_stays_away_deletes_its_key_where_that_was_said(tmp_path, clock, told):
    store.put(Address("Note"), make_document({"a": 1}), ADA)
    watched = Watched(tmp_path / "files", clock, told, delete=True)
    (watched.folder / "Note.json").unlink()

    watched.settle()

    assert keys() == {}
    assert told == [("deleted", "Note: its file is gone")]


def test_a_half_written_file_is_waited_for_without_a_word(watched, told):
    note = watched.folder / "Note.json"
    note.write_text('{"a": ')
    watched.look(4)
    note.write_text('{"a": 2}')

    watched.settle()

    assert told == [("updated", "1 change brought into Note")]
    assert value("Note") == {"a": 2}


def test_a_file_that_stays_unreadable_is_told_once(watched, told):
    (watched.folder / "Note.json").write_text('{"a": ')

    watched.settle()
    watched.settle()

    assert [category for category, _ in told] == ["failed"]
    assert value("Note") == {"a": 1}


def test_a_file_that_never_rests_does_not_keep_others_waiting(watched):
    for number in range(8):
        (watched.folder / "Log.json").write_text(json.dumps(list(range(number))))
        (watched.folder / "Note.json").write_text('{"a": 3}') if number == 0 else None
        watched.look(1)

    assert value("Note") == {"a": 3}
    assert "Log" not in keys()
    watched.settle()
    assert value("Log") == list(range(7))


def test_a_conflict_is_told_once_and_again_if_it_comes_back(watched, told):
    note = watched.folder / "Note.json"
    note.write_text('{"a": 2}')
    store.put(Address("Note"), make_document({"a": 3}), ADA)
    watched.settle()
    assert [category for category, _ in told] == ["conflicting"]

    note.write_text('{"a": 3}')
    watched.settle()
    told.clear()
    note.write_text('{"a": 4}')
    store.put(Address("Note"), make_document({"a": 5}), ADA)
    watched.settle()

    assert [category for category, _ in told] == ["conflicting"]


def test_what_cannot_be_done_now_is_told_once_and_done_later(watched, told, monkeypatch):
    busy = BusyFolder("another sync is at work")
    run = run_sync
    tries = iter([True, True, True, False])

    def sometimes(one):
        if next(tries, False):
            raise busy
        return run(one)

    monkeypatch.setattr(watch, "run_sync", sometimes)
    (watched.folder / "Note.json").write_text('{"a": 2}')
    looks = iter(range(8))

    watched.watch.run(lambda: next(looks, None) is not None)

    assert told == [("failed", "another sync is at work"), ("updated", "1 change brought into Note")]
    assert value("Note") == {"a": 2}


def test_a_folder_that_is_gone_ends_it(watched, tmp_path):
    watched.folder.rename(tmp_path / "elsewhere")

    with pytest.raises(NoFolder, match="is not there; nothing is deleted in Nola"):
        watched.look(1)


def test_the_same_word_is_not_said_of_what_stood_before_the_watch(tmp_path, clock, told):
    store.put(Address("Note"), make_document({"a": 1}), ADA)
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "Note.json").write_text('{"a": 2}')
    watched = Watched(folder, clock, told)

    watched.settle()

    assert told == []
    assert Category.CONFLICTING.value not in dict(told)
