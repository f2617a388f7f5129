"""Deleting, which can be undone, and purging, which cannot."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection

from conversations import checkpoint, log, read, traces
from conversations.models import Conversation, Message
from conversations.order import find_answers, settle_messages
from conversations.search import index
from conversations.users import is_of
from state import revisions, store
from state.checkpoints.files import create_before_deletion
from state.context import receipts
from state.errors import Unprocessable
from state.history.audit import BLANK, REDACTED
from state.models import Change
from state.revisions import Author, Recorder
from state.store import Written
from state.write_lock import write_transaction

AT_ONCE = 500
FEW = 10  # messages; before more go, a checkpoint of their conversations is taken


class UnconfirmedPurge(Unprocessable):
    """A purge that does not repeat the session id."""


class Purged(NamedTuple):
    """What is gone for good, the revision that says so, and what keeps it in a file of the database for now, or ""."""

    messages: int
    revision: int
    left: str


def delete_conversations(session_ids: Sequence[str], author: Author, user_id: str = "") -> Written:
    """Delete conversations with their messages in one revision, all or none. Undo brings them back.

    Raises log.UnknownTalk, log.DeletedTalk, NoRoom and CannotWrite.
    """
    rows = read.filter_conversations({"user_id": user_id} if user_id else {}).filter(session_id__in=session_ids)
    if rows.count() == len(session_ids):
        messages = Message.objects.filter(conversation__in=rows, deleted_revision=None)
        if messages.order_by()[: FEW + 1].count() > FEW:
            _keep(session_ids)
    with revisions.open_revision(author) as recorder:
        going = [log.lock_conversation(session_id, user_id) for session_id in session_ids]
        for row in going:
            fields = log.dump_fields(row, log.FIELDS)
            recorder.record("conversation", row.session_id, {"remove": True}, {"add": fields}, "")
        seq = recorder.seq
        Conversation.objects.filter(pk__in=[row.pk for row in going]).update(deleted_revision=seq, revision=seq)
        return _written(recorder, author)


def delete_messages(session_id: str, ids: Sequence[int], author: Author, user_id: str = "") -> Written:
    """Delete messages of a conversation in one revision, all or none. Undo brings them back.

    Raises log.UnknownTalk, log.DeletedTalk, NoRoom and CannotWrite.
    """
    if len(ids) > FEW:
        log.find_messages(read.find_conversation(session_id, user_id), ids)
        _keep([session_id])
    with revisions.open_revision(author) as recorder:
        row = log.lock_conversation(session_id, user_id)
        log.find_messages(row, ids)
        return _delete(row, ids, recorder, author)


def delete_all_messages(session_id: str, author: Author, user_id: str = "") -> Written:
    """Delete all messages of a conversation in one revision; it stays, and none are left in it. Undo brings them back.

    Raises log.UnknownTalk, log.DeletedTalk, NoRoom and CannotWrite.
    """
    there = read.find_conversation(session_id, user_id).messages.filter(deleted_revision=None).order_by()
    if there[: FEW + 1].count() > FEW:
        _keep([session_id])
    with write_transaction():
        row = log.lock_conversation(session_id, user_id)
        ids = list(row.messages.filter(deleted_revision=None).values_list("pk", flat=True))
        if ids:
            with revisions.open_revision(author) as recorder:
                return _delete(row, ids, recorder, author)
        return _keep_claim(Written(store.head()), author)


def _delete(row: Conversation, ids: Sequence[int], recorder: Recorder, author: Author) -> Written:
    seq = recorder.seq
    for start in range(0, len(ids), AT_ONCE):
        some = Message.objects.filter(pk__in=ids[start : start + AT_ONCE])
        some.update(deleted_revision=seq, revision=seq)
    settle_messages(find_answers(ids))
    recorder.record("message", row.session_id, {"remove": [*ids]}, {"add": [*ids]}, "")
    return _written(recorder, author)


def _keep(session_ids: Sequence[str]) -> None:
    """A checkpoint of the conversations from which more than a few messages are about to go."""
    create_before_deletion("conversations", session_ids)


def _written(recorder: Recorder, author: Author) -> Written:
    return _keep_claim(Written(recorder.seq, recorder.changes), author)


def _keep_claim(written: Written, author: Author) -> Written:
    if author.claim:
        author.claim.keep(written)
    return written


def purge_conversation(session_id: str, confirm: str, author: Author, user_id: str = "") -> Purged:
    """Erase a conversation, deleted or not: its messages, and what history and receipts hold of it but ids. For good.

    The history keeps that it was, who wrote it when, and this purge; copies outside of the database stay. Raises
    UnconfirmedPurge unless `confirm` is the session id, and log.UnknownTalk.
    """
    if confirm != session_id:
        raise UnconfirmedPurge(f'a purge is final; say so with {{"confirm": "{session_id}"}}')
    with traces.note_erasure(), revisions.open_revision(author) as recorder:
        row = Conversation.objects.select_for_update().filter(session_id=session_id).first()
        if row is None or not is_of(row, user_id):
            raise log.UnknownTalk(f"there is no conversation {session_id!r}")
        count = _erase(row)
        _redact(session_id, recorder.seq)
        receipts.erase(session_id, recorder.seq)
        recorder.record("conversation", session_id, {"purge": count}, {}, "")
        seq = _written(recorder, author).revision
    checkpoint.forget_conversation(session_id)
    return Purged(count, seq, traces.clear_soon())


def count_purged(revision: int) -> int:
    """How many messages a purge erased."""
    change = Change.objects.filter(revision=revision, kind="conversation").first()
    return change.forward.get("purge", 0) if change else 0


def _erase(row: Conversation) -> int:
    Conversation.objects.filter(pk=row.pk).update(current_leaf=None)
    row.messages.update(parent=None)
    count = 0
    while rows := list(row.messages.values_list("pk", "message", "metadata")[:AT_ONCE]):
        index.remove(rows)
        with connection.cursor() as cursor:
            cursor.executemany("DELETE FROM conversation_history WHERE id = %s", [(pk,) for pk, *_ in rows])
        count += len(rows)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM conversation WHERE id = %s", [row.pk])
    return count


def _redact(session_id: str, seq: int) -> None:
    """Blank what the history holds of its fields, and the hashes from which a short text could be guessed."""
    changes = Change.objects.filter(key=session_id, kind__in=["conversation", "message"]).exclude(forward=REDACTED)
    ids = list(changes.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE state_change SET forward = %s, inverse = %s, salt = '', result_hash = '', redacted_by = %s"
            " WHERE id = %s",
            [(BLANK, BLANK, seq, pk) for pk in ids],
        )
