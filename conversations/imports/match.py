"""Which chats are one conversation, across files and with what is in Nola: the same session id is not enough for that.

Session ids have a resolution of one second and can collide. Chats with one id are the same conversation if they share
a message, or else their start, or else if there is only one that those without a start can belong to. The others are
kept apart, as `<id>~2`. It does not depend on the order of the files.
"""

import copy
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from itertools import count
from operator import attrgetter
from typing import Any

from conversations import log
from conversations.drafts import NewMessage
from conversations.imports.legacy_chat_files import IMPORTED, Chat, identify_message
from conversations.imports.legacy_state import find_strangers
from conversations.models import ORDER, Conversation, Message
from conversations.read import link_messages
from conversations.users import is_of
from state.report import Category, Report, Unit

BESIDE = "+"  # ends the identity of a message that was added beside its edited self


@dataclass(slots=True)
class StoredChat:
    """A conversation that is in Nola, with its messages by identity, deleted ones too."""

    row: Conversation
    messages: dict[str, Message] = field(default_factory=dict)

    def find(self, name: str) -> Message | None:
        return self.messages.get(name + BESIDE) or self.messages.get(name)


@dataclass(slots=True)
class JoinedChat:
    """A chat, out of one file or more, and the conversation it belongs to: one that is in Nola, or a new one."""

    chat: Chat
    name: str
    here: StoredChat | None = None
    collides_with: str = ""


class StoredChats:
    """What Nola has of a batch of chats, and the names that are taken."""

    def __init__(self, taken: Collection[str]) -> None:
        self.taken = taken
        self.here: dict[str, StoredChat] = {}
        self.others: set[str] = set()  # names of conversations that whoever imports must not know of
        self.tried: dict[str, list[str]] = {}  # the names looked for, by session id
        self.strangers: set[int] = set()
        self.files: dict[str, str] = {}  # which file has got which name in this import

    def join(self, session_id: str, chats: Sequence[Chat], report: Report) -> Iterator[JoinedChat]:
        """The conversations that the chats with one session id are."""
        names = [name for name in self.tried[session_id] if name == session_id or name not in self.taken]
        heres = [self.here[name] for name in names if name in self.here]
        for here, group in group_chats(heres, chats):
            chat = unite_chats(group, report)
            name = here.row.session_id if here else self._free(session_id)
            rival = "" if name == session_id else self.files.get(session_id, "Nola")
            self.files[name] = chat.file.name
            yield JoinedChat(chat, name, here, rival)

    def _free(self, session_id: str) -> str:
        used = self.files.keys() | self.here.keys() | self.others
        names = (name for name in _names(session_id) if name == session_id or name not in self.taken)
        return next(name for name in names if name not in used)


def load_stored(batch: Mapping[str, Sequence[Chat]], taken: Collection[str], user_id: str = "") -> StoredChats:
    """Load what Nola has of these chats, in a number of queries that does not grow with them; of one user, if named."""
    found = StoredChats(taken)
    _load_conversations(found, {session_id: len(chats) for session_id, chats in batch.items()}, user_id)
    by_id = {one.row.pk: one for one in found.here.values()}
    repeats: Counter[tuple[int, str, str, str]] = Counter()
    for message in Message.objects.filter(conversation__in=by_id).order_by("id"):
        by_id[message.conversation_id].messages[_identity(message, repeats)] = message
    found.strangers = find_strangers({one.revision for here in by_id.values() for one in here.messages.values()})
    return found


def _identity(message: Message, repeats: Counter[tuple[int, str, str, str]]) -> str:
    """That of the import it came with, else what an import would give it."""
    if message.client_id and message.client_id.startswith(IMPORTED):
        return message.client_id
    time = message.timestamp_text or message.timestamp.astimezone(UTC).isoformat()
    base = (message.speaker, time, message.message)
    repeats[(message.conversation_id, *base)] += 1
    return identify_message(*base, repeats[(message.conversation_id, *base)] - 1)


def _load_conversations(found: StoredChats, chats: Mapping[str, int], user_id: str) -> None:
    """The conversations of each session id and its numbered ones: a query, and one more for each collision."""
    names = {session_id: _names(session_id) for session_id in chats}
    open_ids = set(chats)
    while open_ids:
        asked = {session_id: next(names[session_id]) for session_id in open_ids}
        rows = list(Conversation.objects.filter(session_id__in=asked.values()).order_by("id"))
        found.here |= {row.session_id: StoredChat(row) for row in rows if is_of(row, user_id)}
        found.others |= {row.session_id for row in rows if not is_of(row, user_id)}
        for session_id, name in asked.items():
            tried = found.tried.setdefault(session_id, [])
            tried.append(name)
            if name not in found.here.keys() | found.others and len(tried) >= chats[session_id]:
                open_ids.discard(session_id)


def _names(session_id: str) -> Iterator[str]:
    yield session_id
    yield from (f"{session_id}~{number}" for number in count(2))


def group_chats(heres: Sequence[StoredChat], chats: Sequence[Chat]) -> list[tuple[StoredChat | None, list[Chat]]]:
    """The chats by conversation, each with the one in Nola that it is, if any."""
    nodes = [_ChatNode(frozenset(here.messages), _timed(here.messages), here.row.started_text, here) for here in heres]
    nodes += [
        _ChatNode(frozenset(chat.messages), _timed(chat.messages), chat.started_text, chat=chat) for chat in chats
    ]
    groups = _ChatGroups(nodes)
    groups.join_nearest(len(heres))
    groups.join_alike(lambda node: node.timed)
    groups.join_alike(lambda node: {node.started} - {""})
    groups.join_untimed()
    groups.join_open()
    found = [(group.here, group.chats) for group in groups.all() if group.chats]
    return sorted(found, key=lambda one: min(map(chats.index, one[1])))


def _timed(messages: Mapping[str, Message | NewMessage]) -> frozenset[str]:
    return frozenset(name for name, message in messages.items() if message.timestamp_text)


@dataclass(slots=True)
class _ChatNode:
    """A conversation of Nola or a chat of a file, with what it may share with others."""

    names: frozenset[str]
    timed: frozenset[str]
    started: str
    here: StoredChat | None = None
    chat: Chat | None = None


@dataclass(slots=True)
class _ChatGroup:
    nodes: list[_ChatNode]

    @property
    def here(self) -> StoredChat | None:
        return next((node.here for node in self.nodes if node.here), None)

    @property
    def chats(self) -> list[Chat]:
        return [node.chat for node in self.nodes if node.chat]

    @property
    def names(self) -> set[str]:
        return {name for node in self.nodes for name in node.names}

    @property
    def is_open(self) -> bool:
        """Whether no file says when it started."""
        return not any(node.started for node in self.nodes)


class _ChatGroups:
    """Which nodes are one conversation. Two that are apart in Nola never become one."""

    def __init__(self, nodes: Sequence[_ChatNode]) -> None:
        self.nodes = nodes
        self.group = [_ChatGroup([node]) for node in nodes]

    def all(self) -> list[_ChatGroup]:
        return list({id(group): group for group in self.group}.values())

    def join_nearest(self, heres: int) -> None:
        """Each chat with the conversation of Nola with which it shares the most messages."""
        for number in range(heres, len(self.nodes)):
            shared = [len(here.timed & self.nodes[number].timed) for here in self.nodes[:heres]]
            if any(shared):
                self._join(self.group[shared.index(max(shared))], self.group[number])

    def join_alike(self, traits: Callable[[_ChatNode], Collection[str]]) -> None:
        first: dict[str, int] = {}
        for number, node in enumerate(self.nodes):
            for trait in traits(node):
                self._join(self.group[first.setdefault(trait, number)], self.group[number])

    def join_untimed(self) -> None:
        """One without any time is known by all that is said in it, before or after it has grown."""
        for one in self.all():
            if not one.is_open or any(node.timed for node in one.nodes) or not one.names:
                continue
            for other in self.all():
                both = one.names & other.names
                if other is not one and (both == one.names or (other.is_open and both and both == other.names)):
                    self._join(other, one)
                    break

    def join_open(self) -> None:
        """Those without a start are one, that which has one if there is only one such."""
        with_start = [group for group in self.all() if not group.is_open]
        without = [group for group in self.all() if group.is_open and group.names]
        empty = [group for group in self.all() if group.is_open and not group.names]
        for group in without:
            self._join(with_start[0] if len(with_start) == 1 else without[0], group)
        for group in empty:
            self._join([*with_start, *without, *empty][0], group)

    def _join(self, one: _ChatGroup, other: _ChatGroup) -> None:
        if one is other or (one.here and other.here):
            return
        one.nodes += other.nodes
        self.group = [one if group is other else group for group in self.group]


def unite_chats(chats: Sequence[Chat], report: Report) -> Chat:
    """One chat out of several that are one conversation; what differs is reported, and messages are all kept."""
    into = copy.copy(chats[0])
    into.messages = dict(into.messages)
    for chat in chats[1:]:
        _absorb(into, chat, report)
    return into


def _absorb(into: Chat, chat: Chat, report: Report) -> None:
    new = {name: one for name, one in chat.messages.items() if name not in into.messages}
    _compare(into, chat, report)
    moments = {(one.speaker, one.timestamp_text) for one in into.messages.values() if one.timestamp_text}
    unlike = sum((one.speaker, one.timestamp_text) in moments for one in new.values())
    if unlike:
        text = f"{unlike} messages of {chat.session_id} read otherwise in {into.file.name}; both are kept"
        report.add(Category.CONFLICTING, Unit.MESSAGES, chat.file.name, text, 0)
    text = f"{chat.session_id} is in {into.file.name} too"
    report.add(Category.DUPLICATE, Unit.CONVERSATIONS, chat.file.name, "" if new else text)
    if new:
        text = f"joined with the conversation {chat.session_id} of {into.file.name}"
        report.add(Category.NOTED, Unit.CONVERSATIONS, chat.file.name, text)
    into.messages |= new
    _absorb_fields(into, chat, report)


def _compare(into: Chat, chat: Chat, report: Report) -> None:
    """Messages that both have: fields are filled, and where they differ the first file has it."""
    doubled, unlike = 0, Counter[str]()
    for name, other in chat.messages.items():
        mine = into.messages.get(name)
        if mine is None:
            continue
        gaps, differing = compare_traits(read_traits(mine), read_traits(other))
        if gaps:
            into.messages[name] = replace(mine, **traits_to_fields(gaps, mine.metadata))
        if differing:
            unlike[", ".join(differing)] += 1
        else:
            doubled += 1
    if doubled:
        text = f"{doubled} messages of {chat.session_id} are in {into.file.name} too"
        report.add(Category.DUPLICATE, Unit.MESSAGES, chat.file.name, text, doubled)
    for names, number in unlike.items():
        text = f"{names} of {number} messages of {chat.session_id}: kept as in {into.file.name}"
        report.add(Category.CONFLICTING, Unit.MESSAGES, chat.file.name, text, number)


def _absorb_fields(into: Chat, chat: Chat, report: Report) -> None:
    """Take over the fields that the first file does not have; one that differs is reported."""
    gaps, differing = compare_traits(read_traits(into), read_traits(chat))
    for name, value in traits_to_fields(gaps, into.metadata).items():
        setattr(into, name, value)
    if "started_text" in gaps:
        into.started = chat.started
    elif not into.started_text:
        into.started = min((one.started for one in (chat, into) if one.started), default=None)
    if differing:
        text = f"{', '.join(differing)} of {chat.session_id}: kept as in {into.file.name}"
        report.add(Category.CONFLICTING, Unit.CONVERSATIONS, chat.file.name, text, 0)


def read_traits(one: Chat | Conversation | Message | NewMessage) -> dict[str, Any]:
    """What a file can say of a conversation or message besides the text; each member of the metadata for itself."""
    if isinstance(one, Chat | Conversation):
        found = {name: getattr(one, name) for name in ("title", "channel", "started_text", "archived")}
    else:
        status = "" if one.status == "ok" else one.status
        found = {"context_level": one.context_level, "stimuli_type": one.stimuli_type, "status": status}
    return found | {f"metadata.{name}": value for name, value in one.metadata.items()}


def traits_to_fields(found: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The fields to set, from traits."""
    members = {name.removeprefix("metadata."): one for name, one in found.items() if name.startswith("metadata.")}
    fields = {name: one for name, one in found.items() if not name.startswith("metadata.")}
    return fields | ({"metadata": {**metadata, **members}} if members else {})


def compare_traits(mine: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the other's traits those that mine lacks, and those that differ. An empty one of the other says nothing."""
    gaps: dict[str, Any] = {}
    differing: dict[str, Any] = {}
    for name, value in other.items():
        if name in mine and (value in (None, "") or log.is_same(mine[name], value)):
            continue
        (gaps if mine.get(name) in (None, "") else differing)[name] = value
    return gaps, differing


def _read_links(here: StoredChat) -> dict[int, int | None]:
    kept = [one for one in here.messages.values() if not one.deleted_revision]
    return link_messages((one.pk, one.parent_id) for one in sorted(kept, key=attrgetter(*ORDER)))


def find_moved(chat: Chat, here: StoredChat) -> set[str]:
    """The messages that are in Nola and answer another one there than the file says, if it says any."""
    before = _read_links(here)
    moved = set()
    for name, new in chat.messages.items():
        old = here.find(name) if new.parent else None
        if old and old.pk in before:
            parent = here.find(new.parent)
            is_first = new.parent == name
            if before[old.pk] is not None if is_first else parent is None or before[old.pk] != parent.pk:
                moved.add(name)
    return moved
