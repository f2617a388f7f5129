"""An export of chats into Nola: read piece by piece, in revisions small enough that others write in between."""

import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from conversations import drafts
from conversations.imports.archives import ArchiveMember, UnreadableArchive, open_members
from conversations.imports.formats import read_chat
from conversations.imports.json_stream import read_items
from conversations.imports.legacy_chat_files import Chat, NotAChat
from conversations.imports.legacy_chats import import_batch
from conversations.imports.legacy_state import ImportRun
from conversations.imports.messages import ChatReading
from state import store
from state.checkpoints.files import create_automatic
from state.files.sources import SourceFile
from state.jsondoc.budget import TooCostly
from state.report import Category, Report, Unit, make_printable

SERVICES = ("ChatGPT", "Claude", "Nola")
BAR = 24  # characters
CUT_SHORT = (
    "the import took too long for one request and was ended; what is counted as added is in Nola. Send the file again"
    " to go on, in smaller parts if that does not help, or import it on the machine: manage.py importchats"
)


@dataclass(slots=True)
class FileImport:
    """One import of a file: who runs it and how. With `all_or_nothing`, nothing is written if anything is wrong."""

    actor: str
    path: Path
    replace: bool = False
    dry_run: bool = False
    all_or_nothing: bool = False
    progress: Callable[[str], None] = lambda text: None
    report: Report = field(default_factory=Report)
    name: str = ""  # of the file, if it is not that of the path
    bounded: bool = False  # as a request is: no conversation or message may hold more values than a document

    @property
    def label(self) -> str:
        return self.name or make_printable(self.path.name)

    def make_run(self, source: str) -> ImportRun:
        """The import as one of the conversations of a source: exports of a service are versions of one another."""
        is_service = source in SERVICES
        folder = Path(source) if is_service else self.path.resolve().parent
        return ImportRun(self.actor, folder, self.report, self.replace, self.dry_run, self.progress, is_service)


def import_file(job: FileImport) -> Report:
    """Import the conversations of a file; a dry run writes nothing and reports the same. Raises ImportBusy, NoRoom.

    What is wrong is in the report, and the rest is brought, unless it is to be all or nothing. Where it takes too long,
    what is in by then stays and the report says so; TooCostly is raised if nothing is.
    """
    try:
        return _import_file(job)
    except TooCostly as error:
        if not job.report.revisions:
            raise TooCostly(f"{error}, or import the file on the machine: manage.py importchats") from None
        job.report.add(Category.FAILED, Unit.FILES, job.label, CUT_SHORT)
        return job.report


def _import_file(job: FileImport) -> Report:
    report = job.report
    report.batch = uuid.uuid4().hex
    if job.all_or_nothing and not job.dry_run:
        first = Report()
        for _ in _read_chats(job, first, "checking"):
            pass
        if first.count(Category.FAILED):
            report.findings += first.select(Category.FAILED)
            report.add(Category.NOTED, Unit.FILES, job.label, "nothing was imported, since something is wrong")
            return report
    if not job.dry_run and store.head():
        create_automatic("before import")
    batch: dict[str, Chat] = {}
    rows, last = 0, ""
    sizes: Counter[str] = Counter()
    for source, chat in _read_chats(job, report, "importing"):
        size = 1 + sum(map(drafts.count_rows, chat.messages.values()))
        if batch and (source != last or rows + size > drafts.MOST_ROWS):
            _import(batch, job.make_run(last))
            batch, rows = {}, 0
        if chat.session_id not in batch:
            report.add(Category.READ, Unit.CONVERSATIONS, chat.file.name)
            sizes[source] += 1
        report.add(Category.READ, Unit.MESSAGES, chat.file.name, "", len(chat.messages))
        _join_pieces(batch, chat)
        rows, last = rows + size, source
    _import(batch, job.make_run(last))
    for name, count in sizes.items():
        report.add(Category.NOTED, Unit.CONVERSATIONS, job.label, f"{count:,} of {name}", count)
    return report


def _import(batch: dict[str, Chat], run: ImportRun) -> None:
    if batch:
        import_batch({name: [chat] for name, chat in batch.items()}, batch.keys(), run)


def _join_pieces(batch: dict[str, Chat], chat: Chat) -> None:
    """Pieces of one conversation that come one after another are one."""
    there = batch.setdefault(chat.session_id, chat)
    if there is not chat:
        there.messages |= chat.messages
        there.leaf = there.leaf or chat.leaf
        there.started = min((one.started for one in (there, chat) if one.started), default=None)


def _read_chats(job: FileImport, report: Report, verb: str) -> Iterator[tuple[str, Chat]]:
    """The conversations of the file with the names of their sources. What is no conversation is reported."""
    try:
        with job.path.open("rb") as file:
            total = os.fstat(file.fileno()).st_size
            for member in open_members(file, total):
                report.add(Category.READ, Unit.FILES, _label(job, member))
                yield from _read_member(job, member, report, verb)
    except UnreadableArchive as error:
        report.add(Category.FAILED, Unit.FILES, job.label, str(error))
    except OSError as error:
        report.add(Category.FAILED, Unit.FILES, job.label, f"cannot be opened: {error.strerror or error}")


def _label(job: FileImport, member: ArchiveMember) -> str:
    return f"{job.label}/{make_printable(member.name)}" if member.name else job.label


def _read_member(job: FileImport, member: ArchiveMember, report: Report, verb: str) -> Iterator[tuple[str, Chat]]:
    counted = _Counted(member.stream)
    label = _label(job, member)
    file = SourceFile(job.path, label, (), 0)
    for item in read_items(counted, bounded=job.bounded):  # type: ignore[arg-type]
        job.progress(_bar(verb, counted.done, member.size, item.number))
        if item.problem:
            report.add(Category.FAILED, Unit.CONVERSATIONS, f"{label}:{item.number}", item.problem)
            continue
        if item.left_out:
            names = ", ".join(map(make_printable, item.left_out))
            report.add(Category.SKIPPED, Unit.FILES, label, f"members beside the conversations, not read: {names}", 0)
            continue
        if item.halves:
            text = "halves of surrogate pairs, which are no characters, are written as �"
            report.add(Category.NOTED, Unit.MESSAGES, f"{label}:{item.number}", text, item.halves)
        try:
            yield read_chat(item.value, ChatReading(file, item.number, report))
        except NotAChat as error:
            report.add(Category.FAILED, Unit.CONVERSATIONS, f"{label}:{item.number}", str(error))


class _Counted:
    """A stream that counts what was read of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.done = stream, 0

    def read(self, size: int = -1) -> bytes:
        found = self.stream.read(size)
        self.done += len(found)
        return found


def _bar(verb: str, done: int, total: int, number: int) -> str:
    part = min(1.0, done / total) if total else 1.0
    bar = ("#" * int(BAR * part)).ljust(BAR, "·")
    return f"{verb} [{bar}] {part:4.0%}, {number:,} read"
