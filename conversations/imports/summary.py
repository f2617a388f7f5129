"""What an import of chats did, as JSON: counts, what is to be told, and what became of each conversation."""

from typing import Any

from conversations.imports.messages import EMPTY
from state.jsondoc.text import JSONValue
from state.report import Category, Finding, Report, Unit

OF_READING = (Category.ADDED, Category.DUPLICATE, Category.READ)


def summarize(report: Report, most: int | None = None) -> dict[str, JSONValue]:
    """A report; of findings and of conversations at most so many."""
    told = [one for one in report.findings if one.text and one.category not in OF_READING]
    places = _by_place(report)
    findings: list[JSONValue] = [
        {"category": one.category.value, "where": one.file, "what": one.text, "count": one.count} for one in told[:most]
    ]
    conversations: list[JSONValue] = [_conversation(place, some) for place, some in list(places.items())[:most]]
    limited = {} if most is None else {
        "more_findings": max(0, len(told) - most), "more_conversations": max(0, len(places) - most),
    }  # fmt: skip
    return {
        "batch": report.batch if report.revisions else None,
        "revisions": report.revisions,
        "is_whole": is_whole(report),
        "counts": {category.value: found for category in Category if (found := _counts(report, category))},
        "findings": findings,
        "conversations": conversations,
        **limited,
    }


def is_whole(report: Report) -> bool:
    """Whether nothing of what was read was left out, or stands otherwise in Nola; there is nothing in what is empty."""
    left = (Category.FAILED, Category.SKIPPED, Category.CONFLICTING)
    return not any(one.category in left and one.text != EMPTY for one in report.findings)


def _counts(report: Report, category: Category) -> dict[str, JSONValue]:
    return {unit.value: n for unit in Unit if (n := report.count(category, unit))}


def _by_place(report: Report) -> dict[str, list[Finding]]:
    """What was found of each conversation that was read, by where it stands in its file."""
    found: dict[str, list[Finding]] = {
        one.file: [] for one in report.findings if one.category is Category.READ and one.unit is Unit.CONVERSATIONS
    }
    for one in report.findings:
        place = one.file if one.file in found else one.file.partition(" (")[0]
        if place in found:
            found[place].append(one)
    return found


def _conversation(place: str, some: list[Finding]) -> dict[str, JSONValue]:
    """A conversation: where it stands, which it is, how many messages came, and what did not or came otherwise."""
    about = next(one for one in some if one.category is Category.READ and one.unit is Unit.CONVERSATIONS)
    counts: dict[str, Any] = {}
    for one in some:
        if one.unit is Unit.MESSAGES and one.category is not Category.NOTED:
            counts[one.category.value] = counts.get(one.category.value, 0) + one.count
    told = [one for one in some if one.text and one.category not in OF_READING]
    return {
        "where": place,
        "session_id": about.text,
        "messages": counts,
        "told": [
            {"category": one.category.value, "what": one.text, "count": one.count, "where": one.file} for one in told
        ],
    }
