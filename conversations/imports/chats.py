"""An export of chats into Nola: read piece by piece, in revisions small enough that others write in between."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from conversations import drafts
from conversations.imports.legacy_chat_files import Chat
from conversations.imports.legacy_chats import import_batch
from conversations.imports.legacy_state import ImportRun, import_documents
from conversations.imports.legacy_state_files import StateDocument
from conversations.imports.messages import ImportedState, Reader, report_notes
from conversations.imports.reading import Found, Notes, read_file
from state.jsondoc.budget import TooCostly
from state.jsondoc.text import make_document
from state.report import Category, Report, Unit, make_printable

STATE = "imported"  # how the keys begin that hold what a file has besides talk
BAR = 24  # characters
SHOWN_KEYS = 5  # of those that get what is no talk
CUT_SHORT = (
    "the import took too long for one request and was ended; what is counted as added is in Nola. Send the file again"
    " to go on, in smaller parts if that does not help, or import it on the machine: ./nola importchats"
)


@dataclass(slots=True)
class FileImport:
    """One import of a file or folder: who runs it and how. With `all_or_nothing`, nothing is written if anything is
    wrong. `state` begins the names of the keys for what is no talk; "" leaves that out. `user_id` is whose it all is,
    whatever a file says.
    """

    actor: str
    path: Path
    replace: bool = False
    dry_run: bool = False
    all_or_nothing: bool = False
    progress: Callable[[str], None] = lambda text: None
    report: Report = field(default_factory=Report)
    name: str = ""  # of the file, if it is not that of the path
    bounded: bool = False  # as a request is: no conversation or message may hold more values than a document
    state: str = STATE
    user_id: str = ""
    watch: Callable[[float, int], None] = lambda part, number: None  # which part of it is read, and how many values
    meet: Callable[[Chat], None] = lambda chat: None  # told of each conversation before it is brought

    @property
    def label(self) -> str:
        return self.name or make_printable(self.path.resolve().name)

    def make_run(self, reader: Reader) -> ImportRun:
        """The import as one of what a reader has found: exports of a service are versions of one another."""
        here = self.path.resolve()
        folder = Path(reader.name) if reader.is_service else here if here.is_dir() else here.parent
        how = self.replace, self.dry_run, self.progress, reader.is_service, self.user_id
        return ImportRun(self.actor, folder, self.report, *how)


@dataclass(slots=True)
class _Batch:
    """Conversations of one reader that go into one revision, with what is to be said of them."""

    reader: Reader
    chats: dict[str, Chat] = field(default_factory=dict)
    notes: list[tuple[str, Notes]] = field(default_factory=list)  # by place
    rows: int = 0

    def has_version(self, chat: Chat) -> bool:
        """Whether what is here of a conversation is no piece before this one but another version of it: with the same
        messages, and changed at another time, or other words in one of them.
        """
        there = self.chats.get(chat.session_id)
        both = there.messages.keys() & chat.messages.keys() if there else ()
        return there is not None and any(
            there.updated != chat.updated or there.messages[name] != chat.messages[name] for name in both
        )

    def add(self, found: Found, chat: Chat, size: int) -> None:
        """Pieces of one conversation that come one after another are one."""
        chat.place = found.place
        there = self.chats.setdefault(chat.session_id, chat)
        if there is not chat:
            there.messages |= chat.messages
            there.leaf = there.leaf or chat.leaf
            there.title, there.updated = there.title or chat.title, there.updated or chat.updated
            there.started = min((one.started for one in (there, chat) if one.started), default=None)
        if found.notes:
            self.add_notes(there.place, found.notes)
        self.rows += size

    def add_notes(self, place: str, notes: Notes) -> None:
        """Notes of pieces of one conversation are counted together."""
        if not self.notes or self.notes[-1][0] != place:
            self.notes.append((place, notes))
            return
        there = self.notes[-1][1]
        for key, one in notes.items():
            if key in there:
                there[key].count += one.count
                there[key].places += one.places[: max(0, 4 - len(there[key].places))]
            else:
                there[key] = one


def import_file(job: FileImport) -> Report:
    """Import the conversations of a file; a dry run writes nothing and reports the same. Raises ImportBusy, NoRoom.

    What is wrong is in the report, and the rest is brought, unless it is to be all or nothing. Where it takes too long,
    what is in by then stays and the report says so; TooCostly is raised if nothing is.
    """
    try:
        return _import_file(job)
    except TooCostly as error:
        if not job.report.revisions:
            raise TooCostly(f"{error}, or import the file on the machine: ./nola importchats") from None
        job.report.add(Category.FAILED, Unit.FILES, job.label, CUT_SHORT)
        return job.report


def _import_file(job: FileImport) -> Report:
    report = job.report
    report.batch = report.batch or uuid.uuid4().hex
    if job.all_or_nothing and not job.dry_run:
        first = Report()
        for _ in _read(job, first, "checking"):
            pass
        if first.count(Category.FAILED):
            report.findings += first.select(Category.FAILED)
            report.add(Category.NOTED, Unit.FILES, job.label, "nothing was imported, since something is wrong")
            return report
    batch: _Batch | None = None
    sizes: Counter[str] = Counter()
    documents: dict[Reader, dict[str, StateDocument]] = {}
    for found in _read(job, report, "importing"):
        if isinstance(found.what, ImportedState):
            _collect(found, found.what, documents.setdefault(found.reader, {}), job)
            continue
        chat = found.what
        size = 1 + sum(map(drafts.count_rows, chat.messages.values()))
        is_full = batch and (found.reader is not batch.reader or batch.rows + size > drafts.MOST_ROWS)
        if batch and (is_full or batch.has_version(chat)):
            _import(batch, job)
            batch = None
        batch = batch or _Batch(found.reader)
        sizes[found.reader.name] += chat.session_id not in batch.chats
        batch.add(found, chat, size)
    if batch:
        _import(batch, job)
    for reader, some in documents.items():
        _import_state(reader, some, job)
    for name, count in sizes.items():
        report.add(Category.NOTED, Unit.CONVERSATIONS, job.label, f"{count:,} of {name}", count)
    return report


def _read(job: FileImport, report: Report, verb: str) -> Iterator[Found]:
    def show(part: float, number: int) -> None:
        job.watch(part, number)
        bar = ("#" * int(BAR * part)).ljust(BAR, "·")
        job.progress(f"{verb} [{bar}] {part:4.0%}, {number:,} read")

    return read_file(job.path, job.label, report, show, bounded=job.bounded)


def _import(batch: _Batch, job: FileImport) -> None:
    for chat in batch.chats.values():
        job.meet(chat)
        job.report.add(Category.READ, Unit.CONVERSATIONS, chat.where, chat.session_id)
        job.report.add(Category.READ, Unit.MESSAGES, chat.where, "", len(chat.messages))
    for place, notes in batch.notes:
        report_notes(notes, place, job.report)
    import_batch({name: [chat] for name, chat in batch.chats.items()}, batch.chats.keys(), job.make_run(batch.reader))


def _collect(found: Found, what: ImportedState, documents: dict[str, StateDocument], job: FileImport) -> None:
    """Keep a document for its key; of two that differ under one name both."""
    if found.notes:
        report_notes(found.notes, found.place, job.report)
    document = make_document(what.value)
    key, number = f"{job.state}.{what.name}", 1
    while key in documents and documents[key].document.text != document.text:
        number += 1
        key = f"{job.state}.{what.name}~{number}"
    documents[key] = StateDocument(key, document, found.file)


def _import_state(reader: Reader, documents: dict[str, StateDocument], job: FileImport) -> None:
    """What is no talk into the state, or the names of it into the report."""
    for one in documents.values():
        job.report.add(Category.READ, Unit.KEYS, one.file.name)
    if job.state:
        names = ", ".join(sorted(documents)[:SHOWN_KEYS]) + (", ..." if len(documents) > SHOWN_KEYS else "")
        text = f"what is no talk goes into the state: {names}"
        job.report.add(Category.NOTED, Unit.KEYS, job.label, text, len(documents))
        import_documents(documents, job.make_run(reader))
        return
    for one in documents.values():
        name = one.key.removeprefix(".")
        text = f"{name}, which is no talk but state; --state NAME brings it, into the key NAME.{name}"
        job.report.add(Category.SKIPPED, Unit.KEYS, one.file.name, text)
