"""Writers take turns. SQLite does not queue them: under load one that waits is passed over again and again, and fails.

Whoever is to write holds a lock on a file beside the database for as long as it writes. A killed process lets go of it.
What waits in one process meanwhile is written in one transaction, since most of a write is the commit.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from django.db import connection, transaction

from access.database import Fault, engine
from state.jsondoc.budget import limit_work, measure_left
from state.locks import release_lock, try_lock

T = TypeVar("T")

PATIENCE = 5.0  # seconds; then the database itself decides, and says that it is busy
PAUSE = 0.001  # seconds between two looks at whether it is our turn

_in_line = threading.Lock()  # the threads of this process wait here, so that one of them asks for the file's lock
_waiting: "list[_Job]" = []
_taking = threading.Lock()
_files: dict[tuple[int, str], int] = {}  # the open lock file, by process and database


class _Job:
    """Something to write, which a thread waits for."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.left = measure_left()
        self.is_done = threading.Event()
        self.answer: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        with limit_work(self.left):
            self.answer = self.work()

    def run_apart(self) -> None:
        """As a part of a transaction; if it fails, the rest goes on."""
        try:
            with transaction.atomic():
                self.run()
        except Exception as error:
            self.error = error
            if connection.needs_rollback:  # the database has given up the whole transaction
                raise


def write_together(work: Callable[[], T]) -> T:
    """Run `work` in a transaction when it is our turn, in one with all that waits here by then; gives what it returns.

    Each is done whole or not at all, one after the other, and what one raises does not concern the others. `work` may
    run in the thread of another. Inside of a transaction it runs at once, as a part of that.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            engine().take_turn()
            return work()
    job = _Job(work)
    _waiting.append(job)
    with write_turn():
        if not job.is_done.is_set():
            _run(_take_waiting(job))
    job.is_done.wait()
    if job.error:
        raise job.error
    engine().commits += 1  # it may have been in the transaction of another thread
    answer: T = job.answer
    return answer


def _take_waiting(mine: _Job) -> list[_Job]:
    """All that waits; nothing if `mine` was taken already, by who has the turn while we have lost patience."""
    with _taking:
        jobs = _waiting[:] if mine in _waiting else []
        del _waiting[: len(jobs)]
        return jobs


def _run(jobs: list[_Job]) -> None:
    try:
        try:
            _run_each(jobs, _Job.run)
        except Exception as error:
            if len(jobs) == 1 or engine().explain(error) is Fault.UNSURE:  # what may have been made is not made again
                raise
            _run_each(jobs, _Job.run_apart)  # a savepoint for each would cost a tenth of a write where all goes well
    except BaseException as error:
        for job in jobs:
            job.error = job.error or error
    finally:
        for job in jobs:
            job.is_done.set()


def _run_each(jobs: list[_Job], run: Callable[[_Job], None]) -> None:
    with transaction.atomic():
        engine().take_turn()
        for job in jobs:
            run(job)


@contextmanager
def write_transaction() -> Iterator[None]:
    """A transaction that may write, when it is our turn. Inside another one, a part of that."""
    with nullcontext() if connection.in_atomic_block else write_turn(), transaction.atomic():
        engine().take_turn()
        yield


@contextmanager
def write_turn() -> Iterator[None]:
    """Our turn to write, for what cannot be in a transaction."""
    until = time.monotonic() + PATIENCE
    with _line(PATIENCE) as is_first:
        file = _file() if is_first else None
        has_turn = file is not None and try_lock(file, until - time.monotonic(), PAUSE)
        try:
            yield
        finally:
            if file is not None and has_turn:
                release_lock(file)


@contextmanager
def _line(seconds: float) -> Iterator[bool]:
    is_first = _in_line.acquire(timeout=seconds)
    try:
        yield is_first
    finally:
        if is_first:
            _in_line.release()


def _file() -> int | None:
    """The open lock file; None where the database queues writers itself or is in memory, or the folder is read-only."""
    database = engine().find_file()
    if database is None:
        return None
    at = (os.getpid(), str(database))  # a fork must not share it: the lock belongs to the open file
    if at not in _files:
        try:
            _files[at] = os.open(database.with_name(".turn"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
    return _files[at]
