"""Deciding about a proposal: accept all of it or some operations, reject it, withdraw it."""

from collections.abc import Sequence
from dataclasses import dataclass

from state import store
from state.models import Proposal
from state.proposals.plan import choose_operations, plan_accept
from state.proposals.records import check_waiting, close_proposal
from state.registry import Prefer
from state.revisions import Author, CommitNote, Source
from state.write_lock import write_transaction


@dataclass(frozen=True, slots=True)
class _Acceptance:
    """Closes a proposal in the transaction of the revision that it becomes."""

    number: int
    by: str
    pointers: Sequence[str] | None
    claim: CommitNote | None

    def keep(self, written: store.Written, place: str = "") -> None:
        state = Proposal.ACCEPTED if self.pointers is None else Proposal.IN_PART
        revision = written.revision if written.changed else None
        close_proposal(self.number, state, self.by, revision=revision, accepted=[*(self.pointers or [])])
        if self.claim:
            self.claim.keep(written, place)


def accept_proposal(
    proposal: Proposal,
    by: str,
    pointers: Sequence[str] | None = None,
    prefer: Prefer = None,
    claim: CommitNote | None = None,
) -> store.Written:
    """Write what was proposed, or the operations at the pointers, as one revision by who proposed it.

    The proposal is closed either way: what is not accepted of it is not asked again. Raises Decided, NoSuchOperation,
    NeedsMore, ProposalConflict, ProtectedPath and what a write raises; then it still waits.
    """
    check_waiting(proposal)
    taken = choose_operations(proposal, pointers)
    is_whole = all(all(some) for some in taken.values())
    note = _Acceptance(proposal.pk, by, None if is_whole else pointers, claim)
    info = {"proposal": proposal.pk, "accepted_by": by} | ({"client": proposal.client} if proposal.client else {})
    author = Author(proposal.actor, Source(proposal.source), proposal.reason, info, note)
    return store.commit(plan_accept(proposal, taken, prefer), author)


def reject_proposal(proposal: Proposal, by: str, answer: str = "") -> None:
    """Let it be. Raises Decided."""
    _close(proposal, Proposal.REJECTED, by, answer)


def withdraw_proposal(proposal: Proposal) -> None:
    """Take it back, by who proposed it. Raises Decided."""
    _close(proposal, Proposal.WITHDRAWN, proposal.actor)


def _close(proposal: Proposal, state: str, by: str, answer: str = "") -> None:
    with write_transaction():
        close_proposal(proposal.pk, state, by, answer)
