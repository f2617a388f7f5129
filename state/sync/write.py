"""What a sync leaves in its folder: the files, the notes, and a description of each conflict beside its file.

The notes are kept before the first file is written, with what is about to be, so that the next run can tell what a
killed one has done.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from state import chain
from state.files.atomic import CannotWrite, NoRoom
from state.files.envelopes import build_metadata, is_envelope, other_metadata
from state.files.sources import Unreadable
from state.jsondoc.text import NOTHING, Nothing, format_json
from state.models import StateEntry
from state.registry import Conflict
from state.report import Category, Report, Unit
from state.sync.folder import MovedFile, SeenFile, hash_bytes, keep_aside, read_file, remove_file, write_file
from state.sync.notes import NAME, Note, Notes, save_notes
from state.sync.step import Common, SyncStep, Target

CONFLICT = ".conflict"  # how the name ends under which a conflict is described


class FolderWrite:
    """The folder's side of one run."""

    def __init__(
        self, folder: Path, notes: Notes, report: Report, progress: Callable[[str], None], before: str
    ) -> None:
        self.folder, self.notes, self.report, self.progress = folder, notes, report, progress
        self.saved = before  # the text of the notes as they are in the folder
        self.drafts: dict[str, tuple[bytes, Note]] = {}  # what is to be written, and the note that then holds, by name

    def run(self, steps: Sequence[SyncStep], revision: int, looked: Iterable[str], *, must: bool) -> None:
        """Write what `steps` say. What cannot be written is reported, and left for the next run."""
        times = _times([step.item.key for step in steps if step.is_enveloped])
        for step in steps:
            self._note(step, revision, times)
        try:
            self._write_files(steps)
            self._show_conflicts({step.item.name: step for step in steps if step.conflicts}, looked)
            self._save()
        except (NoRoom, CannotWrite) as error:
            category = Category.FAILED if must else Category.NOTED
            text = f"{error}. What came into Nola stays there; the folder does not remember it, and compares anew"
            self.report.add(category, Unit.FILES, NAME, text)

    def _note(self, step: SyncStep, revision: int, times: dict[str, str]) -> None:
        """Note what is in step now, and what will be once its file is written."""
        name = step.item.name
        if step.common is Common.NOTHING and step.target is Target.KEEP:
            self.notes.files.pop(name, None)
        noted = _noted(step, revision)
        if noted is None:
            return
        if not isinstance(step.target, str):
            self.notes.files[name] = noted
            return
        raw = self._bytes(step, step.target, times)
        unedited = raw
        if step.common is Common.STORED and step.was:
            unedited = self._bytes(step, step.was.text, times)
        noted = replace(noted, file=hash_bytes(unedited), is_enveloped=step.is_enveloped)
        self.drafts[name] = raw, noted
        old = step.item.note or Note(step.item.key, 0, "", "")
        self.notes.files[name] = replace(old, pending=(hash_bytes(raw), noted))

    def _bytes(self, step: SyncStep, text: str, times: dict[str, str]) -> bytes:
        value = json.loads(text)
        if step.is_enveloped:
            about = build_metadata(times.get(step.item.key), self.notes.level, step.item.name)
            whole = step.item.seen.document().value if step.item.seen else None
            if is_envelope(whole):
                about |= other_metadata(whole["metadata"])
            value = {"metadata": about, "data": value}
        return (format_json(value) + "\n").encode()

    def _save(self) -> None:
        text = self.notes.text()
        is_worth_it = self.saved or self.notes.files or self.notes.shown
        if text != self.saved and is_worth_it:
            save_notes(self.folder, text)
            self.saved = text

    # Files

    def _write_files(self, steps: Sequence[SyncStep]) -> None:
        waiting = [step for step in steps if step.item.name in self.drafts or step.target is Target.REMOVE]
        if waiting:
            self._save()
        for number, step in enumerate(waiting, 1):
            self.progress(f"writing {number:,} of {len(waiting):,} files")
            try:
                self._write_file(step)
            except MovedFile as error:
                self._fail(step, str(error))
            except (NoRoom, CannotWrite) as error:
                rest = len(waiting) - number
                self._fail(step, f"{error}" + (f"; {rest} more files wait for that" if rest else ""))
                return

    def _write_file(self, step: SyncStep) -> None:
        item = step.item
        if step.is_overruled and item.seen:
            copy = keep_aside(item.seen, item.last or 0)
            self.report.add(Category.NOTED, Unit.FILES, item.name, f"what it had is kept in {copy}")
        if step.target is Target.REMOVE:
            if item.seen:
                remove_file(item.path, item.seen)
            self.notes.files.pop(item.name, None)
            return
        raw, noted = self.drafts[item.name]
        write_file(item.path, raw, item.seen)
        self.notes.files[item.name] = noted

    def _fail(self, step: SyncStep, why: str) -> None:
        self.report.add(Category.FAILED, Unit.FILES, step.item.name, why)

    # Conflicts

    def _show_conflicts(self, met: dict[str, SyncStep], looked: Iterable[str]) -> None:
        """Describe each conflict, and remove the description of those that are settled, if nobody has edited it."""
        for name, step in met.items():
            raw = _description(step)
            there = self._described(name)
            if there is None or (there.hash == self.notes.shown.get(name) != hash_bytes(raw)):
                with suppress(MovedFile):  # something else stands there: a link, or what somebody is just saving
                    write_file(self.folder / (name + CONFLICT), raw, there)
                    self.notes.shown[name] = hash_bytes(raw)
        for name in self.notes.shown.keys() & set(looked) - met.keys():
            there = self._described(name)
            if there and there.hash == self.notes.shown[name]:
                with suppress(MovedFile):
                    remove_file(there.path, there)
            del self.notes.shown[name]

    def _described(self, name: str) -> SeenFile | None:
        try:
            return read_file(self.folder / (name + CONFLICT))
        except (FileNotFoundError, Unreadable):
            return None


def _noted(step: SyncStep, revision: int) -> Note | None:
    """The note of a step that is done, for a file as it was read; None where it leaves things as they were."""
    item, edit, was = step.item, step.edit, step.was
    if step.common in (Common.AS_BEFORE, Common.NOTHING):
        return None
    text = edit.text if edit and step.common is not Common.STORED else was and was.text
    seq = revision if edit and edit.forward else was and was.revision
    assert text is not None and seq is not None
    base = json.loads(step.opened) if step.common is Common.FILE and step.opened is not None else NOTHING
    hash_ = item.seen.hash if item.seen else ""
    return Note(item.key, seq, chain.hash_text(text), hash_, step.is_enveloped, base)


def _times(keys: Sequence[str]) -> dict[str, str]:
    """When each key was last changed."""
    found: dict[str, str] = {}
    for start in range(0, len(keys), 500):
        entries = StateEntry.objects.filter(pk__in=keys[start : start + 500]).order_by()
        found.update((key, at.isoformat()) for key, at in entries.values_list("key_name", "updated_at"))
    return found


def _description(step: SyncStep) -> bytes:
    """A conflict for people and programs: each place with what either side has there."""
    item = step.item
    about: dict[str, Any] = {
        "about": "changed on both sides: make the file as it should be and sync --prefer file, or sync --prefer db",
        "key": item.key,
        "file": item.name,
        "common_revision": item.note.revision if item.note else None,
        "revision": step.was.revision if step.was else None,
        "conflicts": [_place(one) for one in step.conflicts],
    }
    return (format_json(about) + "\n").encode()


def _place(one: Conflict) -> dict[str, Any]:
    sides = {"base": one.base, "nola": one.theirs, "file": one.yours}
    there = {side: value for side, value in sides.items() if not isinstance(value, Nothing)}
    return {"pointer": one.pointer, **there, **({} if one.by is None else {"by": one.by})}
