"""What came of a file of chats, or would come, in the words of a page."""

import re
from collections.abc import Mapping
from typing import Any

from conversations.imports.legacy_chat_files import Chat
from conversations.imports.messages import EMPTY
from conversations.names import clean, name_by_words
from conversations.parts import HIDDEN
from state.report import Category, Finding, Report, Unit

FIRST = 10  # conversations that are named
TOLD = 30  # kinds of things that did not come
PLACES = 3  # of each
OPTION = re.compile(r"[;,] --\w+.*$")  # what a command is told to do otherwise
COUNTED = {
    "new": Category.ADDED, "grown": Category.UPDATED, "there": Category.DUPLICATE, "kept": Category.CONFLICTING,
    "skipped": Category.SKIPPED, "failed": Category.FAILED,
}  # fmt: skip
WHAT = {category: name for name, category in COUNTED.items()}


def name_chat(chat: Chat) -> tuple[str, str]:
    """What a conversation of a file is called, and when it began, in ISO 8601; "" where it says no time."""
    said = sorted(chat.messages.values(), key=lambda one: one.timestamp)
    words = [one for one in said if one.message.strip() and not one.metadata.get(HIDDEN)]
    first = next((one for one in words if one.speaker == "user"), words[0] if words else None)
    time = chat.started or (said[0].timestamp if said else None)
    name = clean(chat.title) or name_by_words(first.message if first else "") or chat.session_id
    return name, time.isoformat() if time else ""


def describe_outcome(report: Report, names: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """What became of one file; `names` has what its conversations are called, by their places."""
    left, notes = (_group(report, some, names) for some in (LEFT, (Category.NOTED,)))
    return {
        "conversations": _count(report, Unit.CONVERSATIONS),
        "messages": _count(report, Unit.MESSAGES),
        "keys": _count(report, Unit.KEYS),
        "left": left[:TOLD],
        "more_left": max(0, len(left) - TOLD),
        "notes": notes[:TOLD],
        "first": _list_first(report, names),
        "total": len(names),
    }


LEFT = (Category.FAILED, Category.CONFLICTING, Category.SKIPPED)


def _count(report: Report, unit: Unit) -> dict[str, int]:
    return {name: count for name, category in COUNTED.items() if (count := report.count(category, unit))}


def _list_first(report: Report, names: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """The first conversations by name, those that are new before those that are here already."""
    became: dict[str, str] = {}
    messages: dict[str, int] = {}
    for one in report.findings:
        if one.file in names and one.unit is Unit.CONVERSATIONS and one.category in WHAT:
            became.setdefault(one.file, WHAT[one.category])
        if one.file in names and one.unit is Unit.MESSAGES and one.category is Category.READ:
            messages[one.file] = messages.get(one.file, 0) + one.count
    order = list(COUNTED)
    first = sorted(names, key=lambda place: order.index(became.get(place, "failed")))[:FIRST]
    return [
        {"name": names[place][0], "at": names[place][1], "messages": messages.get(place, 0),
         "what": became.get(place, "")} for place in first
    ]  # fmt: skip


def _group(
    report: Report, categories: tuple[Category, ...], names: Mapping[str, tuple[str, str]]
) -> list[dict[str, Any]]:
    """Findings by what they say, with the first places of each: the worst first."""
    alike: dict[tuple[Category, str], list[Finding]] = {}
    for one in report.findings:
        if one.category in categories and one.text and one.text != EMPTY:
            alike.setdefault((one.category, OPTION.sub("", one.text)), []).append(one)
    order = sorted(alike, key=lambda key: categories.index(key[0]))
    return [_describe(key[0], key[1], alike[key], names) for key in order]


def _describe(
    category: Category, text: str, some: list[Finding], names: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    places = list(dict.fromkeys(one.file for one in some))
    return {
        "kind": category.value,
        "what": text,
        "count": sum(one.count for one in some) or len(some),
        "unit": some[0].unit.value,
        "where": [_place(place, names) for place in places[:PLACES]],
        "more": max(0, len(places) - PLACES),
    }


def _place(place: str, names: Mapping[str, tuple[str, str]]) -> str:
    """A place in a file, with the name of the conversation that is there."""
    found = names.get(place) or names.get(place.partition(" (")[0])
    return f"{place}, “{found[0]}”" if found else place
