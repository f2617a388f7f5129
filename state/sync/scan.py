"""The keys and files that a sync is about: each file that is there with its key, and what of either is missing."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from state import store
from state.files.names import BadFileName, find_original, fold_name, is_cut_name, name_file, parse_filename
from state.files.sources import Unreadable
from state.report import Category, Unit, make_printable
from state.sync.folder import list_files, read_file
from state.sync.notes import Note, Notes
from state.sync.options import SyncOptions
from state.sync.step import SyncItem


class FolderScan:
    """One look at a folder. `keys` has the revision of each key of the memory. What cannot be read is reported."""

    def __init__(self, one: SyncOptions, notes: Notes, keys: Mapping[str, int]) -> None:
        self.one, self.report, self.notes, self.keys = one, one.report, notes, keys
        self.wanted = one.keys if one.keys is None else frozenset(one.keys)
        self.listed = list_files(one.folder)
        # of the files, by key: a file that is noted comes before one that somebody has put beside it
        self.names = {note.key: name for name, note in notes.files.items() if name in self.listed}

    def items(self) -> Iterator[SyncItem]:
        """The keys and files that a run is about."""
        for name in [name for name, note in self.notes.files.items() if not note.revision and name not in self.listed]:
            del self.notes.files[name]  # a file that a sync was about to write when it was killed
        for number, (name, (path, obstacle)) in enumerate(self.listed.items(), 1):
            self.one.progress(f"reading {number:,} of {len(self.listed):,} files")
            if item := self._file(name, path, obstacle):
                yield item
        for name, note in self.notes.files.items():
            if name not in self.listed and note.key not in self.names:
                self.names[note.key] = name
                if self._is_wanted(name, note.key) and name not in self.one.spared:
                    yield SyncItem(note.key, name, self.one.folder / name, note, None, self.keys.get(note.key))
        for name in self.one.names or []:
            if name not in self.listed and name not in self.notes.files:
                self._fail(name, "is not there, or does not end in .json")
        yield from self._keys_without_file()

    def _file(self, name: str, path: Path, obstacle: str) -> SyncItem | None:
        """A file that is there; None if it is not to be looked at, or cannot be."""
        note = self.notes.files.get(name)
        if not note and (original := self._original(name)):
            self._leave_copy(name, original)
            return None
        try:
            key = self._key_of(name, note)
            other = self.names.setdefault(key, name)
            if not self._is_wanted(name, key) or name in self.one.spared:
                return None
            if other != name:
                raise Unreadable(f"is a second file for the key {key}, beside {other}; remove one of them")
            store.check_key(key)
            if obstacle:
                raise Unreadable(obstacle)
            seen = read_file(path)
        except FileNotFoundError:  # it went in this very moment; the next run sees more
            return None
        except (Unreadable, BadFileName, store.BadKey) as error:
            self._fail(name, error)
            return None
        self.report.add(Category.READ, Unit.FILES, name)
        if key in self.keys:
            self.report.add(Category.READ, Unit.KEYS, name)
        return SyncItem(key, name, path, note.matching(seen.hash) if note else None, seen, self.keys.get(key))

    def _original(self, name: str) -> str | None:
        """The file of which this one is a copy that another program made; None for one of a key of its own."""
        if name in self.one.links or self._stored_key(name) in self.keys:
            return None
        return find_original(name, lambda other: other in self.listed or self._stored_key(other) in self.keys)

    def _stored_key(self, name: str) -> str:
        """The key that a file name stands for, "" for none."""
        note = self.notes.files.get(name)
        try:
            return note.key if note else parse_filename(name) or ""
        except BadFileName:
            return ""

    def _leave_copy(self, name: str, original: str) -> None:
        """Let a copy wait for a word: nothing tells whether it is to be merged, kept for itself or dropped."""
        key = self._stored_key(original)
        if name not in self.one.spared and self._is_wanted(name, key):
            path, own = make_printable(self.one.folder / name), self._stored_key(name)
            text = (
                f"looks like a copy of {original} from another program, which kept two versions of it; nothing is"
                f" taken from it. Take over into {original} what is missing there, and remove it; or make it a key of"
                f" its own: ./nola push {shlex.quote(path)} --key {shlex.quote(own or 'KEY')}"
            )
            self.report.add(Category.CONFLICTING, Unit.FILES, name, text)

    def _key_of(self, name: str, note: Note | None) -> str:
        asked = self.one.links.get(name)
        if note and asked not in (None, note.key):
            raise BadFileName(f"is in step with the key {note.key} already, and not with {asked}")
        if asked and self.names.get(asked, name) != name:
            raise BadFileName(f"cannot be the file of {asked}: that is {self.names[asked]}")
        key = asked or (note.key if note else parse_filename(name))
        if key is None:
            key = next((one for one in self.keys if is_cut_name(name, one)), None)
        if key is None:
            raise BadFileName("has a name that was cut, and no key in Nola goes with it; give it a name of its own")
        return key

    def _is_wanted(self, name: str, key: str) -> bool:
        if self.one.names is not None and name not in self.one.names:
            return False
        return self.wanted is None or key in self.wanted

    def _keys_without_file(self) -> Iterator[SyncItem]:
        for key in self.one.keys or []:
            if key not in self.keys and key not in self.names:
                self.report.add(Category.FAILED, Unit.KEYS, key, "there is no such key, and no file for it")
        if not self.one.pulls:
            return
        taken = {fold_name(name) for name in (*self.listed, *self.notes.files)}
        for key, revision in self.keys.items():
            if key in self.names or not (self.notes.is_whole if self.wanted is None else key in self.wanted):
                continue
            name = name_file(key, taken.__contains__)
            taken.add(fold_name(name))
            self.report.add(Category.READ, Unit.KEYS, name)
            yield SyncItem(key, name, self.one.folder / name, None, None, revision)

    def _fail(self, name: str, why: object) -> None:
        self.report.add(Category.FAILED, Unit.FILES, name, str(why))
