"""`Idempotency-Key`: a write that is sent again is answered again, not done again.

What is kept of a write is its request's hash, its status and its revision, in the transaction of the write itself. The
answer is made anew from the history.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from state.address import Address, NotFound
from state.api.answers import answer_proposed
from state.conditions import PreconditionFailed
from state.errors import Malformed, Unprocessable
from state.jsondoc.patch import PatchFailed
from state.jsondoc.pointer import Blocked
from state.models import Idempotency
from state.proposals.records import Decided
from state.registry import ConflictError
from state.store import Written
from state.transactions import OperationFailed

REFUSALS = (NotFound, Blocked, PatchFailed, PreconditionFailed, ConflictError, OperationFailed, Decided)
Write = Callable[..., HttpResponse]

KEPT = timedelta(hours=24)
MAX_KEY = 255
PROPOSED = 202  # kept as the status of what became a proposal; its number is the place


class BadIdempotencyKey(Malformed):
    """The header is empty or too long."""


class OtherRequest(Unprocessable):
    """The key was used for another request."""


class Done(Exception):
    """Somebody has just done this very request; its answer is to be given again."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The key under which a request is to be done once."""

    credential: str
    key: str
    request: str  # SHA-256 over method, address, media type and body

    def earlier(self) -> Idempotency | None:
        """What is kept of this request, if it was done before. Raises OtherRequest."""
        row = Idempotency.objects.filter(credential=self.credential, key=self.key, at__gt=timezone.now() - KEPT).first()
        if row and row.request != self.request:
            raise OtherRequest(f"the Idempotency-Key {self.key!r} was used for another request; take a new one")
        return row

    def keep(self, written: Written, place: str = "") -> None:
        """Note that it is done, in the transaction that does it; `place` is where, if the edits do not tell.

        Raises Done if somebody else was faster.
        """
        Idempotency.objects.filter(at__lte=timezone.now() - KEPT).delete()
        status = 201 if written.created else 200
        places = [Address(edit.key, edit.at).pointer for edit in written.edits if edit.at is not None]
        if written.proposal is not None:
            status, places = PROPOSED, [str(written.proposal)]
        try:
            Idempotency.objects.create(
                credential=self.credential,
                key=self.key,
                request=self.request,
                status=status,
                revision=written.revision,
                changed=bool(written.changed),
                place=places[0] if places else place,
                at=timezone.now(),
            )
        except IntegrityError:
            raise Done from None


def idempotent(again: Callable[..., HttpResponse]) -> Callable[[Write], Write]:
    """A write that is done once for each Idempotency-Key; `again` makes the answer to a request that was done before.

    The claim goes along with the request, to the author of the write, and is kept by the store.
    """

    def decorate(write: Write) -> Write:
        @wraps(write)
        def done_once(request: HttpRequest, **values: Any) -> HttpResponse:
            claim = read_claim(request, request.auth)  # type: ignore[attr-defined]
            if claim is None:
                return write(request, **values)
            earlier = claim.earlier()
            if earlier is None:
                request.claim = claim  # type: ignore[attr-defined]
                try:
                    return write(request, **values)
                except (Done, *REFUSALS):
                    earlier = claim.earlier()  # somebody was faster with this very request, which may be the reason
                    if earlier is None:
                        raise
            if earlier.status == PROPOSED:
                return answer_proposed(int(earlier.place), earlier.revision)
            return again(request, earlier, **values)

        return done_once

    return decorate


def read_claim(request: HttpRequest, credential: str) -> Claim | None:
    """The claim a request makes with the header Idempotency-Key. Raises BadIdempotencyKey."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY:
        raise BadIdempotencyKey(f"an Idempotency-Key has 1 to {MAX_KEY} characters; this one has {len(key)}")
    parts = (request.method or "", request.get_full_path(), request.content_type or "")
    digest = hashlib.sha256("\n".join(parts).encode() + b"\n" + request.body)
    return Claim(credential, key, digest.hexdigest())
