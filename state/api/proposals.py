"""`/api/proposals`: what agents suggest to write, and what a person decides about it."""

from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from access.rights import NotAllowed, Right
from state import store
from state.api.answers import answer_reading, link_next
from state.api.idempotency import idempotent
from state.api.parameters import CURSOR, FromQuery, Limit, NoParameters, Parameters, Whole, one_of
from state.api.routes import add_read_route
from state.api.writes import answer_changed, repeat_summary
from state.jsondoc.text import JSONValue, dump_json
from state.models import Proposal
from state.proposals import decisions, records
from state.proposals.plan import list_operations, look_ahead
from state.proposals.records import find_proposal
from state.registry import describe_conflict

MOST_ANSWER = 1000  # characters

router = Router(tags=["proposals"])

State = Annotated[
    Literal["waiting", "accepted", "rejected", "withdrawn"] | None,
    one_of("state={} is none; a proposal is waiting, accepted, rejected or withdrawn"),
]


class ProposalsQuery(Parameters):
    """Which proposals to list."""

    state: State = Field(None, description="Only those; accepted is also what was accepted in part")
    actor: str | None = Field(None, description="Only by this one: key:<name>")
    limit: Limit = Field(100, description="How many")
    cursor: Annotated[int | None, Whole(2**63 - 1)] = Field(None, description=CURSOR)


class Acceptance(Schema):
    """What of it to accept, and who wins where something has changed since."""

    model_config = ConfigDict(extra="forbid")

    pointers: list[str] | None = Field(
        default=None, description="Only the operations at these pointers and below them; the rest is let be"
    )
    prefer: Literal["mine", "theirs"] | None = Field(
        default=None, description="Where both changed the same: mine lets the proposal win, theirs what came later"
    )


class Rejection(Schema):
    """Why not."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=MOST_ANSWER, description="Told to who proposed it")


@add_read_route(router, "", summary="List proposals")
def list_proposals(request: HttpRequest, query: FromQuery[ProposalsQuery]) -> HttpResponse:
    """Proposals, newest first. Who may not write the state sees its own."""
    found = records.list_proposals(_seen_by(request))
    if query.state:
        also = {"accepted": [Proposal.IN_PART]}.get(query.state, [])
        found = found.filter(state__in=[query.state, *also])
    if query.actor is not None:
        found = found.filter(actor=query.actor)
    if query.cursor is not None:
        found = found.filter(pk__lt=query.cursor)
    page = list(found[: query.limit + 1])
    told = [describe_proposal(one) for one in page[: query.limit]]
    response = answer_reading(store.Reading(dump_json({"proposals": told}), store.head()))
    if len(page) > query.limit:
        kept = query.list_given("state", "actor")
        link_next(response, request, [("limit", query.limit), ("cursor", page[query.limit - 1].pk), *kept])
    return response


@add_read_route(router, "/{int:number}", summary="Read a proposal")
def read_proposal(request: HttpRequest, number: int, query: FromQuery[NoParameters]) -> HttpResponse:
    """What it would change: its operations, each with its pointer; and while it waits, what accepting it would do now.

    `patches` apply to what is stored now, and `conflicts` are in their way: what has changed since at the same places.
    """
    head, proposal = store.head(), find_proposal(number, _seen_by(request))
    body = describe_proposal(proposal)
    outlook = look_ahead(proposal) if proposal.state == Proposal.WAITING else None
    body["operations"] = [*list_operations(proposal, outlook)]
    if outlook:
        patches: dict[str, JSONValue] = {key: [*edit.forward] for key, edit in outlook.edits.items()}
        body |= {"patches": patches, "conflicts": [describe_conflict(one) for one in outlook.conflicts]}
    return answer_reading(store.Reading(dump_json(body), head))


@router.post("/{int:number}/accept", summary="Accept a proposal")
@idempotent(repeat_summary)
def accept_proposal(
    request: HttpRequest, number: int, query: FromQuery[NoParameters], body: Acceptance | None = None
) -> HttpResponse:
    """Write it, or some of its operations, as one revision by who proposed it; then it is closed.

    What has changed elsewhere since stays. Where the same was changed, it is 409 with all sides, and still waits.
    """
    wanted = body or Acceptance()
    claim = getattr(request, "claim", None)
    by: str = request.auth  # type: ignore[attr-defined]
    return answer_changed(decisions.accept_proposal(find_proposal(number), by, wanted.pointers, wanted.prefer, claim))


@router.post("/{int:number}/reject", summary="Reject a proposal")
def reject_proposal(
    request: HttpRequest, number: int, query: FromQuery[NoParameters], body: Rejection | None = None
) -> HttpResponse:
    """Let it be; nothing is changed."""
    proposal = find_proposal(number)
    decisions.reject_proposal(proposal, request.auth, body.reason if body else "")  # type: ignore[attr-defined]
    told = describe_proposal(find_proposal(number))
    return answer_reading(store.Reading(dump_json(told), store.head()))


@router.delete("/{int:number}", summary="Withdraw a proposal")
def withdraw_proposal(request: HttpRequest, number: int, query: FromQuery[NoParameters]) -> HttpResponse:
    """Take back what one has proposed, while it waits."""
    proposal = find_proposal(number, _seen_by(request))
    if proposal.actor != request.auth:  # type: ignore[attr-defined]
        raise NotAllowed(f"proposal {number} is by {proposal.actor}, who alone withdraws it; you may reject it")
    decisions.withdraw_proposal(proposal)
    return answer_reading(store.Reading("", store.head()), status=204)


def describe_proposal(one: Proposal) -> dict[str, JSONValue]:
    """A proposal without what it would change."""
    told: dict[str, JSONValue] = {
        "proposal": one.pk,
        "state": one.state,
        "at": one.at.isoformat(),
        "actor": one.actor,
        "reason": one.reason,
        "base": one.base,
        "pointers": one.places,
        "count": one.operations,
    }
    if one.client:
        told["client"] = one.client
    if one.decided_at:
        told["decided"] = {"at": one.decided_at.isoformat(), "by": one.decided_by, "reason": one.answer}
        if one.revision:
            told["revision"] = one.revision
        if one.state == Proposal.IN_PART:
            told["accepted"] = one.accepted
    return told


def _seen_by(request: HttpRequest) -> str | None:
    """Whose proposals alone somebody sees, None for who sees all."""
    if Right.WRITE_STATE in request.grant.rights:  # type: ignore[attr-defined]
        return None
    actor: str = request.auth  # type: ignore[attr-defined]
    return actor
