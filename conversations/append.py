"""Adding messages as they are said: the first one begins a conversation, and what is sent again adds nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter

from django.utils import timezone

from conversations import log, read
from conversations.drafts import ConversationWrite, NewConversation, NewMessage, WritePart
from conversations.models import ORDER, Conversation, Message
from conversations.order import find_place
from state import store
from state.database.sql import fetch_row
from state.errors import InTheWay, Unprocessable
from state.history.audit import REDACTED
from state.models import Change
from state.revisions import Author
from state.store import Written
from state.write_lock import write_together, write_transaction

MOST = 1000  # messages at once
LAST = (  # with IS NULL a PostgreSQL that has not looked at the table yet takes the rows for few, and sorts them all
    "SELECT id, place FROM conversation_history WHERE conversation_id = %s AND coalesce(deleted_revision, 0) < 1"
    f" ORDER BY {', '.join(f'{name} DESC' for name in ORDER)} LIMIT 1"
)
NOWHERE = -(2**62)  # a place before all others
SKEW = 5 * 60 * 1_000_000  # microseconds by which a clock may be behind that of the message before


class ClientIdTaken(InTheWay):
    """A client id stands for another message already."""


class UnknownParent(Unprocessable):
    """A message names a parent that is not in its conversation."""


@dataclass(frozen=True, slots=True)
class Appended:
    """The messages in the order in which they were sent, how many of them are new, and the revision."""

    messages: list[Message]
    added: int
    revision: int


def create_conversation(
    new: NewConversation, sent: Sequence[NewMessage], author: Author, user_id: str = ""
) -> Conversation:
    """A new conversation with its first messages, as one revision. Raises log.SessionIdTaken, and as below."""
    with write_transaction():
        log.check_free(new.session_id, user_id)
        append_messages(new.session_id, sent, author, fields=new)
        return Conversation.objects.get(session_id=new.session_id)


def find_created(revision: int) -> str:
    """The session id of the conversation that a revision made. Raises log.UnknownTalk."""
    change = Change.objects.filter(revision=revision, kind="conversation").first()
    if change is None:
        raise log.UnknownTalk(f"revision {revision} made no conversation")
    return change.key


def append_messages(
    session_id: str, sent: Sequence[NewMessage], author: Author, *, fields: NewConversation, user_id: str = ""
) -> Appended:
    """Add messages in one revision, to a conversation that is made with these fields if there is none.

    A message whose client id is there already is left as it is. `parent` of a message is a ref: the client id of
    another one, or `#` and an id. Raises log.DeletedTalk, ClientIdTaken and UnknownParent, and log.SessionIdTaken if
    the conversation is of another user than the one that is named; then nothing was added.
    """
    return write_together(partial(_append, session_id, sent, author, fields, user_id))


def _append(
    session_id: str, sent: Sequence[NewMessage], author: Author, fields: NewConversation, user_id: str
) -> Appended:
    writing = _writing(session_id, sent, fields, user_id)
    changes: list[Change] = []
    made: list[Message] = []
    if not writing.is_idle:
        changes = log.write_portion([WritePart(writing, writing.has_own, writing.messages)], author, made)
    written = Written(changes[0].revision_id if changes else store.head(), changes)
    if author.claim:
        author.claim.keep(written)
    return Appended(_in_order(writing.row, sent, made), len(made), written.revision)


def repeat_append(
    session_id: str, sent: Sequence[NewMessage], revision: int, changed: bool, user_id: str = ""
) -> Appended:
    """What `append_messages` answered when it was done in that revision; messages are as they are now."""
    row = Conversation.objects.filter(session_id=session_id).first()
    log.check_known(row, user_id)
    changes = Change.objects.filter(revision=revision, kind="message", key=session_id) if changed else ()
    ids = [pk for change in changes if change.forward != REDACTED for pk in change.forward.get("add", ())]
    found = Message.objects.in_bulk(ids)
    rows = [found[pk] for pk in ids if pk in found]
    return Appended(_in_order(row, sent, rows) if row else [], len(ids), revision)


def _writing(session_id: str, sent: Sequence[NewMessage], fields: NewConversation, user_id: str) -> ConversationWrite:
    row = log.find_row(session_id)
    log.check_known(row, user_id)
    conversation = fields if row is None else log.check_there(row, session_id)
    known = _known(conversation, sent) if isinstance(conversation, Conversation) else {}
    messages: list[NewMessage] = []
    first: dict[str, NewMessage] = {}
    for number, one in enumerate(sent):
        if one.client_id is not None:
            same = known.get(one.client_id) or first.setdefault(one.client_id, one)
            if same is not one:
                _check_same(same, one)
                continue
        messages.append(replace(one, ref=one.client_id or f"+{number}"))
    writing = ConversationWrite(conversation, messages=messages, refs={name: row.pk for name, row in known.items()})
    if isinstance(conversation, Conversation):
        writing.refs |= _parents(conversation, messages)
    leaf = read.find_current_leaf(conversation) if isinstance(conversation, Conversation) else None
    if leaf is None:
        _follow_last(writing)
    else:
        _follow_leaf(writing, leaf)
    if not isinstance(conversation, Conversation) and not conversation.started:
        writing.conversation = replace(
            conversation, started=min((one.timestamp for one in sent), default=timezone.now())
        )
    _check_parents(writing)
    return writing


def _known(row: Conversation, sent: Sequence[NewMessage]) -> dict[str, Message]:
    names = [one.client_id for one in sent if one.client_id is not None]
    if not names:
        return {}
    return {one.client_id or "": one for one in row.messages.filter(client_id__in=names)}


def _check_same(there: Message | NewMessage, sent: NewMessage) -> None:
    if (there.speaker, there.message) != (sent.speaker, sent.message):
        raise ClientIdTaken(f"the client id {sent.client_id!r} stands for another message; take a new one")
    if isinstance(there, Message) and (seq := there.deleted_revision) is not None:
        raise ClientIdTaken(
            f"the message with the client id {sent.client_id!r} was deleted in revision {seq}; undo that"
        )


def _parents(row: Conversation, messages: Sequence[NewMessage]) -> dict[str, int]:
    """The ids of those parents that are in the conversation."""
    names = {one.parent for one in messages if one.parent.startswith("#")}
    if not names:
        return {}
    ids = [int(name[1:]) for name in names]
    return {f"#{pk}": pk for pk in row.messages.filter(pk__in=ids, deleted_revision=None).values_list("pk", flat=True)}


def _follow_leaf(writing: ConversationWrite, leaf: int) -> None:
    """In a conversation with branches, what is added goes on with the current one."""
    if not writing.messages:
        return
    writing.refs[last := f"#{leaf}"] = leaf
    linked = []
    for one in writing.messages:
        linked.append(one if one.parent else replace(one, parent=last))
        last = one.ref
    writing.messages, writing.leaf = linked, last


def _follow_last(writing: ConversationWrite) -> None:
    """What a clock says that is a little behind answers the last message, or the one that was sent just before it.

    One that is older by more than SKEW was said then, and is added late.
    """
    last = previous = _find_last(writing)
    places = _find_places(writing) | {last[0]: last[1]}
    linked = []
    for one in writing.messages:
        own = find_place(one.timestamp)
        late = [ref for ref, place in (last, previous) if own < place <= own + SKEW]
        one = replace(one, parent=one.parent or (late[0] if late else ""))
        linked.append(one)
        previous = one.ref, find_place(one.timestamp, places.get(one.parent))
        last = max(last, previous, key=itemgetter(1))
        places[one.ref] = previous[1]
    writing.messages = linked


def _find_last(writing: ConversationWrite) -> tuple[str, int]:
    """The last message of a conversation, among the refs, and its place."""
    is_there = writing.messages and isinstance(writing.conversation, Conversation)
    found = fetch_row(LAST, writing.row.pk) if is_there else None
    if found is None:
        return "", NOWHERE
    pk, place = found
    writing.refs[f"#{pk}"] = pk
    return f"#{pk}", place


def _find_places(writing: ConversationWrite) -> dict[str, int]:
    """The places of those messages that are there and may be answered."""
    if not any(one.parent for one in writing.messages):
        return {}
    rows = Message.objects.filter(pk__in=set(writing.refs.values()), deleted_revision=None)
    places = dict(rows.values_list("pk", "place"))
    return {ref: places[pk] for ref, pk in writing.refs.items() if pk in places}


def _check_parents(writing: ConversationWrite) -> None:
    known = set(writing.refs)
    for one in writing.messages:
        if one.parent and one.parent not in known:
            name = one.parent.removeprefix("#")
            raise UnknownParent(f"the parent {name!r} is no message of this conversation that comes before")
        known.add(one.ref)


def _in_order(row: Conversation, sent: Sequence[NewMessage], added: Sequence[Message]) -> list[Message]:
    """The rows of what was sent: those with a client id by it, the others in the order in which they were added."""
    named = _known(row, sent)
    rest = iter([one for one in added if one.client_id is None])
    found = [named.get(one.client_id) if one.client_id is not None else next(rest, None) for one in sent]
    return [one for one in found if one is not None]
