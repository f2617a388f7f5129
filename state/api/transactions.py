"""`/api/transactions`: checks and writes over several keys, as one revision."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from state import transactions
from state.api.addresses import flag, query_of
from state.api.idempotency import once
from state.api.values import WAS, author_of, run, summary_again

router = Router(tags=["state"])


class Transaction(Schema):
    """Checks and writes over several keys; all of them are done, in order and as one revision, or none."""

    model_config = ConfigDict(extra="forbid")

    operations: list[Any] = Field(description='{"op": put, delete, merge, patch, match or absent, "pointer": ...}')
    dry_run: bool = Field(default=False, strict=True, description="Answer with the patches and change nothing")


def run_transaction(request: HttpRequest, body: Transaction) -> HttpResponse:
    """Up to 128 checks and writes over several keys: one revision, all or nothing."""
    with_was = flag(query_of(request, ("was",)), "was")
    plan = transactions.plan(transactions.check(body.operations))
    return run(plan, author_of(request), body.dry_run, with_was=with_was)


router.post("", summary="Write several keys at once", openapi_extra=WAS)(once(run_transaction, summary_again))
