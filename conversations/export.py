"""Conversations out of Nola: JSON and JSON lines, which import back to the same, and Markdown to read."""

import html
import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from django.db.models import F, QuerySet
from django.utils import timezone

from conversations import read
from conversations.api import schemas
from conversations.models import ORDER, Conversation, Message
from conversations.order import find_place, is_behind
from conversations.parts import HIDDEN, list_parts
from state.jsondoc.text import dump_json

AT_ONCE = 500  # rows read in one go
MOST_MESSAGES, MOST_CHARACTERS = 2000, 8_000_000  # in one piece of a long conversation
KEPT = (
    "id", "speaker", "message", "timestamp", "timestamp_text", "user_id", "status", "parent", "client_id",
    "context_level", "stimuli_type", "metadata",
)  # fmt: skip


FormatName = Literal["json", "jsonl", "markdown"]


class ExportFormat(NamedTuple):
    """A form of export."""

    media_type: str
    suffix: str
    texts: Callable[[QuerySet[Conversation]], Iterator[str]]


def iterate_conversations(rows: QuerySet[Conversation]) -> Iterator[Conversation]:
    """All of them, in the order in which they came to Nola."""
    last = 0
    while some := list(rows.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        yield from some
        last = some[-1].pk


def iterate_messages(row: Conversation) -> Iterator[Message]:
    """All messages of a conversation in their order."""
    rows = row.messages.filter(deleted_revision=None).order_by(*ORDER)
    some = list(rows[:AT_ONCE])
    while some:
        yield from some
        last = some[-1]
        some = list(rows.filter(is_behind(last.place, last.timestamp, last.pk))[:AT_ONCE])


def split_conversation(row: Conversation) -> Iterator[dict[str, Any]]:
    """A conversation as JSON, a long one in several pieces that each say which it is; one with branches is whole.

    A piece has the parents of its messages, and all that was said at the time of one of them.
    """
    about = {
        "session_id": row.session_id,
        "title": row.title,
        "channel": row.channel,
        "source": row.source,
        "started": schemas.format_instant(row.started),
        "started_text": row.started_text,
        "archived": row.archived,
        "metadata": row.metadata,
        "current_leaf": read.find_current_leaf(row),
    }
    orphans = set(row.messages.filter(parent__deleted_revision__isnull=False).values_list("pk", flat=True))
    spans = _spans(row)
    some: list[Any] = []
    size, last, is_sent = 0, None, False
    for message in iterate_messages(row):
        is_full = len(some) >= MOST_MESSAGES or size > MOST_CHARACTERS
        if is_full and message.timestamp != last and not _is_within(spans, message.place):
            yield {**about, "messages": some}
            some, size, is_sent = [], 0, True
        found = schemas.show_message(message)
        if message.pk in orphans:
            found["parent"] = message.pk  # it is read as the beginning of a talk, and so says one that answers itself
        some.append({name: found[name] for name in KEPT})
        size, last = size + len(message.message), message.timestamp
    if some or not is_sent:
        yield {**about, "messages": some}


def _spans(row: Conversation) -> list[tuple[float, float]]:
    """Behind which place, and up to which, a conversation must not be cut."""
    if row.current_leaf_id is not None:
        return [(-math.inf, math.inf)]
    linked = row.messages.filter(deleted_revision=None, parent__isnull=False, parent__deleted_revision=None)
    links = linked.exclude(parent=F("id")).order_by().values_list("timestamp", "parent__place", "place")
    spans: list[tuple[float, float]] = []
    for begin, end in sorted((min(find_place(time), above), place) for time, above, place in links):
        if spans and begin < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((begin, end))
    return spans


def _is_within(spans: list[tuple[float, float]], place: int) -> bool:
    at = bisect_left(spans, (place,)) - 1
    return at >= 0 and place <= spans[at][1]


def render_json(rows: QuerySet[Conversation]) -> Iterator[str]:
    """One JSON document."""
    exported = datetime.now(UTC).isoformat(timespec="seconds")
    yield f'{{"nola":"conversations","version":1,"exported":"{exported}","conversations":['
    between = "\n"
    for row in iterate_conversations(rows):
        for piece in split_conversation(row):
            yield between + dump_json(piece)
            between = ",\n"
    yield "\n]}\n"


def render_lines(rows: QuerySet[Conversation]) -> Iterator[str]:
    """A line for each conversation, or piece of a long one."""
    for row in iterate_conversations(rows):
        for piece in split_conversation(row):
            yield dump_json(piece) + "\n"


def render_markdown(rows: QuerySet[Conversation]) -> Iterator[str]:
    """To read: a heading for each conversation and day, and who said what when."""
    between = ""
    for row in iterate_conversations(rows):
        yield f"{between}# {row.title or row.session_id}\n\n{_about(row)}\n"
        day = None
        for message in iterate_messages(row):
            time = timezone.localtime(message.timestamp)
            if time.date() != day:
                day = time.date()
                yield f"\n## {time:%A, %-d %B %Y}\n"
            yield from _render_message(message, f"{time:%H:%M}")
        between = "\n---\n\n"


def _render_message(message: Message, time: str) -> Iterator[str]:
    """Who said what, and below it, folded, what else there is."""
    status = "" if message.status == "ok" else f" · {message.status}"
    text = message.message.rstrip()
    name = message.metadata.get("name")  # of a tool, or of a character
    who = f"{message.speaker} ({_escape(name)})" if isinstance(name, str) and name else message.speaker
    if hidden := message.metadata.get(HIDDEN):
        yield f"\n{_fold(f'{who} · {time}{status} · {_escape(str(hidden))}', text)}"
    else:
        yield f"\n**{who}** · {time}{status}\n" + (f"\n{text}\n" if text else "")
    for part in list_parts(message.metadata):
        yield f"\n{_fold(_escape(part.title), _fence(part.text))}"


def _fold(summary: str, text: str) -> str:
    """A text that is shown when its summary is clicked, where Markdown is shown as HTML."""
    return f"<details><summary>{summary}</summary>\n\n{text.rstrip()}\n\n</details>\n"


def _fence(text: str) -> str:
    """A text word for word."""
    longest = max((len(marks) for marks in re.findall("`{3,}", text)), default=2)
    return f"{'`' * (longest + 1)}\n{text.rstrip()}\n{'`' * (longest + 1)}"


def _escape(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False)


def _about(row: Conversation) -> str:
    tags = row.metadata.get(read.TAGS)
    facts = {
        "Session": f"`{row.session_id}`",
        "Started": f"{timezone.localtime(row.started):%Y-%m-%d %H:%M %Z}" if row.started else "",
        "Channel": row.channel,
        "Source": row.source,
        "Tags": ", ".join(map(str, tags)) if isinstance(tags, list) else "",
        "Archived": "yes" if row.archived else "",
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items() if fact)


FORMATS: dict[FormatName, ExportFormat] = {
    "json": ExportFormat("application/json", "json", render_json),
    "jsonl": ExportFormat("application/x-ndjson", "jsonl", render_lines),
    "markdown": ExportFormat("text/markdown; charset=utf-8", "md", render_markdown),
}
