"""Writers that wait in one process share a commit, and nothing else: each is done whole or not at all, by itself."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from access.database import Fault, engine
from state import store, write_lock
from state.address import Address
from state.history import audit
from state.jsondoc.budget import TooCostly, limit_work, spend_work
from state.jsondoc.text import make_document
from state.models import Revision
from state.revisions import Author, Source
from state.store import Stale, Written

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS = 6


@pytest.fixture
def groups(monkeypatch):
    """How many writes went into each commit."""
    found: list[int] = []
    run = write_lock._run
    monkeypatch.setattr(write_lock, "_run", lambda jobs: (found.append(len(jobs)), run(jobs))[1])
    return found


def put(key: str, value: Any, *tokens: str, seen: int | None = None, by: str = "key:one") -> Written:
    return store.put(Address(key, tokens), make_document(value), Author(by, Source.API), seen=seen)


def crowd(*works: Callable[[], Any]) -> list[Any]:
    """Do all at once, while the turn is somebody else's: what each gives, or raises."""
    answers: list[Any] = [None] * len(works)
    done: list[int] = []

    def do(number: int) -> None:
        try:
            answers[number] = works[number]()
        except Exception as error:
            answers[number] = error
        finally:
            connection.close()
            done.append(number)

    threads = [threading.Thread(target=do, args=[number]) for number in range(len(works))]
    with write_lock.write_turn():
        for thread in threads:
            thread.start()
        while len(write_lock._waiting) + len(done) < len(works):
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert list(audit.find_flaws(connection)) == []
    return answers


def test_what_waits_is_written_in_one_commit_each_as_its_own_revision(groups):
    written = crowd(*[lambda n=n: put(f"K{n}", n, by=f"key:{n}") for n in range(WRITERS)])

    assert groups == [WRITERS]
    assert sorted(one.revision for one in written) == list(range(1, WRITERS + 1))
    for number, one in enumerate(written):
        assert Revision.objects.get(seq=one.revision).actor == f"key:{number}"
        assert store.read(Address(f"K{number}")).text == str(number)


def test_writes_of_one_key_that_wait_together_all_count(groups):
    put("Task", {})

    written = crowd(*[lambda n=n: put("Task", n, f"leaf{n}") for n in range(WRITERS)])

    assert groups[1] == WRITERS
    assert sorted(one.revision for one in written) == list(range(2, WRITERS + 2))
    assert json.loads(store.read(Address("Task")).text) == {f"leaf{n}": n for n in range(WRITERS)}


def test_what_one_raises_concerns_no_other(groups):
    put("Task", {"a": 1})

    answers = crowd(
        lambda: put("Task", {"a": 2}, seen=1), lambda: put("Other", 1), lambda: put("Task", {"a": 3}, seen=1)
    )

    assert groups[-1] == 3
    assert {type(answers[0]), type(answers[2])} == {Stale, Written}
    assert isinstance(answers[1], Written)
    assert store.read(Address("Other")).text == "1"
    assert store.head() == 3


@pytest.fixture
def leave_little_room() -> Iterator[Callable[[], None]]:
    """Leaves room for small values alone, for one connection or for all."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            yield limit_pages
            return
        cursor.execute("""
            CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100';
            END $$;
            CREATE TRIGGER fill BEFORE INSERT ON state_storage FOR EACH ROW
                WHEN (length(NEW.value_json) > 1000) EXECUTE FUNCTION fill()
        """)
        yield lambda: None
        cursor.execute("DROP TRIGGER fill ON state_storage; DROP FUNCTION fill")


def limit_pages() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0] + 20}")


def test_where_the_disk_is_full_what_is_acknowledged_is_there_and_the_rest_is_not(groups, leave_little_room):
    put("Task", 0)

    def put_in_little_room(key: str, size: int) -> Written:
        leave_little_room()
        return put(key, "x" * size)

    answers = crowd(*[lambda n=n: put_in_little_room(f"K{n}", 2_000_000 if n == 2 else 10) for n in range(4)])

    assert groups[-1] == 4
    assert isinstance(answers[2], OperationalError)
    assert engine().explain(answers[2]) == Fault.FULL
    for number, one in enumerate(answers):
        kept = store.read_all().text.count(f'"K{number}"')
        assert kept == isinstance(one, Written), f"{number}: {one!r}"


def test_the_work_of_each_is_limited_by_its_own_request(groups):
    def put_after(seconds: float) -> Any:
        def work() -> int:
            spend_work()
            return store.head()

        with limit_work(seconds):
            return write_lock.write_together(work)

    answers = crowd(lambda: put_after(-1), lambda: put_after(60), lambda: put_after(-1))

    assert [type(one) for one in answers] == [TooCostly, int, TooCostly]


def test_who_has_lost_patience_writes_alone(monkeypatch, groups):
    monkeypatch.setattr(write_lock, "PATIENCE", 0.05)
    done: list[Any] = []

    with write_lock.write_turn():
        thread = threading.Thread(target=lambda: (done.append(put("Late", 1)), connection.close()))
        thread.start()
        thread.join()

    assert groups == [1]
    assert isinstance(done[0], Written)


def test_what_may_have_been_kept_is_not_written_again(groups, monkeypatch):
    lost, wrapper = OperationalError("lost at the end"), type(connections["default"])
    commit, left = wrapper._commit, [lost]

    def lose(self: Any) -> None:
        commit(self)
        if left:
            raise left.pop()

    monkeypatch.setattr(wrapper, "_commit", lose)
    monkeypatch.setattr(type(engine()), "explain", lambda self, error: Fault.UNSURE if error is lost else None)

    answers = crowd(lambda: put("A", 1), lambda: put("B", 2))

    assert (answers, groups) == ([lost, lost], [2])
    assert [revision.seq for revision in Revision.objects.order_by("seq")] == [1, 2]
