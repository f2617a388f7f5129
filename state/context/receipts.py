"""Receipts: contexts as they were handed out, so that it can be told later what a model saw. No part of the history.

They are kept whatever is changed or deleted later. Only a purge of a conversation, which is to be for good, erases what
holds words of it; and an owner can remove old ones.
"""

import secrets
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Sum, Value
from django.db.models.functions import Length, StrIndex
from django.utils import timezone

from state import revisions
from state.clock import format_time
from state.errors import Gone, NotThere, TooMany
from state.jsondoc.text import dump_json
from state.models import Receipt
from state.revisions import Author
from state.store import Written, head
from state.write_lock import write_transaction

BURST_MINUTES = 10
ZLIB_LEVEL = 6
AT_ONCE = 500


class UnknownReceipt(NotThere):
    """There is no receipt of that name."""


class ErasedReceipt(Gone, LookupError):
    """A receipt that held words of a conversation which was purged since."""


class TooManyReceipts(TooMany):
    """A key keeps receipts too fast."""


class KeptReceipt(NamedTuple):
    """A receipt with the report in it, as text."""

    row: Receipt
    report: str


def keep(report: dict[str, Any], sessions: Sequence[str], media_type: str, author: Author) -> KeptReceipt:
    """Store a report, with who asked and when in it. A claim to do it once is kept in the same transaction.

    Raises TooManyReceipts.
    """
    _check_rate(author.actor)
    name, at = secrets.token_urlsafe(16), timezone.now()
    text = dump_json({"receipt": name, "at": format_time(at), "actor": author.actor, **report})
    row = Receipt(
        receipt=name,
        at=at,
        actor=author.actor,
        revision=report["revision"],
        tokens=report["tokens"],
        media_type=media_type,
        sessions=[*sessions],
        document=zlib.compress(text.encode(), ZLIB_LEVEL),
    )
    with write_transaction():
        row.save(force_insert=True)
        if author.claim:
            author.claim.keep(Written(row.revision), name)
    return KeptReceipt(row, text)


def _check_rate(actor: str) -> None:
    """A key may keep as many receipts as it may make revisions, see access/rates.py."""
    most = settings.NOLA_WRITES_PER_MINUTE * BURST_MINUTES
    if not most or not actor.startswith("key:"):
        return
    since = timezone.now() - timedelta(minutes=BURST_MINUTES)
    if Receipt.objects.filter(actor=actor, at__gt=since).count() >= most:
        raise TooManyReceipts(
            f"{actor} has kept {most:,} receipts in {BURST_MINUTES} minutes (NOLA_WRITES_PER_MINUTE); not this one", 60
        )


def read(name: str, actor: str = "") -> KeptReceipt:
    """A receipt as it was given, of that actor if one is named. Raises UnknownReceipt and ErasedReceipt."""
    row = Receipt.objects.filter(receipt=name).first()
    if row is None or actor not in ("", row.actor):
        raise UnknownReceipt(f"there is no receipt {name[:40]!r}")
    if row.erased_by is not None:
        raise ErasedReceipt(
            f"the receipt {name!r}, kept for {row.actor} at {format_time(row.at)}, held words of a conversation that"
            f" was purged in revision {row.erased_by}; they are gone for good"
        )
    return KeptReceipt(row, zlib.decompress(row.document).decode())


def read_page(limit: int, before: int | None, actor: str = "") -> tuple[list[Any], int | None]:
    """Receipts, newest first, without what is in them, and where the next page begins; of an actor, if one is named."""
    rows = Receipt.objects.annotate(size=Length("document")).defer("document")
    rows = rows.filter(actor=actor) if actor else rows
    found = list((rows if before is None else rows.filter(pk__lt=before))[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


def remove(before: datetime, author: Author) -> tuple[int, int]:
    """Remove receipts kept before a time: how many, and the revision that says so; the head if there were none."""
    with write_transaction():
        count, _ = Receipt.objects.filter(at__lt=before).delete()
        if not count:
            return 0, head()
        with revisions.open_revision(replace(author, info={**author.info, "receipts_removed": count})) as recorder:
            recorder.is_event = True
            return count, recorder.seq


def erase(session_id: str, revision: int) -> int:
    """Erase what receipts hold of a conversation, in the transaction of the revision that purges it. How many did."""
    named = StrIndex("sessions", Value(dump_json(session_id)))
    rows = Receipt.objects.alias(named=named).filter(named__gt=0).order_by()
    ids = [pk for pk, sessions in rows.values_list("pk", "sessions") if session_id in sessions]
    for start in range(0, len(ids), AT_ONCE):
        held = Receipt.objects.filter(pk__in=ids[start : start + AT_ONCE])
        held.update(document=b"", sessions=[], tokens=0, erased_by=revision)
    return len(ids)


class ReceiptGrowth(NamedTuple):
    """How many receipts there are, their bytes, and the bytes of the last week."""

    receipts: int
    size: int
    lately: int


def measure_growth() -> ReceiptGrowth:
    """How much room receipts take."""
    sized = Receipt.objects.annotate(size=Length("document")).order_by()
    week = timezone.now() - timedelta(days=7)
    lately = sized.filter(at__gt=week).aggregate(total=Sum("size"))["total"]
    return ReceiptGrowth(sized.count(), sized.aggregate(total=Sum("size"))["total"] or 0, lately or 0)
