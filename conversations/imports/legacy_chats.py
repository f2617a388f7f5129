"""A predecessor's folder into Nola: its state and its conversations, each chat joined with what is there already."""

import dataclasses
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from conversations import drafts, log
from conversations.drafts import ConversationWrite, NewConversation, NewMessage, WritePart
from conversations.imports.legacy_chat_files import IMPORTED, Chat
from conversations.imports.legacy_folder import read_folder
from conversations.imports.legacy_state import ImportRun, import_documents
from conversations.imports.legacy_state_files import collect_documents
from conversations.imports.match import (
    BESIDE,
    JoinedChat,
    StoredChat,
    compare_traits,
    find_moved,
    load_stored,
    read_traits,
    traits_to_fields,
)
from conversations.imports.newer import compare_versions, find_links, is_newer, note_updated, pick_fields, pick_leaf
from conversations.models import Message
from state import store
from state.errors import Unavailable
from state.report import Category, Report, Unit
from state.write_lock import write_transaction

ATTEMPTS = 10
EDITED = (Category.CONFLICTING, "edited in Nola, kept as they are there; --replace adds the file's beside them")
DELETED = (Category.CONFLICTING, "deleted in Nola, and stay so; --replace brings them back")
REWRITTEN = "differ from what was imported at that time; both are kept"


class ImportBusy(Unavailable):
    """Others write so much that the import found no moment of its own."""

    seconds = 5

    @property
    def detail(self) -> str:
        return f"{self}; what was imported stays, send it again for the rest"


def import_folder(
    path: Path,
    actor: str,
    *,
    replace: bool = False,
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda text: None,
    report: Report | None = None,
) -> Report:
    """Import all of a folder; a dry run writes nothing and reports the same. Raises NoFolder, ImportBusy, NoRoom."""
    report = Report() if report is None else report
    report.batch = uuid.uuid4().hex
    run = ImportRun(actor, path.resolve(), report, replace, dry_run, progress)
    documents, chats = read_folder(path, run)
    import_documents(collect_documents(documents, report), run)
    import_chats(chats, run)
    return report


def import_chats(chats: Sequence[Chat], run: ImportRun) -> None:
    """Write what is new of the chats, in batches that keep other writers waiting for a moment only."""
    groups: dict[str, list[Chat]] = {}
    for chat in chats:
        groups.setdefault(chat.session_id, []).append(chat)
    done = 0
    for batch in _batches(groups):
        import_batch(batch, groups.keys(), run)
        done += len(batch)
        run.progress(f"conversation {done} of {len(groups)}")


def _batches(groups: dict[str, list[Chat]]) -> Iterator[dict[str, list[Chat]]]:
    """Groups enough for one revision. Only one that is too large for it is written in several."""
    batch: dict[str, list[Chat]] = {}
    rows = 0
    for session_id, chats in groups.items():
        size = sum(1 + sum(map(drafts.count_rows, chat.messages.values())) for chat in chats)
        if batch and rows + size > drafts.MOST_ROWS:
            yield batch
            batch, rows = {}, 0
        batch[session_id] = chats
        rows += size
    if batch:
        yield batch


def import_batch(batch: dict[str, list[Chat]], taken: AbstractSet[str], run: ImportRun) -> None:
    """Plan without the lock, then write under it unless somebody changed one of the conversations meanwhile."""
    for chat in (chat for chats in batch.values() for chat in chats if run.user_id):
        chat.messages = {ref: dataclasses.replace(one, user_id=run.user_id) for ref, one in chat.messages.items()}
    for _ in range(ATTEMPTS):
        run.take_turn()
        seen = store.head()
        report = Report()
        there = load_stored(batch, taken, run.user_id)
        joined = [one for session_id, chats in batch.items() for one in there.join(session_id, chats, report)]
        writings = [plan_chat(one, there.strangers, run, report) for one in joined]
        files = {one.name: one.chat.file.name for one in joined}
        if run.dry_run or _write([one for one in writings if one], files, seen, run):
            run.report.findings += report.findings
            return
    raise ImportBusy("others keep writing to the same conversations")


def _write(writings: Sequence[ConversationWrite], files: Mapping[str, str], seen: int, run: ImportRun) -> bool:
    """Write a batch, each revision in a transaction of its own. False if the plan is not true any more."""
    if writings:
        run.keep_before()
    names = [one.conversation.session_id for one in writings]
    for number, parts in enumerate(drafts.split_into_portions(writings)):
        if number:
            run.take_turn()
        firsts = [part.of.conversation.session_id for part in parts if part.is_first]
        author = run.author({name: files[name] for name in firsts})
        with write_transaction():
            if not number and log.has_changed(names, seen):
                return False
            made = log.write_portion([_missing(part) for part in parts] if number else parts, author)
        run.report.revisions += bool(made)
    return True


def _missing(part: WritePart) -> WritePart:
    """A later part of a large conversation, without what another import has written since."""
    ids = [one.client_id for one in part.messages]
    rows = Message.objects.filter(conversation=part.of.row, client_id__in=ids)
    there = dict(rows.values_list("client_id", "pk"))
    part.of.refs.update((one.ref, there[one.client_id]) for one in part.messages if one.client_id in there)
    return dataclasses.replace(part, messages=[one for one in part.messages if one.client_id not in there])


def plan_chat(
    joined: JoinedChat, strangers: AbstractSet[int], run: ImportRun, report: Report
) -> ConversationWrite | None:
    """What to write of a chat, which is reported; None if nothing."""
    chat, name = joined.chat, joined.name
    if run.is_one_source:
        note_updated(chat)
    if joined.collides_with:
        text = f"another conversation {chat.session_id} than in {joined.collides_with}; kept apart as {name}"
        report.add(Category.CONFLICTING, Unit.CONVERSATIONS, chat.where, text, 0)
    if joined.here:
        return _plan_more(chat, joined.here, strangers, run, report)
    report.add(Category.ADDED, Unit.CONVERSATIONS, chat.where, name)
    if chat.messages:
        report.add(Category.ADDED, Unit.MESSAGES, chat.where, "", len(chat.messages))
    new = _new(chat, name, run.user_id or None)
    return ConversationWrite(new, messages=_in_order(chat.messages.values()), leaf=chat.leaf)


def _new(chat: Chat, name: str, user_id: str | None) -> NewConversation:
    return NewConversation(
        session_id=name,
        title=chat.title,
        channel=chat.channel,
        source=chat.file.name if chat.source is None else chat.source,
        started=chat.started,
        started_text=chat.started_text,
        archived=bool(chat.archived),
        metadata=chat.metadata,
        user_id=user_id,
    )


def _in_order(messages: Iterable[NewMessage]) -> list[NewMessage]:
    """By time and as they came, but none before the one it answers. Those of one time keep their order among each
    other, which is all that later tells it.
    """
    found = sorted(messages, key=lambda one: one.timestamp)
    by_ref = {one.ref: one for one in found if one.ref}
    twin = {id(one): before for before, one in pairwise(found) if before.timestamp == one.timestamp}
    placed: dict[int, NewMessage] = {}
    for first in found:
        stack, waiting = [first], {id(first)}
        while stack:
            one = stack[-1]
            parent, before = by_ref.get(one.parent), twin.get(id(one))
            due = [other for other in (parent, before) if other and id(other) not in placed]
            if new := next((other for other in due if id(other) not in waiting), None):
                waiting.add(id(new))
                stack.append(new)
                continue
            stack.pop()
            if parent is None or parent is one or parent not in due:
                placed[id(one)] = one  # else it comes after its parent, which is on the stack
    return [*placed.values(), *(one for one in found if id(one) not in placed)]


def _plan_more(
    chat: Chat, here: StoredChat, strangers: AbstractSet[int], run: ImportRun, report: Report
) -> ConversationWrite | None:
    """What an existing conversation gets: messages and fields that it lacks, and fields that nobody else has set."""
    name, file = here.row.session_id, chat.where
    is_deleted = here.row.deleted_revision is not None
    if is_deleted and not run.replace:
        text = f"{name} was deleted in Nola, and stays so; --replace brings it back"
        report.add(Category.CONFLICTING, Unit.CONVERSATIONS, file, text)
        return None
    age = compare_versions(chat, here) if run.is_one_source else None
    sorting = MessageSorter(here, chat, strangers, run.replace, age)
    sorting.take_all()
    for (category, reason), count in sorting.outcomes.items():
        report.add(category, Unit.MESSAGES, file, f"{count} in {name}: {reason}" if reason else "", count)
    fields, kept = pick_fields(chat, here.row, run, age)
    writing = ConversationWrite(here.row, fields, _in_order(sorting.new), sorting.restored, sorting.updates, is_deleted)
    writing.refs = {name: one.pk for name, one in here.messages.items()}
    if age is not None:
        writing.leaf = pick_leaf(chat, here, run, age)
    elif sorting.new:
        writing.leaf = chat.leaf
    if moved := len(sorting.moved - sorting.linked):
        text = f"{moved} in {name} answer another message than in Nola, where the links stay as they are"
        report.add(Category.CONFLICTING, Unit.MESSAGES, file, text, 0)
    for number, text in enumerate(kept):
        report.add(Category.CONFLICTING, Unit.CONVERSATIONS, file, text, int(not number))
    if not writing.is_idle:
        text = f"{name}: {', '.join(fields)}" if fields else name
        report.add(Category.UPDATED, Unit.CONVERSATIONS, file, text, int(not kept))
    elif not kept:
        report.add(Category.DUPLICATE, Unit.CONVERSATIONS, file, f"{name} is in Nola already")
    return None if writing.is_idle else writing


@dataclass
class MessageSorter:
    """The messages of a chat that is in Nola, by what becomes of them. Somebody's own work stays, unless `replace`."""

    here: StoredChat
    chat: Chat
    strangers: AbstractSet[int]
    replace: bool
    age: int | None = (
        None  # of files that are versions of one: above 0 if this is newer than what is here, below if older
    )
    new: list[NewMessage] = field(default_factory=list)
    restored: list[Message] = field(default_factory=list)
    updates: list[tuple[Message, dict[str, Any]]] = field(default_factory=list)
    linked: set[str] = field(default_factory=set)
    outcomes: Counter[tuple[Category, str]] = field(default_factory=Counter)

    @cached_property
    def taken(self) -> set[str | None]:
        return {one.client_id for one in self.here.messages.values()}

    @cached_property
    def moved(self) -> set[str]:
        return find_moved(self.chat, self.here)

    @cached_property
    def links(self) -> dict[str, str]:
        return {} if self.age is None else find_links(self.chat, self.here, self.moved, self.age)

    def take_all(self) -> None:
        unmatched = self._unmatched()
        for name, new in self.chat.messages.items():
            old = self.here.find(name)
            if old is None:
                is_rewritten = (new.speaker, new.timestamp_text) in unmatched
                self._add(new, (Category.CONFLICTING, REWRITTEN) if is_rewritten else (Category.ADDED, ""))
            elif old.deleted_revision is not None:
                self._deleted(old)
            elif old.message != new.message and (self.replace or not self._is_ours(old)):
                self._edited(name, new)
            else:
                self._compare(name, old, new)

    def _unmatched(self) -> set[tuple[str, str]]:
        """Who said something when in Nola that the file does not have."""
        messages = self.here.messages.items()
        left = [one for name, one in messages if name.removesuffix(BESIDE) not in self.chat.messages]
        return {(one.speaker, one.timestamp_text) for one in left if one.timestamp_text and not one.deleted_revision}

    def _add(self, new: NewMessage, outcome: tuple[Category, str]) -> None:
        if new.client_id and not new.client_id.startswith(IMPORTED) and new.client_id in self.taken:
            new = dataclasses.replace(new, client_id=None)  # it stands for another message here
        self.new.append(new)
        self.outcomes[outcome] += 1

    def _deleted(self, old: Message) -> None:
        if self.replace:
            self.restored.append(old)
        self.outcomes[(Category.UPDATED, "were deleted, and are back") if self.replace else DELETED] += 1

    def _edited(self, name: str, new: NewMessage) -> None:
        if self.replace:
            self._add(dataclasses.replace(new, client_id=name + BESIDE), (Category.ADDED, ""))
        else:
            self.outcomes[EDITED] += 1

    def _is_ours(self, old: Message) -> bool:
        """Whether a newer version of the file may complete a message: nobody but imports has touched it."""
        return self.age is not None and old.revision not in self.strangers

    def _compare(self, name: str, old: Message, new: NewMessage) -> None:
        """What the file says of a message besides its words fills what is empty in Nola; a newer one completes it."""
        gaps, differing = compare_traits(read_traits(old), read_traits(new))
        if self.replace:
            gaps, differing = gaps | differing | self._time(old, new), {}
        elif old.revision in self.strangers:
            gaps, differing = {}, gaps | differing
        elif self.age is not None:
            mine = read_traits(old)
            gaps |= {one: value for one, value in differing.items() if is_newer(mine[one], value, self.age)}
            gaps, differing = gaps | self._text(name, old, new), {}
        if gaps:
            self.updates.append((old, traits_to_fields(gaps, old.metadata)))
        if differing:
            text = f"{', '.join(differing)} differ, and are kept as in Nola; --replace overrides"
            self.outcomes[(Category.CONFLICTING, text)] += 1
        else:
            text = f"{', '.join(gaps)} from the file" if gaps else "in Nola already"
            self.outcomes[(Category.UPDATED if gaps else Category.DUPLICATE, text)] += 1

    def _text(self, name: str, old: Message, new: NewMessage) -> dict[str, Any]:
        """The text, if it has grown, and which message it answers."""
        found = {"message": new.message} if is_newer(old.message, new.message, 0) else {}
        if name in self.links:
            self.linked.add(name)
            found["parent"] = self.links[name]
        return found

    def _time(self, old: Message, new: NewMessage) -> dict[str, Any]:
        """The time, if the same text of it now says another: by another NOLA_TIME_ZONE."""
        differs = new.timestamp_text == old.timestamp_text != "" and new.timestamp != old.timestamp
        return {"timestamp": new.timestamp} if differs else {}
