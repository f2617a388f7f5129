"""What a conversation is called on a page: its title, else the first words that were said in it, else its day."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from django.db import connection
from django.utils import timezone

from conversations.models import Conversation
from conversations.parts import HIDDEN

MOST = 60  # characters of the words that stand for a title
LOOKED_AT = 20  # messages from the beginning on
READ = 1000  # characters of one
FIRST = """
    SELECT c.id, (
        SELECT substr(few.message, 1, %s) FROM (
            SELECT * FROM conversation_history WHERE conversation_id = c.id AND deleted_revision IS NULL
            ORDER BY place, timestamp, id LIMIT %s
        ) few WHERE trim(few.message, %s) <> '' AND few.metadata NOT LIKE %s
        ORDER BY CASE few.speaker WHEN 'user' THEN 0 WHEN 'assistant' THEN 1 ELSE 2 END, place, timestamp, id LIMIT 1
    ) FROM conversation c WHERE c.id IN ({marks})
"""
BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs that are not seen
JOINER = "\u200d"  # between the parts of an emoji
MARKS = (  # of Markdown, and what stays
    (re.compile(r"^\s*(?:```|~~~).*$", re.MULTILINE), " "),
    (re.compile(r"^\s*(?:[-*_]\s*){3,}$", re.MULTILINE), " "),
    (re.compile(r"^\s*(?:(?:#{1,6}|>|[-*+])(?:\s+|$))+", re.MULTILINE), ""),
    (re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*(?:\s+\"[^\"\n]*\")?\)"), r"\1"),
    (re.compile(r"(?<!\w)(?:\*\*|__|~~)(?=\S)|(?<=\S)(?:\*\*|__|~~)(?!\w)|`"), ""),
    (re.compile(r"(?<![\w*])([*_])(?=\S)([^\n]*?\S)\1(?![\w*])"), r"\2"),
)


def name_conversation(row: Conversation) -> str:
    """What one conversation is called."""
    return name_conversations([row])[row.pk]


def name_conversations(rows: Iterable[Conversation]) -> dict[int, str]:
    """What each is called, by primary key, in one query for all of them."""
    rows = list(rows)
    titles = {row.pk: clean(row.title) for row in rows}
    said = _read_first([pk for pk, title in titles.items() if not title])
    return {row.pk: titles[row.pk] or name_by_words(said.get(row.pk) or "") or _day(row) for row in rows}


def name_sessions(session_ids: Iterable[str]) -> dict[str, str]:
    """What those of these sessions are called that are there."""
    rows = list(Conversation.objects.filter(session_id__in=set(session_ids), deleted_revision=None))
    names = name_conversations(rows)
    return {row.session_id: names[row.pk] for row in rows}


def _read_first(ids: Sequence[int]) -> dict[int, str | None]:
    """The beginning of the first message of the user in each conversation; of anyone where the user says nothing."""
    if not ids:
        return {}
    with connection.cursor() as cursor:
        query = FIRST.format(marks=", ".join(["%s"] * len(ids)))
        cursor.execute(query, [READ, LOOKED_AT, " \t\r\n", f'%"{HIDDEN}":%', *ids])
        return dict(cursor.fetchall())


def name_by_words(text: str) -> str:
    """What words call a conversation; "" if there is nothing to see in them."""
    return shorten(clean(strip_marks(text)))


def strip_marks(text: str) -> str:
    """A text without the marks of Markdown."""
    for mark, stays in MARKS:
        text = mark.sub(stays, text)
    return text


def clean(text: str) -> str:
    """A text on one line, without what cannot be seen; "" if nothing is left to see."""
    seen = "".join(_show(one) for one in text)
    line = " ".join(seen.split()).strip(JOINER)
    return line if any(one not in f" {JOINER}" for one in line) else ""


def _show(one: str) -> str:
    if one in BLANK or (unicodedata.category(one) in ("Cf", "Cs") and one != JOINER):
        return ""
    return one if one.isprintable() or one == JOINER else " "


def shorten(line: str) -> str:
    """A line that is cut at a word, if it is long."""
    if len(line) <= MOST:
        return line
    cut = line[:MOST]
    words = cut.rpartition(" ")[0] if line[MOST] != " " else cut
    return f"{(words if len(words) > MOST // 2 else cut).rstrip(' ,;:.–—-')}…"


def _day(row: Conversation) -> str:
    return f"{timezone.localtime(row.started):%-d %B %Y, %H:%M}" if row.started else row.session_id
