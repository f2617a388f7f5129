"""What agents ask for, by key and day: values by name, contexts, and the memory as a whole.

A read costs one more entry in a table of the process. The thread of the schedule adds that up in db/reads, once a
minute, and keeps of it what is still a key. A count may be lost, when a process dies; a read is never slowed down.
"""

import json
from collections import Counter
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from state.files.atomic import CannotWrite, NoRoom, write_atomically
from state.jsondoc.pointer import BadPointer, parse_pointer, unescape_token
from state.locks import hold_lock
from state.models import StateEntry

DAYS = 30  # that are remembered
KEYS = 200  # of a day that are remembered
MOST = 500  # names that are counted between two times of adding up
WHOLE = ""  # stands for contexts, and for the memory as a whole
BELOW, ALL = "/api/state/", ("/api/state", "/api/context")

_counts: dict[str, int] = {}  # by the first token of a path


def count_read(path: str, query: str) -> None:
    """Count a GET by an agent that was answered, by its path and query."""
    if path.startswith(BELOW):
        _add(path[len(BELOW) :].partition("/")[0])
    elif path in ALL:
        for token in _list_named(query) if "key=" in query or "pointer=" in query else [WHOLE]:
            _add(token)


def count_pointer(pointer: str) -> None:
    """Count a read of what a pointer that was understood means."""
    _add(pointer[1:].partition("/")[0])


def _list_named(query: str) -> list[str]:
    """The keys that a query names, as tokens."""
    pairs = parse_qsl(query)
    keys = [text.replace("~", "~0").replace("/", "~1") for name, text in pairs if name == "key"]
    return keys + [text[1:].partition("/")[0] for name, text in pairs if name == "pointer"]


def _add(token: str) -> None:
    counts = _counts
    if token in counts or len(counts) < MOST:
        counts[token] = counts.get(token, 0) + 1


def add_up() -> None:
    """Add what this process has counted to db/reads, if that can be done now."""
    global _counts
    taken, _counts = _counts, {}
    if not taken:
        return
    with suppress(NoRoom, CannotWrite, DatabaseError, OSError):
        found = _keep_known(taken)
        folder = Path(settings.NOLA_DB_DIR)
        with (folder / ".reads").open("a") as lock, hold_lock(lock):
            today = timezone.localdate()
            days = {day: counts for day, counts in _read_days().items() if _is_kept(day, today)}
            total = Counter(days.get(today.isoformat(), {})) + found
            days[today.isoformat()] = dict(total.most_common(KEYS))
            with write_atomically(_file()) as file:
                file.write(json.dumps({"days": days}).encode())


def _keep_known(taken: dict[str, int]) -> Counter[str]:
    """The counts of what is a key: what is gone may be forgotten, and its name too."""
    names: Counter[str] = Counter()
    for token, count in taken.items():
        with suppress(BadPointer):
            parse_pointer(f"/{token}")
            names[unescape_token(token)] += count
    known = {WHOLE, *StateEntry.objects.filter(pk__in=list(names)).values_list("pk", flat=True)}
    return Counter({name: count for name, count in names.items() if name in known})


def _is_kept(day: str, today: date) -> bool:
    return today - timedelta(days=DAYS) < date.fromisoformat(day) <= today


def read_counts(today: date) -> Counter[str]:
    """How often each key was asked for in the days that are remembered, and all of the memory under WHOLE."""
    total: Counter[str] = Counter()
    for day, counts in _read_days().items():
        if _is_kept(day, today):
            total.update(counts)
    return total


def _read_days() -> dict[str, dict[str, int]]:
    try:
        days: dict[str, dict[str, int]] = json.loads(_file().read_text())["days"]
        return {date.fromisoformat(day).isoformat(): {**counts} for day, counts in days.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def remove_reads() -> None:
    """Begin anew: what was counted may name keys that are forgotten."""
    _file().unlink(missing_ok=True)


def _file() -> Path:
    return Path(settings.NOLA_DB_DIR) / "reads"
