"""Which chats are one conversation, across files and with what is in Nola: the same session id is not enough for that.

Session ids have a resolution of one second and can collide. Two chats with one id are the same conversation if they
share a message or their start, or if one has no start; else the second is kept apart, as `<id>~2`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from conversations import log
from conversations.legacy import Chat, Identity
from conversations.log import NewConversation, NewMessage, Writing
from conversations.models import Conversation, Message
from state import imports
from state.models import Revision
from state.report import Category, Report, Unit

_Moment = tuple[str, str]  # who spoke and when, as text


@dataclass(slots=True)
class Here:
    """A conversation that is in Nola, with its messages, deleted ones too."""

    row: Conversation
    messages: dict[Identity, Message] = field(default_factory=dict)

    def at(self, moment: _Moment) -> list[tuple[Identity, Message]]:
        return [(identity, one) for identity, one in self.messages.items() if identity[:2] == moment]


@dataclass(slots=True)
class SortedOut:
    """The messages of a chat, by what becomes of them."""

    new: list[NewMessage] = field(default_factory=list)
    here: list[NewMessage] = field(default_factory=list)
    restored: list[Message] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Joined:
    """A chat and the conversation it belongs to: one that is in Nola, or a new one of that name."""

    chat: Chat
    name: str
    here: Here | None = None
    collides_with: str = ""
    removed_by: str = ""
    foreign: Mapping[int, Revision] = field(default_factory=dict)

    def new(self) -> NewConversation:
        chat = self.chat
        return NewConversation(
            session_id=self.name,
            title=chat.title,
            channel=chat.channel,
            source=chat.file.name,
            started=chat.started,
            started_text=chat.started_text,
            archived=bool(chat.archived),
            metadata=chat.metadata,
        )

    @staticmethod
    def in_order(messages: Iterable[NewMessage]) -> list[NewMessage]:
        return sorted(messages, key=lambda one: one.timestamp)

    def more(self, fields: Mapping[str, Any], sorted_out: SortedOut) -> Writing:
        assert self.here
        return Writing(self.here.row, fields, self.in_order(sorted_out.new), sorted_out.restored)

    def sort_messages(self, *, replace: bool) -> SortedOut:
        """What to do with each message. What a person has deleted or edited in Nola stays so, unless `replace`."""
        assert self.here
        result = SortedOut()
        for identity, new in self.chat.messages.items():
            old = self.here.messages.get(identity)
            if old is None and (replace or not self._edited(identity)):
                result.new.append(new)
            elif old is None:
                result.conflicts.append("edited in Nola, kept as they are there; --replace adds the file's beside them")
            elif old.deleted_revision is None:
                result.here.append(new)
            elif replace:
                result.restored.append(old)
            else:
                result.conflicts.append("deleted in Nola, and stay so; --replace brings them back")
        return result

    def _edited(self, identity: Identity) -> bool:
        """Whether this very utterance is in Nola with a text that somebody has changed."""
        if not identity[1] or not self.here:
            return False
        at_the_time = self.here.at((identity[0], identity[1]))
        return any(one.revision in self.foreign and other not in self.chat.messages for other, one in at_the_time)

    def fields(self, *, replace: bool) -> tuple[dict[str, Any], str]:
        """The fields to set, and what is kept instead because somebody has changed the conversation in Nola."""
        assert self.here
        row = self.here.row
        given = {name: value for name, value in self._given(row) if not log.same(getattr(row, name), value)}
        by = self.foreign.get(row.revision)
        if not given or replace or by is None:
            return given, ""
        names = ", ".join(given)
        return {}, f"{names} of {self.name}: kept as {by.actor} has it (revision {by.seq}); --replace overrides"

    def _given(self, row: Conversation) -> Iterator[tuple[str, Any]]:
        """The fields that the file has a say in."""
        chat = self.chat
        if chat.title:
            yield "title", chat.title
        if chat.channel:
            yield "channel", chat.channel
        if chat.started_text:
            yield "started_text", chat.started_text
        if chat.started_text and chat.started_text != row.started_text:
            yield "started", chat.started
        if chat.archived is not None:
            yield "archived", chat.archived
        yield "metadata", {**row.metadata, **chat.metadata}


class Known:
    """What Nola has of a batch of chats, and the names that are taken."""

    def __init__(self, taken: Collection[str]) -> None:
        self.taken = taken
        self.here: dict[str, Here] = {}
        self.tried: dict[str, list[str]] = {}  # the names looked for, by session id
        self.foreign: dict[int, Revision] = {}
        self.removed: dict[str, str] = {}
        self.files: dict[str, str] = {}  # which file has got which name in this import

    def join(self, chat: Chat) -> Joined:
        """The conversation that a chat belongs to. Each is given to one chat of an import only."""
        candidates = [one for one in self._candidates(chat.session_id) if one.row.session_id not in self.files]
        here = _match(chat, candidates)
        name = here.row.session_id if here else self._free(chat.session_id)
        rival = "" if name == chat.session_id else self.files.get(chat.session_id, "Nola")
        self.files[name] = chat.file.name
        return Joined(chat, name, here, rival, self.removed.get(name, ""), self.foreign)

    def _candidates(self, session_id: str) -> Iterator[Here]:
        return (self.here[name] for name in self.tried[session_id] if name in self.here)

    def _free(self, session_id: str) -> str:
        used = self.files.keys() | self.here.keys()
        names = (name for name in _names(session_id) if name == session_id or name not in self.taken)
        return next(name for name in names if name not in used)


def unite(chats: Iterable[Chat], report: Report) -> dict[str, list[Chat]]:
    """The different conversations of each session id, each from one file or more."""
    groups: dict[str, list[Chat]] = {}
    for chat in chats:
        group = groups.setdefault(chat.session_id, [])
        into = _best(chat, [(one.started_text, one.messages.keys(), True) for one in group])
        if into is None:
            group.append(chat)
        else:
            _absorb(group[into], chat, report)
    return groups


def known(batch: Mapping[str, Sequence[Chat]], *, taken: Collection[str], lock: bool) -> Known:
    """Load what Nola has of these chats, in a number of queries that does not grow with them."""
    found = Known(taken)
    _load_conversations(found, {session_id: len(chats) for session_id, chats in batch.items()}, lock=lock)
    by_id = {one.row.pk: one for one in found.here.values()}
    for message in Message.objects.filter(conversation__in=by_id).order_by("id").defer("metadata"):
        _note(by_id[message.conversation_id].messages, message)
    seqs = {one.row.revision for one in found.here.values()}
    seqs |= {message.revision for one in found.here.values() for message in one.messages.values()}
    found.foreign = imports.strangers(seqs)
    gone = imports.last_revisions("conversation", batch.keys() - found.here.keys())
    authors = Revision.objects.in_bulk(list(gone.values()))
    found.removed = {name: f"{authors[seq].actor} (revision {seq})" for name, seq in gone.items()}
    return found


def _load_conversations(found: Known, chats: Mapping[str, int], *, lock: bool) -> None:
    """The conversations of each session id and its numbered ones: a query, and one more for each collision."""
    names = {session_id: _names(session_id) for session_id in chats}
    open_ids = set(chats)
    while open_ids:
        asked = {session_id: next(names[session_id]) for session_id in open_ids}
        rows = Conversation.objects.filter(session_id__in=asked.values()).order_by("id")
        found.here |= {row.session_id: Here(row) for row in (rows.select_for_update() if lock else rows)}
        for session_id, name in asked.items():
            tried = found.tried.setdefault(session_id, [])
            tried.append(name)
            if name not in found.here and len(tried) >= chats[session_id]:
                open_ids.discard(session_id)


def _note(messages: dict[Identity, Message], message: Message) -> None:
    """Keep a message under its identity; only without a time may the same be said again."""
    base = (message.speaker, message.timestamp_text, message.message)
    number = 0
    while not message.timestamp_text and (*base, number) in messages:
        number += 1
    messages.setdefault((*base, number), message)


def _names(session_id: str) -> Iterator[str]:
    yield session_id
    yield from (f"{session_id}~{number}" for number in count(2))


def _match(chat: Chat, candidates: Sequence[Here]) -> Here | None:
    """The conversation in Nola that a chat belongs to. One made for a collision is met again only by what it shares."""
    traits = [(one.row.started_text, one.messages.keys(), one.row.session_id == chat.session_id) for one in candidates]
    best = _best(chat, traits)
    return None if best is None else candidates[best]


def _best(chat: Chat, others: Sequence[tuple[str, Collection[Identity], bool]]) -> int | None:
    """Which of the others a chat belongs to: with a shared message, else with its start, else one without a start."""
    timed = {identity for identity in chat.messages if identity[1]}
    for number, (_, identities, _) in enumerate(others):
        if not timed.isdisjoint(identities):
            return number
    for number, (started, _, _) in enumerate(others):
        if started and started == chat.started_text:
            return number
    for number, (started, _, is_open) in enumerate(others):
        if is_open and not (started and chat.started_text):
            return number
    return None


def _absorb(into: Chat, chat: Chat, report: Report) -> None:
    """Unite two chats that are one conversation; what differs is reported, and messages are all kept."""
    new = {identity: one for identity, one in chat.messages.items() if identity not in into.messages}
    doubled = len(chat.messages) - len(new)
    if doubled:
        text = f"{doubled} messages of {chat.session_id} are in {into.file.name} too"
        report.add(Category.DUPLICATE, Unit.MESSAGES, chat.file.name, text, doubled)
    moments = {identity[:2] for identity in into.messages}
    unlike = sum(1 for identity in new if identity[1] and identity[:2] in moments)
    if unlike:
        text = f"{unlike} messages of {chat.session_id} read otherwise in {into.file.name}; both are kept"
        report.add(Category.CONFLICTING, Unit.CONVERSATIONS, chat.file.name, text)
    if new:
        text = f"joined with the conversation {chat.session_id} of {into.file.name}"
        report.add(Category.NOTED, Unit.CONVERSATIONS, chat.file.name, text)
    else:
        text = f"{chat.session_id} is in {into.file.name} too"
        report.add(Category.DUPLICATE, Unit.CONVERSATIONS, chat.file.name, text)
    into.messages |= new
    _absorb_fields(into, chat, report)


def _absorb_fields(into: Chat, chat: Chat, report: Report) -> None:
    """Take over the fields that the first file does not have; one that differs is reported."""
    kept = [name for name, value in chat.metadata.items() if not log.same(into.metadata.get(name, value), value)]
    into.metadata = {**chat.metadata, **into.metadata}
    if not into.started_text:
        starts = [one.started for one in (chat, into) if one.started]
        into.started = chat.started if chat.started_text else min(starts, default=None)
    for name in ("title", "channel", "started_text", "archived"):
        mine, other = getattr(into, name), getattr(chat, name)
        if mine in ("", None):
            setattr(into, name, other)
        elif other not in ("", None) and mine != other:
            kept.append(name)
    if kept:
        text = f"{', '.join(kept)} of {chat.session_id}: kept as in {into.file.name}"
        report.add(Category.CONFLICTING, Unit.CONVERSATIONS, chat.file.name, text)
