"""A folder and the memory kept in step for as long as this runs: a sync whenever one of them has changed.

Looks a few times a second at the stamps of the files, and at whether the database was written to. A file that is still
being written is waited for, and so is one that has gone: editors save by removing.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from django.db import OperationalError, connection

from access.database import engine
from state import store
from state.files.atomic import CannotWrite, NoRoom
from state.files.sources import NoFolder
from state.models import Change, StoreMeta
from state.report import Category, Finding, Report, Unit, make_printable
from state.sync.folder import BusyFolder, Stamp, is_key_file, normalize_name, stamp_file
from state.sync.options import SyncOptions, new_report
from state.sync.run import run_sync

LOOK = 0.25  # seconds between two looks
SETTLE = 2.0  # seconds for which a file may be missing or unreadable before that counts
BACK_OFF = 1.0  # seconds after a sync that could not be done just now
RETRY = 10.0  # seconds after which what has failed is tried again, though nothing has changed
STANDING = (Category.FAILED, Category.CONFLICTING, Category.SKIPPED)
DONE = (Category.ADDED, Category.UPDATED, Category.DELETED, Category.NOTED)
PASSING = (OperationalError, store.Overtaken, BusyFolder, NoRoom, CannotWrite)

Stamps = dict[str, Stamp]
Tell = Callable[[Finding], None]


class Watch:
    """Goes on after a first sync, whose report tells what stands. `tell` hears what is done and what newly stands."""

    def __init__(self, one: SyncOptions, report: Report, tell: Tell) -> None:
        self.one, self.tell = replace(one, ask=None, makes=False), tell
        self.told = {_key(finding) for finding in report.findings if finding.category in STANDING}
        self.synced: Stamps = {}  # of the files, as the last sync may have read them
        self.before: Stamps = {}  # as of the last look
        self.known: set[str] = set()  # files that were there in some look, and are not given up
        self.gone: dict[str, float] = {}  # since when one of them is missing
        self.failing: dict[tuple[str, Stamp | None], float] = {}  # since when one cannot be read
        self.retry = 0.0  # when to sync again though nothing changes; 0 for not
        self.memory = _Memory()
        self.moment: object = None  # of the memory, as of the last sync

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Watch until `goes_on` says no. Raises NoFolder, OtherMemory and BadNotes."""
        while goes_on():
            try:
                self.look()
            except PASSING as error:
                self._stand(Finding(Category.FAILED, Unit.FILES, make_printable(self.one.folder.name), str(error)))
                time.sleep(BACK_OFF)
            time.sleep(LOOK)

    def look(self) -> None:
        """Look once, and sync if something has changed."""
        now, stamps, moment = time.monotonic(), _stamps(self.one.folder), self.memory.moment()
        changing = {name for name, stamp in stamps.items() if self.before.get(name) != stamp}
        self.before = stamps
        self.known |= stamps.keys()
        self.gone = {name: self.gone.get(name, now) for name in self.known - stamps.keys()}
        waiting = {name for name, since in self.gone.items() if now - since < SETTLE}
        settled = {name: stamp for name, stamp in stamps.items() if name not in changing}
        has_news = any(self.synced.get(name) != stamp for name, stamp in settled.items())
        if has_news or self.gone.keys() - waiting or 0 < self.retry <= now or moment != self.moment:
            self._sync(frozenset(changing | waiting))
            self.synced, self.moment = settled, moment
            self.known -= self.gone.keys() - waiting

    def _sync(self, spared: frozenset[str]) -> None:
        self.retry = 0.0
        report = run_sync(replace(self.one, spared=spared, report=new_report()))
        for finding in report.findings:
            if finding.category in DONE and finding.text:
                self.tell(finding)
        stand = [finding for finding in report.findings if finding.category in STANDING]
        keys = {_key(finding) for finding in stand}
        self.told = {key for key in self.told if key in keys or key[0] in spared}
        self.failing = {key: since for key, since in self.failing.items() if self.before.get(key[0]) == key[1]}
        for finding in stand:
            if finding.category is not Category.FAILED or not self._may_pass(finding):
                self._stand(finding)

    def _may_pass(self, finding: Finding) -> bool:
        """Whether a file that cannot be read is perhaps being written; it is looked at again."""
        now = time.monotonic()
        until = self.failing.setdefault((finding.file, self.before.get(finding.file)), now) + SETTLE
        may_pass = _key(finding) not in self.told and now < until
        again = until if may_pass else now + RETRY
        self.retry = min(self.retry or again, again)
        return may_pass

    def _stand(self, finding: Finding) -> None:
        """Tell what stands, once."""
        if _key(finding) not in self.told:
            self.told.add(_key(finding))
            self.tell(finding)


def _stamps(folder: Path) -> Stamps:
    """The stamps of the files of a folder. Raises NoFolder."""
    found: Stamps = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if is_key_file(entry.name):
                        found[normalize_name(entry.name)] = stamp_file(entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        raise NoFolder(f"the folder {make_printable(folder)} is not there; nothing is deleted in Nola") from None
    return found


class _Memory:
    """Tells whether the state of the memory has changed, and asks little to find out."""

    def __init__(self) -> None:
        self.file: tuple[int, int] | None = None
        self.version: int | None = None
        self.last: object = None

    def moment(self) -> object:
        """What is another whenever the state has changed."""
        version = self._version()
        if version != self.version:
            epoch = StoreMeta.objects.values_list("epoch", flat=True).first()
            changes = Change.objects.filter(kind="state").order_by("-revision_id")
            self.last = epoch, changes.values_list("revision_id", flat=True).first()
            self.version = version
        return self.last

    def _version(self) -> int:
        """A number that changes when another process has written, or in another database."""
        database = engine().find_file()
        if database is not None:
            found = database.stat()
            file = found.st_dev, found.st_ino
            if self.file not in (None, file):  # a backup was put in its place
                connection.close()
                self.version = None
            self.file = file
        return engine().read_version()


def _key(finding: Finding) -> tuple[str, str]:
    return finding.file, finding.text
