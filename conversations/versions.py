"""Texts that a newer export completed. The text before stays, in a deleted message of its own that `earlier` names.

So the history holds ids here too, and never a text: taking a completion back exchanges the texts of the two.
"""

from collections.abc import Mapping, Sequence

from conversations.models import Message
from conversations.order import find_place
from conversations.search import index
from state.revisions import Recorder

COPIED = ("conversation_id", "user_id", "message", "speaker", "timestamp", "timestamp_text", "earlier_id")


def replace_texts(texts: Sequence[tuple[Message, str]], recorder: Recorder) -> dict[int, int]:
    """Give messages another text; the ids of those that keep the texts before, by the ids of the messages."""
    kept = []
    for one, _ in texts:
        copied = {name: getattr(one, name) for name in COPIED}
        seq, place = recorder.seq, find_place(one.timestamp)
        kept.append(Message(**copied, place=place, revision=seq, deleted_revision=seq))
    Message.objects.bulk_create(kept)
    index.add((one.pk, one.message, one.metadata) for one in kept)
    _write({one.pk: (one.message, text) for one, text in texts})
    for one, text in texts:
        one.message = text
    return {one.pk: row.pk for (one, _), row in zip(texts, kept, strict=True)}


def exchange_texts(pk: int, now: int | None, then: int | None) -> None:
    """Give a message the text that it has had while `earlier` was `then`; it is the step before the one that is now, or
    behind it.
    """
    other = max(now or 0, then or 0)
    texts = dict(Message.objects.filter(pk__in=[pk, other]).values_list("pk", "message"))
    _write({pk: (texts[pk], texts[other]), other: (texts[other], texts[pk])})


def read_text(message: Message, then: int | None) -> str:
    """The text that a message had while `earlier` was `then`."""
    one = message
    while one.earlier is not None and one.earlier_id != then:
        one = one.earlier
        if one.earlier_id == then:
            return one.message
    return message.message


def _write(texts: Mapping[int, tuple[str, str]]) -> None:
    """Set texts, each given as it is and as it is to be."""
    metadata = dict(Message.objects.filter(pk__in=texts).values_list("pk", "metadata"))
    index.remove((pk, before, metadata[pk]) for pk, (before, _) in texts.items())
    for pk, (_, after) in texts.items():
        Message.objects.filter(pk=pk).update(message=after)
    index.add((pk, after, metadata[pk]) for pk, (_, after) in texts.items())
