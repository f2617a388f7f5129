"""`/api/transactions`: checks and writes over several keys, as one revision."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from state import transactions
from state.api.addresses import check_within, read_places
from state.api.idempotency import idempotent
from state.api.parameters import FromQuery, WasQuery
from state.api.routes import answers
from state.api.writes import commit_or_preview, repeat_summary, state_author
from state.history import replay

router = Router(tags=["state"])


class Transaction(Schema):
    """Checks and writes over several keys; all of them are done, in order and as one revision, or none."""

    model_config = ConfigDict(extra="forbid")

    operations: list[Any] = Field(description='{"op": put, delete, merge, patch, match or absent, "pointer": ...}')
    base: int | None = Field(
        default=None,
        strict=True,
        description="The revision the writes are made for: what others changed elsewhere since then stays",
    )
    dry_run: bool = Field(default=False, strict=True, description="Answer with the patches and change nothing")


@router.post("", summary="Write several keys at once")
@idempotent(repeat_summary)
@answers(200, 202, headers=("Nola-Revision", "Location"), is_conditional=True)
def run_transaction(request: HttpRequest, query: FromQuery[WasQuery], body: Transaction) -> HttpResponse:
    """Up to 128 checks and writes over several keys: one revision, all or nothing."""
    base = None if body.base is None else replay.parse_revision(str(body.base))
    operations, places = transactions.check(body.operations), read_places(request)
    check_within(request, (one.address for one in operations))
    plan = transactions.plan(operations, base, places)
    return commit_or_preview(plan, state_author(request), body.dry_run, with_was=query.was, places=places)
