"""`Idempotency-Key`: a write that is sent again is answered again, not done again.

What is kept of a write is its request's hash, its status and its revision, in the transaction of the write itself. The
answer is made anew from the history.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial, wraps
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from state import store
from state.models import Idempotency

Write = Callable[..., HttpResponse]

KEPT = timedelta(hours=24)
MAX_KEY = 255


class BadIdempotencyKey(ValueError):
    """The header is empty or too long."""


class OtherRequest(ValueError):
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

    def keep(self, status: int, revision: int, changed: bool) -> None:
        """Note that it is done, in the transaction that does it. Raises Done if somebody else was faster."""
        Idempotency.objects.filter(at__lte=timezone.now() - KEPT).delete()
        fields = {"request": self.request, "status": status, "revision": revision, "changed": changed}
        try:
            Idempotency.objects.create(credential=self.credential, key=self.key, at=timezone.now(), **fields)
        except IntegrityError:
            raise Done from None


def once(write: Write, again: Callable[[HttpRequest, Idempotency], HttpResponse]) -> Write:
    """The write, done once for each Idempotency-Key; `again` makes the answer to a request that was done before."""

    @wraps(write)
    def done_once(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        claim = claim_of(request, request.auth)  # type: ignore[attr-defined]
        if claim is None:
            return write(request, *args, **kwargs)
        earlier = claim.earlier()
        if earlier is None:
            try:
                return _do(claim, partial(write, request, *args, **kwargs))
            except Done:
                earlier = claim.earlier()
        return again(request, earlier)  # type: ignore[arg-type]

    return done_once


def _do(claim: Claim, write: Callable[[], HttpResponse]) -> HttpResponse:
    with transaction.atomic():
        before = store.head()
        response = write()
        if not getattr(response, "is_dry_run", False):
            revision = int(response["Nola-Revision"])
            claim.keep(response.status_code, revision, changed=revision > before)
        return response


def claim_of(request: HttpRequest, credential: str) -> Claim | None:
    """The claim a request makes with the header Idempotency-Key. Raises BadIdempotencyKey."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY:
        raise BadIdempotencyKey(f"an Idempotency-Key has 1 to {MAX_KEY} characters; this one has {len(key)}")
    parts = (request.method or "", request.get_full_path(), request.content_type or "")
    digest = hashlib.sha256("\n".join(parts).encode() + b"\n" + request.body)
    return Claim(credential, key, digest.hexdigest())
