"""Times as other programs write them: ISO 8601, numbers since 1970 in any unit, also as text, and some for people."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

from django.conf import settings

from state.jsondoc.text import JSONValue, dump_json

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = ((1e17, 1_000_000_000), (1e14, 1_000_000), (1e11, 1000))  # of a number above it, how many are a second
WRAPPED = {"$date", "$numberLong", "_seconds"}
FORMATS = (  # SillyTavern, and compact stamps
    "%Y-%m-%d@%Hh%Mm%Ss", "%Y-%m-%d@%Hh%Mm%Ss%fms", "%B %d, %Y %I:%M%p", "%b %d, %Y %I:%M%p", "%b %d, %Y, %I:%M:%S %p",
    "%B %d, %Y %H:%M", "%Y%m%d%H%M%S",
)  # fmt: skip
_NUMBER = re.compile(r"-?\d{9,}(?:\.\d+)?")
_STAMP = re.compile(r"(?:19|20)\d{12}")
_SPACES = re.compile(r"\s*@\s*|(?<=[hms]) +(?=\d)")
_DATE = re.compile(r"(?:\w{3}, )?\d{1,2} \w{3} \d{4} ")


def parse_time(value: JSONValue) -> tuple[datetime | None, str]:
    """A time and its text as it came. Without a zone it is local time, in NOLA_TIME_ZONE; None if unreadable."""
    while isinstance(value, dict) and (inner := value.keys() & WRAPPED):  # as databases write them
        value = value[min(inner)]
    if value is None or value == "":
        return None, ""
    text = value if isinstance(value, str) else dump_json(value)
    try:
        time = _instant(value, text.strip())
    except (ValueError, OverflowError, OSError):
        return None, text
    # At the very ends of the calendar a time has no equivalent in zones behind or ahead of UTC.
    return (time if 2 <= time.year <= 9998 else None), text


def is_naive(text: str) -> bool:
    """Whether a time that can be read says neither its zone nor the seconds since 1970."""
    text = text.strip()
    if text[:1].isdigit() and _NUMBER.fullmatch(text) and not _STAMP.fullmatch(text):
        return False
    try:
        return _read(text).tzinfo is None
    except (ValueError, OverflowError):
        return False  # a number of seconds


def _instant(value: JSONValue, text: str) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _since_epoch(value)
    if _NUMBER.fullmatch(text) and not _STAMP.fullmatch(text):
        return _since_epoch(float(text) if "." in text else int(text))
    time = _read(text)
    aware = time if time.tzinfo else time.replace(tzinfo=ZoneInfo(settings.TIME_ZONE))
    return aware.astimezone(UTC)


def _since_epoch(number: float) -> datetime:
    """A number of seconds, or of thousandths, millionths or billionths where it is too large for that."""
    unit = 1 if abs(number) < UNITS[-1][0] else next(unit for least, unit in UNITS if abs(number) >= least)
    if isinstance(number, int):
        return EPOCH + timedelta(seconds=number // unit, microseconds=number % unit * 1_000_000 // unit)
    return datetime.fromtimestamp(number / unit, UTC)


def _read(text: str) -> datetime:
    """A time in one of the ways in which it is spelt. Raises ValueError."""
    try:
        return datetime.fromisoformat(text.removesuffix(" UTC") + "+00:00" if text.endswith(" UTC") else text)
    except ValueError:
        spelt = _SPACES.sub(lambda match: "@" if "@" in match[0] else "", text)
    if _DATE.match(text):
        return parsedate_to_datetime(text)
    for form in FORMATS:
        with suppress(ValueError):
            return datetime.strptime(spelt, form)  # noqa: DTZ007  # local time, which the caller adds
    raise ValueError(f"{text!r} is no time")
