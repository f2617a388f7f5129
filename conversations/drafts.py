"""What is to be written of conversations, before it is: new ones, new messages, and how much one revision takes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from conversations.models import Conversation, Message

SPEAKERS = ("user", "assistant", "system", "tool")
STATUSES = ("ok", "pending", "error")
MOST_ROWS = 1000  # in one revision
ROW_CHARACTERS = 4096  # a longer text counts as more than one row


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be written. `ref` names it in its conversation, `parent` is the ref of the one before it."""

    speaker: str
    message: str
    timestamp: datetime
    timestamp_text: str = ""
    user_id: str = "user"
    context_level: int | None = None
    stimuli_type: str = ""
    status: str = "ok"
    client_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    ref: str = ""
    parent: str = ""


STORED = tuple(name for name in NewMessage.__slots__ if name not in ("ref", "parent"))  # as they are


@dataclass(frozen=True, slots=True)
class NewConversation:
    """A conversation to be written."""

    session_id: str
    title: str = ""
    channel: str = ""
    source: str = ""
    started: datetime | None = None
    started_text: str = ""
    archived: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    user_id: str | None = None  # for whom it is begun; its messages say so too


@dataclass(slots=True)
class ConversationWrite:
    """What is to be written of one conversation: it itself if it is new, fields to set, messages to add.

    `refs` has the ids of messages that are there; `leaf` is the ref of the message that is to be the current leaf.
    Messages that are restored, or whose fields are set, are left alone if they changed since they were read. Among the
    fields may be a `message` that a newer export has completed, and `parent`, which is a ref.
    """

    conversation: Conversation | NewConversation
    fields: Mapping[str, Any] = field(default_factory=dict)
    messages: Sequence[NewMessage] = ()
    restored: Sequence[Message] = ()
    updates: Sequence[tuple[Message, Mapping[str, Any]]] = ()
    revive: bool = False  # it was deleted, and is to be back
    refs: dict[str, int] = field(default_factory=dict)
    leaf: str = ""

    @property
    def has_own(self) -> bool:
        """Whether the conversation itself changes, and not its messages alone."""
        is_new = isinstance(self.conversation, NewConversation)
        return bool(self.fields) or self.revive or is_new or self.new_leaf is not None

    @property
    def new_leaf(self) -> int | None:
        """The id of the current leaf to be; None if it is so already, or is not written yet."""
        pk = self.refs.get(self.leaf)
        return pk if isinstance(self.conversation, Conversation) and pk != self.conversation.current_leaf_id else None

    @property
    def is_idle(self) -> bool:
        return not (self.has_own or self.messages or self.restored or self.updates)

    @property
    def row(self) -> Conversation:
        assert isinstance(self.conversation, Conversation)  # _create has put it there
        return self.conversation


@dataclass(frozen=True, slots=True)
class WritePart:
    """As much of a writing as one revision takes. The first one also creates the row or sets the fields."""

    of: ConversationWrite
    is_first: bool = False
    messages: Sequence[NewMessage] = ()
    restored: Sequence[Message] = ()
    updates: Sequence[tuple[Message, Mapping[str, Any]]] = ()

    @property
    def rows(self) -> int:
        return self.is_first + sum(map(count_rows, self.messages)) + len(self.restored) + len(self.updates)


def count_rows(new: NewMessage) -> int:
    """How many rows a message counts for."""
    return 1 + len(new.message) // ROW_CHARACTERS


def split_into_portions(writings: Iterable[ConversationWrite]) -> Iterator[list[WritePart]]:
    """The parts of the writings, as many at a time as one revision takes."""
    portion: list[WritePart] = []
    room = MOST_ROWS
    for part in (part for writing in writings for part in _parts(writing)):
        if part.rows > room and portion:
            yield portion
            portion, room = [], MOST_ROWS
        portion.append(part)
        room -= part.rows
    if portion:
        yield portion


def _parts(writing: ConversationWrite) -> Iterator[WritePart]:
    step = MOST_ROWS - 1  # one row is the conversation's own
    is_first = writing.has_own
    slices = list(_slices(writing.messages))
    if is_first and not slices:
        yield WritePart(writing, is_first)
    for messages in slices:
        yield WritePart(writing, is_first, messages)
        is_first = False
    for start in range(0, len(writing.restored), step):
        yield WritePart(writing, restored=writing.restored[start : start + step])
    for start in range(0, len(writing.updates), step):
        yield WritePart(writing, updates=writing.updates[start : start + step])


def _slices(messages: Sequence[NewMessage]) -> Iterator[list[NewMessage]]:
    part: list[NewMessage] = []
    room = MOST_ROWS - 1
    for one in messages:
        if part and count_rows(one) > room:
            yield part
            part, room = [], MOST_ROWS - 1
        part.append(one)
        room -= count_rows(one)
    if part:
        yield part
