"""Proposals as they are kept: one row each, which waits until it is decided."""

import hashlib
from collections.abc import Sequence

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from state.edits import Edit
from state.errors import InTheWay, NotThere, Oversized, TooMany
from state.fields import JSONText
from state.jsondoc.text import count_bytes, dump_json
from state.models import Proposal
from state.proposals.plan import is_still, locate_op
from state.revisions import Author

MOST_WAITING = 200  # of one who suggests
MOST_PLACES = 50  # that a list tells
AGAIN = 3600  # seconds after which a person may have decided


class UnknownProposal(NotThere):
    """No such proposal, or none that may be seen."""


class Decided(InTheWay):
    """It does not wait any more."""


class TooManyWaiting(TooMany):
    """So many proposals of one author wait that nobody can look at more."""


class ProposalTooLarge(Oversized):
    """The patches are larger than a write may be."""


def keep_proposal(changed: Sequence[Edit], author: Author, head: int) -> int:
    """Keep edits of what is stored now as a proposal, in the transaction that has seen that they are; its number.

    If the same waits already, it is that one's. Raises TooManyWaiting and ProposalTooLarge.
    """
    text = dump_json({edit.key: edit.forward for edit in changed})
    _check_size(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    waiting = Proposal.objects.filter(actor=author.actor, state=Proposal.WAITING)
    for one in waiting.filter(digest=digest):
        if is_still(one, changed):
            return one.pk
    if waiting.count() >= MOST_WAITING:
        raise TooManyWaiting(
            f"{MOST_WAITING} proposals of {author.actor} wait for a person already; withdraw some"
            " (DELETE /api/proposals/{number}), or wait until they are decided",
            AGAIN,
        )
    places = [locate_op(edit.key, op) for edit in changed for op in edit.forward]
    made = Proposal.objects.create(
        at=timezone.now(),
        actor=author.actor,
        source=author.source.value,
        client=str(author.info.get("client", "")),
        reason=author.reason,
        base=head,
        patches=JSONText(text),
        digest=digest,
        places=places[:MOST_PLACES],
        operations=len(places),
    )
    return made.pk


def _check_size(text: str) -> None:
    limit, size = settings.NOLA_MAX_BODY_MB << 20, count_bytes(text)
    if size > limit:
        raise ProposalTooLarge(f"the proposal would have {size:,} bytes; the limit (NOLA_MAX_BODY_MB) is {limit:,}")


def list_proposals(actor: str | None = None) -> QuerySet[Proposal]:
    """All proposals, newest first, or those of one actor; what they would change is read when it is asked for."""
    found = Proposal.objects.defer("patches")
    return found if actor is None else found.filter(actor=actor)


def find_proposal(number: int, actor: str | None = None) -> Proposal:
    """A proposal, if it is by `actor`. Raises UnknownProposal."""
    found = Proposal.objects.filter(pk=number, **({} if actor is None else {"actor": actor})).first()
    if found is None:
        raise UnknownProposal(f"there is no proposal {number}")
    return found


def count_waiting() -> int:
    """How many wait for a person."""
    return Proposal.objects.filter(state=Proposal.WAITING).count()


def check_waiting(proposal: Proposal) -> None:
    """Raises Decided."""
    if proposal.state != Proposal.WAITING:
        by = f" by {proposal.decided_by}" if proposal.decided_by else ""
        raise Decided(f"proposal {proposal.pk} was {proposal.state}{by} already; nothing was changed")


def close_proposal(number: int, state: str, by: str, answer: str = "", **more: object) -> None:
    """Note what was decided, in a transaction that may write. Raises Decided if it was before, and UnknownProposal."""
    waiting = Proposal.objects.filter(pk=number, state=Proposal.WAITING)
    if not waiting.update(state=state, decided_at=timezone.now(), decided_by=by, answer=answer, **more):
        check_waiting(find_proposal(number))
