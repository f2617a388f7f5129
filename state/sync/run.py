"""A folder of JSON files, one for each key, and the memory: kept in step both ways, by merging what both changed.

What they last had in common is known from the folder's notes (`notes`) and the history. A run reads the files,
decides for each (`decide`), writes to the memory as one revision, and then to the folder (`write`). Killed
anywhere, it leaves whole files, and the next run goes on. What cannot be merged stays as it is on both sides.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from access.actors import cli_actor
from access.database import engine
from state import chain, store
from state.edits import Edit
from state.entries import read_entries, read_state
from state.files.atomic import CannotWrite
from state.files.sources import NoFolder, Unreadable
from state.models import Change, StoreMeta
from state.report import Category, Report, Unit, make_printable
from state.revisions import Author, Source
from state.sync.decide import decide_step
from state.sync.folder import clear_drafts, lock_folder
from state.sync.notes import NAME, Notes, load_notes
from state.sync.options import SyncOptions, new_report
from state.sync.scan import FolderScan
from state.sync.step import SyncItem, SyncStep, SyncTerms
from state.sync.write import FolderWrite

AT_ONCE = 500


class OtherMemory(Exception):
    """The folder belongs to another memory, or holds something else than is asked for."""


class NoDatabase(Exception):
    """There is no memory yet to keep in step with."""


class MemoryMoment(NamedTuple):
    """The memory at one moment: who it is, and the revision of each key."""

    store: str
    epoch: str
    keys: dict[str, int]


def run_sync(one: SyncOptions) -> Report:
    """Keep a folder in step.

    Raises NoFolder, OtherMemory, NoDatabase, BadNotes, BusyFolder, store.Overtaken, NoRoom
    and CannotWrite.
    """
    check_database()
    _check_folder(one)
    with lock_folder(one.folder):
        return _Sync(one).run()


def push_paths(paths: Sequence[Path], **options: Any) -> Report:
    """Push files, and folders of them, as whoever runs this process; one report for all. Raises as `run_sync` does."""
    report = new_report()
    for folder, names in group_by_folder(paths).items():
        run_sync(SyncOptions(cli_actor(), folder, pulls=False, names=names, report=report, **options))
    return report


def sync_folder(folder: Path, **options: Any) -> Report:
    """Keep a folder in step, as the one who runs this process. Raises as `run_sync` does."""
    return run_sync(SyncOptions(cli_actor(), folder, **options))


def check_database() -> None:
    """Stop where there is no memory, before a connection would make an empty database file. Raises NoDatabase."""
    database = engine().find_file()
    if not (database.exists() if database else StoreMeta._meta.db_table in connection.introspection.table_names()):
        raise NoDatabase("there is no database yet; start Nola once (make run), and sync then")


def _check_folder(one: SyncOptions) -> None:
    folder = one.folder
    if folder.exists() and not folder.is_dir():
        raise NoFolder(f"the folder {make_printable(folder)} is a file")
    if not folder.exists() and not (one.pulls and one.makes):
        raise NoFolder(f"the folder {make_printable(folder)} is not there; nothing is deleted in Nola")
    for kept in (settings.NOLA_DB_DIR, settings.NOLA_CHECKPOINT_DIR, settings.NOLA_BACKUP_DIR, settings.NOLA_SEED_DIR):
        if folder.resolve().is_relative_to(Path(kept).resolve()):
            raise NoFolder(f"in {make_printable(folder)} Nola keeps files of its own; choose another folder")
    if folder.exists() and one.pulls and not one.dry_run and not os.access(folder, os.W_OK):
        raise CannotWrite(f"{make_printable(folder)} cannot be written. Make it writable, or push: that only reads it")


def read_memory() -> MemoryMoment:
    """The memory now, read in one statement. Raises NoDatabase."""
    now = read_state(texts=False)
    if not now.store:
        raise NoDatabase("the database is empty; start Nola once (make run), and sync then")
    return MemoryMoment(now.store, now.epoch, {key: revision for key, (_, revision) in now.entries.items()})


class _Sync:
    """One run over one folder, which nobody else syncs meanwhile."""

    def __init__(self, one: SyncOptions) -> None:
        self.one, self.report = one, one.report
        self.memory = read_memory()
        noted = load_notes(one.folder)
        self.before = noted.text() if noted else ""
        self.notes = _notes_of(one, noted, self.memory)
        self.terms = SyncTerms(
            pushes=one.pushes,
            pulls=one.pulls,
            prefer=one.prefer,
            delete=one.delete,
            level=self.notes.level,
            envelope=one.envelope,
            new_enveloped=self.notes.is_enveloped,
        )
        self.steps: list[SyncStep] = []

    def run(self) -> Report:
        items = list(FolderScan(self.one, self.notes, self.memory.keys).items())
        active = [item for item in items if item.is_active or self.one.envelope is not None]
        self._ask(active)
        revision = self._commit(active)
        if self.one.dry_run:
            return self.report
        self.notes.epoch = self.memory.epoch
        for item in items:
            if item.note and item.seen:
                self.notes.files[item.name] = item.note
        clear_drafts(self.one.folder)
        writing = FolderWrite(self.one.folder, self.notes, self.report, self.one.progress, self.before)
        writing.run(self.steps, revision, {item.name for item in items}, must=self.one.pulls)
        return self.report

    # What is to be done

    def _plan(self, items: Sequence[SyncItem]) -> list[Edit]:
        self.steps = []
        found = read_entries([item.key for item in items])
        known = _known(items)
        for number, item in enumerate(items, 1):
            self.one.progress(f"comparing {number:,} of {len(items):,}")
            was = found.get(item.key)
            try:
                self.steps.append(decide_step(item, was, self.terms, item.name in known))
            except Unreadable as error:
                self.steps.append(SyncStep(item, was).say(Category.FAILED, Unit.FILES, str(error)))
        return [step.edit for step in self.steps if step.edit and step.edit.forward]

    def _ask(self, items: Sequence[SyncItem]) -> None:
        """Let a person say whether what is gone on one side goes on the other."""
        if self.one.ask is None or self.terms.delete or self.one.dry_run:
            return
        self._plan(items)
        keys, gone = (sum(step.asks is unit for step in self.steps) for unit in (Unit.KEYS, Unit.FILES))
        if (keys or gone) and self.one.ask(keys, gone):
            self.terms = replace(self.terms, delete=True)

    def _commit(self, items: Sequence[SyncItem]) -> int:
        """Write to the memory, as one revision; which, or 0 for none."""
        changed: dict[str, str] = {}

        def plan() -> list[Edit]:
            planned = self._plan(items)
            names = {step.item.key: step.item.name for step in self.steps}
            changed.clear()
            changed.update({edit.key: names[edit.key] for edit in planned})
            return planned

        revision = 0
        if self.one.dry_run or not self.one.pushes:
            plan()
        elif items:
            info = {"folder": make_printable(self.one.folder.name), "files": changed}
            written = store.commit(plan, Author(self.one.actor, Source.SYNC, info=info))
            if written.changed:
                self.report.revisions += 1
                revision = written.revision
        for step in self.steps:
            for category, unit, text in step.says:
                self.report.add(category, unit, step.item.name, text)
        return revision


def _notes_of(one: SyncOptions, noted: Notes | None, now: MemoryMoment) -> Notes:
    """The notes to go on from. Raises OtherMemory."""
    whole = one.everything or one.keys is None if one.pulls else None
    where = make_printable(one.folder)
    if noted is None:
        return Notes(now.store, now.epoch, one.level, whole, bool(one.envelope))
    if noted.store != now.store:
        raise OtherMemory(
            f"{where} is kept in step with another memory ({noted.store}; this one is {now.store}). Choose another"
            f" folder. If it is to belong to this one from now on, remove {NAME} in it: then nothing is"
            " overwritten, and each file that differs is a conflict for you to decide"
        )
    if one.pushes and noted.level is not None:
        raise OtherMemory(
            f"the files in {where} hold only level {noted.level} of each key; to push them would drop the rest for"
            " everybody. Change the memory itself, or pull all of it into another folder and change it there"
        )
    if one.level not in (None, noted.level):
        holds = f"level {noted.level}" if noted.level else "all"
        raise OtherMemory(f"the files in {where} hold {holds} of each key; pull level {one.level} into another folder")
    return replace(
        noted,
        files=dict(noted.files),
        shown=dict(noted.shown),
        is_whole=one.everything or (whole if noted.is_whole is None else noted.is_whole),
        is_enveloped=noted.is_enveloped if one.envelope is None else one.envelope,
    )


def _known(items: Sequence[SyncItem]) -> set[str]:
    """The names of those files for which the history still has what they and their keys had in common."""
    noted = [(item, item.note) for item in items if item.note]
    found: set[str] = set()
    for start in range(0, len(noted), AT_ONCE):
        some = noted[start : start + AT_ONCE]
        keys, revisions = {note.key for _, note in some}, {note.revision for _, note in some}
        changes = Change.objects.filter(kind="state", key__in=keys, revision_id__in=revisions).order_by()
        hashes = {(key, seq): kept for key, seq, kept in changes.values_list("key", "revision_id", "result_hash")}
        for item, note in some:
            kept = hashes.get((note.key, note.revision))
            if kept and chain.is_same(kept, note.text):
                found.add(item.name)
    return found


def group_by_folder(paths: Sequence[Path]) -> dict[Path, list[str] | None]:
    """The folders of these files, with the names of the files; None for a folder that is named itself."""
    found: dict[Path, list[str] | None] = {}
    for path in paths:
        path = path.expanduser().absolute()
        if path.is_dir():
            found[path] = None
        elif (names := found.setdefault(path.parent, [])) is not None:
            names.append(path.name)
    return found
