"""The kinds of memory that one history spans: keys of the state, and what the apps above keep beside them.

Each app registers its kinds in its `ready()`: how planned changes are written, and how changes are taken back.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from access.rights import Right
from state.errors import InTheWay
from state.jsondoc.pointer import escape_token
from state.jsondoc.projection import Ways
from state.jsondoc.text import Nothing
from state.jsondoc.trees.nodes import NodeValue
from state.models import Change
from state.revisions import Recorder

Prefer = Literal["mine", "theirs"] | None  # mine: the writer wins; theirs: what came later stays


class Planned(Protocol):
    """What a write is to do to one thing. Nothing in `forward`: it changes nothing."""

    @property
    def kind(self) -> str: ...

    @property
    def key(self) -> str: ...

    @property
    def forward(self) -> Any: ...


P = TypeVar("P", bound=Planned)


class Conflict(NamedTuple):
    """A later change in the way of a write: where, what the writer started from, what is there, what it would put.

    `by` is the revision of the later change, `undoing` the one that was to be undone; None where there is none.
    """

    kind: str
    key: str
    pointer: str
    base: NodeValue
    theirs: NodeValue
    yours: NodeValue
    by: int | None
    undoing: int | None = None


class ConflictError(InTheWay):
    """Later changes are in the way of a write; nothing was changed. `conflicts` has every place."""

    def __init__(self, what: str, conflicts: Sequence[Conflict], way_out: str) -> None:
        places = ", ".join(f"/{escape_token(one.key)}{one.pointer}" for one in conflicts[:5])
        more = f" and {len(conflicts) - 5} more" if len(conflicts) > 5 else ""
        super().__init__(f"{what} at {places}{more}; {way_out}")
        self.conflicts = conflicts

    @property
    def members(self) -> dict[str, Any]:
        return {"conflicts": [describe_conflict(one) for one in self.conflicts[:100]]}


def describe_conflict(one: Conflict) -> dict[str, Any]:
    """A conflict as it is shown; what is not there is left out."""
    absent = [name for name, value in one._asdict().items() if isinstance(value, Nothing)]
    absent += [name for name in ("by", "undoing") if getattr(one, name) is None]
    return {name: value for name, value in one._asdict().items() if name not in absent}


class UndoRequest(NamedTuple):
    """The changes of one key that are to be taken back, newest first, and all revisions that are undone with them."""

    key: str
    changes: Sequence[Change]
    revisions: Sequence[int]
    prefer: Prefer
    ways: Ways = None  # to what of the key the writer may see and touch


def belong_to_nobody(key: str, user_id: str) -> bool:
    """For kinds whose things are not somebody's."""
    return False


def keep_nothing(planned: Sequence[Any]) -> None:
    """For kinds of which nothing is kept before they are written."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be done with the changes of one kind."""

    is_current: Callable[[Sequence[Any], Recorder], bool]  # under the lock: what was planned from stands
    write: Callable[[Sequence[Any], Recorder], None]
    undo: Callable[[UndoRequest], tuple[Planned, list[Conflict]]]
    reads: Right  # what one needs to see them
    writes: Right  # ... to make them
    prepare: Callable[[Sequence[Any]], None] = keep_nothing  # without the lock, before it is written
    belongs_to: Callable[[str, str], bool] = belong_to_nobody  # whether a thing is one of those of a user id
    has_keys: bool = True  # its changes are of one thing each, by which they are asked for


_KINDS: dict[str, Kind] = {}


def names() -> list[str]:
    """All registered kinds."""
    return list(_KINDS)


def names_with_keys() -> list[str]:
    """Those whose changes can be asked for by key."""
    return [name for name, kind in _KINDS.items() if kind.has_keys]


def register(name: str, kind: Kind) -> None:
    """Make a kind known; `name` is what `Change.kind` says."""
    _KINDS[name] = kind


def get(name: str) -> Kind:
    """A registered kind. Raises KeyError."""
    return _KINDS[name]


def group(planned: Iterable[P]) -> list[tuple[Kind, list[P]]]:
    """The planned changes of each kind, in the order in which kinds were registered."""
    found: dict[str, list[P]] = {}
    for one in planned:
        found.setdefault(one.kind, []).append(one)
    return [(kind, found[name]) for name, kind in _KINDS.items() if name in found]
