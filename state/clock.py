"""Where a store's one clock stands, and how it goes on when an older database is put back.

A sequence number is never used twice in a data directory: `db/head` remembers the newest one beside the database, so
that a file that was rewound is seen, and the clock goes on above both, in a new epoch.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection as live
from django.db.backends.base.base import BaseDatabaseWrapper

from state import revisions
from state.files.atomic import write_atomically
from state.models import StoreMeta, new_epoch
from state.revisions import Author
from state.write_lock import write_transaction


@dataclass(frozen=True, slots=True)
class Clock:
    """The newest revision of a store, its time (RFC 3339) and its link of the chain."""

    store: str
    epoch: str
    seq: int
    chain: str
    at: str


def read(connection: BaseDatabaseWrapper = live) -> Clock | None:
    """The clock of a database; None where nothing was ever written."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT store_id, epoch, last_seq, last_chain, last_at FROM state_meta")
        row = cursor.fetchone()
    if row is None:
        return None
    store, epoch, seq, chain, at = row
    return Clock(store, epoch, seq, chain, format_time(at))


def format_time(time: Any) -> str:
    """A time as SQL gives it, to the microsecond, with its zone."""
    found = datetime.fromisoformat(time) if isinstance(time, str) else time
    aware = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return aware.isoformat(timespec="microseconds")


def head_file() -> Path:
    return Path(settings.NOLA_DB_DIR) / "head"


def read_head_file() -> Clock | None:
    """What db/head says; None where it is missing or cannot be read."""
    try:
        return Clock(**json.loads(head_file().read_text()))
    except (OSError, ValueError, TypeError):
        return None


def note_head(*, anew: bool = False) -> None:
    """Note in db/head where the clock stands; where it was rewound only `anew`. Raises NoRoom and CannotWrite."""
    now, head = read(), read_head_file()
    goes_on = now and head and now.epoch == head.epoch and now.seq > head.seq and not is_rewound(now, head)
    if now and (anew or head is None or goes_on):
        write_head_file(now)


def write_head_file(clock: Clock) -> None:
    """Put a clock into db/head. Raises NoRoom and CannotWrite."""
    with write_atomically(head_file()) as file:
        file.write(json.dumps(asdict(clock)).encode())


def is_rewound(now: Clock | None, head: Clock | None, connection: BaseDatabaseWrapper = live) -> bool:
    """Whether a database is an older one, or another one, than the database that db/head was written for."""
    if now is None or head is None:
        return False
    if now.store != head.store or now.seq < head.seq:
        return True  # a new epoch alone is none: it may have begun right before db/head was to be written
    return read_chain(head.seq, connection) != head.chain


def read_chain(seq: int, connection: BaseDatabaseWrapper = live) -> str:
    """The link of the chain of a revision, "" where there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT chain FROM state_revision WHERE seq = %s", [seq])
        row = cursor.fetchone()
    return row[0] if row else ""


def continue_above(seq: int, author: Author) -> int:
    """Begin a new epoch with a revision above `seq`, for an older database that was put back. Returns the revision."""
    with write_transaction():
        meta = StoreMeta.objects.first() or StoreMeta.objects.create()
        StoreMeta.objects.filter(pk=meta.pk).update(epoch=new_epoch(), last_seq=max(seq, meta.last_seq))
        with revisions.open_revision(author) as recorder:
            recorder.is_event = True
            made = recorder.seq
    return made
