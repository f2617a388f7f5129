"""A predecessor's folder into Nola: its state and its conversations, each chat joined with what is there already."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from django.db import transaction

from conversations import legacy, log
from conversations.joining import Joined, Known, known, unite
from conversations.legacy import Chat, NotAChat
from conversations.log import Writing
from state import folder, imports
from state import legacy as state_legacy
from state.folder import File, Unreadable
from state.jsontext import Document
from state.report import Category, Report, Unit
from state.revisions import Author, Source

Progress = Callable[[str], None]


def bring_folder(
    path: Path, actor: str, *, replace: bool = False, dry_run: bool = False, progress: Progress = lambda text: None
) -> Report:
    """Import all of a folder; a dry run writes nothing and reports the same. Raises folder.NoFolder."""
    report = Report(uuid.uuid4().hex)
    documents, chats = read(path, report, progress)
    info = {"batch": report.batch, "folder": folder.printable(path.resolve().name)}
    author = Author(actor, Source.IMPORT, info=info)
    found = state_legacy.documents(documents, report)
    imports.bring(found, author, report, replace=replace, dry_run=dry_run)
    bring(chats, author, report, replace=replace, dry_run=dry_run, progress=progress)
    return report


def read(path: Path, report: Report, progress: Progress) -> tuple[dict[File, Document | None], list[Chat]]:
    """The state files with their documents, None for one that failed, and the chats. Raises folder.NoFolder."""
    documents: dict[File, Document | None] = {}
    chats: list[Chat] = []
    files = folder.files(path, report)
    for number, file in enumerate(files, 1):
        progress(f"reading file {number} of {len(files)}")
        if file.suffix == ".txt" and not legacy.is_talk(file):
            report.add(Category.SKIPPED, Unit.FILES, file.name, "a text file outside of Stimuli and Feeds")
            continue
        try:
            chats += _read(file, documents, report)
        except (Unreadable, NotAChat) as error:
            report.add(Category.FAILED, Unit.FILES, file.name, str(error))
        else:
            report.add(Category.READ, Unit.FILES, file.name)
    return documents, chats


def _read(file: File, documents: dict[File, Document | None], report: Report) -> list[Chat]:
    """The chats in a file; a state file goes to `documents`."""
    if file.suffix == ".txt":
        return legacy.from_lines(file, folder.read(file), report)
    if not legacy.is_chat_folder(file):
        documents[file] = None
    document = folder.load(file)
    if legacy.is_chat(file, document.value) and isinstance(document.value, dict):
        documents.pop(file, None)
        return [legacy.from_turns(file, document.value, report)]
    documents[file] = document
    report.add(Category.READ, Unit.KEYS, file.name)
    return []


def bring(
    chats: Sequence[Chat],
    author: Author,
    report: Report,
    *,
    replace: bool = False,
    dry_run: bool = False,
    progress: Progress = lambda text: None,
) -> None:
    """Write what is new of the chats. Each batch is compared under the lock it is written in."""
    groups = unite(chats, report)
    done = 0
    for batch in _batches(groups):
        with nullcontext() if dry_run else transaction.atomic():
            there = known(batch, taken=groups.keys(), lock=not dry_run)
            writings = [plan(one, there, report, replace=replace) for group in batch.values() for one in group]
            if not dry_run:
                log.write([writing for writing in writings if writing], author)
        done += len(batch)
        progress(f"conversation {done} of {len(groups)}")


def plan(chat: Chat, there: Known, report: Report, *, replace: bool) -> Writing | None:
    """What to write of a chat, which is reported; None if nothing."""
    joined = there.join(chat)
    if joined.collides_with:
        text = f"another conversation {chat.session_id} than in {joined.collides_with}; kept apart as {joined.name}"
        report.add(Category.CONFLICTING, Unit.CONVERSATIONS, chat.file.name, text)
    if joined.here:
        return _plan_more(chat, joined, report, replace=replace)
    if joined.removed_by and not replace:
        text = f"{joined.name} was removed in Nola by {joined.removed_by}; --replace brings it back"
        report.add(Category.CONFLICTING, Unit.CONVERSATIONS, chat.file.name, text)
        report.add(Category.CONFLICTING, Unit.MESSAGES, chat.file.name, "", len(chat.messages))
        return None
    report.add(Category.ADDED, Unit.CONVERSATIONS, chat.file.name, joined.name)
    _count(Category.ADDED, chat, report, len(chat.messages))
    return Writing(joined.new(), messages=joined.in_order(chat.messages.values()))


def _plan_more(chat: Chat, joined: Joined, report: Report, *, replace: bool) -> Writing | None:
    """What an existing conversation gets: messages it lacks, and fields that nobody has changed."""
    sorted_out = joined.sort_messages(replace=replace)
    fields, kept = joined.fields(replace=replace)
    _count(Category.DUPLICATE, chat, report, len(sorted_out.here), f"messages of {joined.name} are in Nola already")
    _count(Category.ADDED, chat, report, len(sorted_out.new))
    _count(Category.UPDATED, chat, report, len(sorted_out.restored), f"deleted messages of {joined.name} are back")
    for reason, count in Counter(sorted_out.conflicts).items():
        report.add(Category.CONFLICTING, Unit.MESSAGES, chat.file.name, f"{count} in {joined.name}: {reason}", count)
    if kept:
        report.add(Category.CONFLICTING, Unit.CONVERSATIONS, chat.file.name, kept)
    if not (fields or sorted_out.new or sorted_out.restored):
        if not kept:
            report.add(Category.DUPLICATE, Unit.CONVERSATIONS, chat.file.name, f"{joined.name} is in Nola already")
        return None
    report.add(Category.UPDATED, Unit.CONVERSATIONS, chat.file.name, joined.name)
    return joined.more(fields, sorted_out)


def _count(category: Category, chat: Chat, report: Report, count: int, text: str = "") -> None:
    if count:
        report.add(category, Unit.MESSAGES, chat.file.name, f"{count} {text}" if text else "", count)


def _batches(groups: dict[str, list[Chat]]) -> Iterator[dict[str, list[Chat]]]:
    """Groups enough for one transaction: about as many messages as a revision takes."""
    batch: dict[str, list[Chat]] = {}
    rows = 0
    for session_id, chats in groups.items():
        size = _size(chats)
        if batch and rows + size > log.MOST_ROWS:
            yield batch
            batch, rows = {}, 0
        batch[session_id] = chats
        rows += size
    if batch:
        yield batch


def _size(chats: Iterable[Chat]) -> int:
    return sum(1 + len(chat.messages) for chat in chats)
