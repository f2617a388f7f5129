"""Who wrote the parts of a value: its authors, counted over the blame of its leaves."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from state.models import Revision

SHOWN = 20  # leaves of one author that are named


@dataclass
class Writer:
    """One of those who wrote a value: how many leaves are theirs, their last change, and pointers to the newest."""

    actor: str
    last: Revision
    leaves: int = 0
    newest: list[str] = field(default_factory=list)


def of(leaves: Sequence[tuple[str, int]]) -> list[Writer]:
    """The authors of leaves, given as pointer and revision; who wrote last comes first."""
    revisions = Revision.objects.in_bulk({seq for _, seq in leaves})
    found: dict[str, Writer] = {}
    for pointer, seq in sorted(leaves, key=lambda leaf: -leaf[1]):
        revision = revisions[seq]
        author = found.setdefault(revision.actor, Writer(revision.actor, revision))
        author.leaves += 1
        if len(author.newest) < SHOWN:
            author.newest.append(pointer)
    return list(found.values())
