"""Several checks and writes over several keys, as one revision: all of them, or none."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from state import conditions, edits, merging, store
from state.address import Address, NotFound, find_node_text
from state.edits import Edit
from state.entries import Stored, read_entry
from state.errors import Malformed, Refusal
from state.jsondoc.budget import spend_work
from state.jsondoc.patch import PatchFailed, check_patch
from state.jsondoc.pointer import Blocked, parse_pointer
from state.jsondoc.projection import Places, Ways, find_ways
from state.jsondoc.text import JSONValue, make_document

MOST = 128  # operations


class BadTransaction(Malformed):
    """Not a list of operations this call knows."""


class OperationFailed(Refusal):
    """An operation cannot be done, for the reason in `cause`, as which it is answered; none of them was."""

    def __init__(self, index: int, cause: Refusal) -> None:
        super().__init__(f"operation {index}: {cause}")
        self.index, self.cause, self.status = index, cause, cause.status

    @property
    def members(self) -> dict[str, Any]:
        return {"op_index": None} | self.cause.members | {"op_index": self.index}


class Operation(NamedTuple):
    """One checked operation: what to do at which address."""

    name: str
    address: Address
    argument: Any


def check(operations: JSONValue) -> list[Operation]:
    """The operations of a request. Raises BadTransaction, BadPointer, BadPatch and UnknownOp."""
    if not isinstance(operations, list):
        raise BadTransaction('"operations" must be an array')
    if len(operations) > MOST:
        raise BadTransaction(f"{len(operations)} operations are too many; {MOST} are taken at once")
    return [_checked(number, operation) for number, operation in enumerate(operations)]


def _checked(number: int, operation: JSONValue) -> Operation:
    if not isinstance(operation, dict) or operation.get("op") not in [*_DO]:
        raise BadTransaction(f'operation {number} needs an "op": {", ".join(_DO)}')
    name = str(operation["op"])
    needed = _ARGUMENT[name]
    if set(operation) != {"op", "pointer", *([needed] if needed else [])}:
        raise BadTransaction(f"operation {number} ({name}) takes pointer{f' and {needed}' if needed else ''}, no more")
    pointer = operation["pointer"]
    tokens = parse_pointer(pointer) if isinstance(pointer, str) else ()
    if not tokens:
        raise BadTransaction(f'operation {number} ({name}): "pointer" must name a key, such as /Tasks/0')
    argument = operation[needed] if needed else None
    return Operation(name, Address(tokens[0], tokens[1:]), check_patch(argument) if name == "patch" else argument)


def plan(
    operations: Sequence[Operation], base: int | None = None, places: Places | None = None
) -> Callable[[], list[Edit]]:
    """What the operations do, one after the other. The plan raises OperationFailed.

    With a `base`, the writes apply to the keys as they were at that revision, and are carried over what came since:
    the plan raises MergeConflict, too. Checks look at what is stored now, before any write. With `places`, all is as if
    there were nothing else in the keys.
    """

    def plan_all() -> list[Edit]:
        of_key: dict[str, list[tuple[int, Operation]]] = {}
        for number, operation in enumerate(operations):
            of_key.setdefault(operation.address.key, []).append((number, operation))
        was = {key: read_entry(key) for key in sorted(of_key)}
        failed: list[OperationFailed] = []
        found: list[Edit] = []
        for key, stored in was.items():
            ways = find_ways(places, key)
            try:
                planned = _plan_key(key, of_key[key], edits.project_entry(stored, ways), base, ways)
                found += [edits.widen(edit, stored, ways) for edit in planned]
            except OperationFailed as error:
                failed.append(error)
        if failed:
            raise min(failed, key=lambda error: error.index)
        return found

    return plan_all


def _plan_key(
    key: str, steps: Sequence[tuple[int, Operation]], was: Stored | None, base: int | None, ways: Ways
) -> list[Edit]:
    """The edit of one key, none if it is only looked at."""
    writes = [step for step in steps if step[1].name not in CHECKS]
    if base is None or not writes:
        return [_run(key, steps, was)] if writes else [*_done(steps, was)]
    _done([step for step in steps if step[1].name in CHECKS], was)
    return [merging.rebase_edit(Address(key), was, base, lambda stored: _run(key, writes, stored), ways=ways)]


def _run(key: str, steps: Sequence[tuple[int, Operation]], was: Stored | None) -> Edit:
    return edits.join(key, was, _done(steps, was))


def _done(steps: Sequence[tuple[int, Operation]], was: Stored | None) -> list[Edit]:
    """What the operations on one key do, each on what the one before it left. Raises OperationFailed."""
    now, done = was, []
    for number, operation in steps:
        spend_work(f"operation {number}")
        try:
            edit = _DO[operation.name](operation, now)
        except REASONS as error:
            raise OperationFailed(number, error) from error
        if edit:
            done.append(edit)
            now = None if edit.text is None else Stored(edit.text, was.revision if was else 0)
    return done


def _put(operation: Operation, was: Stored | None) -> Edit:
    store.check_key(operation.address.key)
    return edits.put(operation.address, make_document(operation.argument), was)


def _delete(operation: Operation, was: Stored | None) -> Edit:
    return edits.remove(operation.address, was)


def _merge(operation: Operation, was: Stored | None) -> Edit:
    store.check_key(operation.address.key)
    return edits.merge(operation.address, operation.argument, was)


def _patch(operation: Operation, was: Stored | None) -> Edit:
    return edits.patch(operation.address, operation.argument, was)


def _match(operation: Operation, was: Stored | None) -> None:
    """If-Match for one address: `*`, or the entity tag it must have."""
    asked = conditions.parse(str(operation.argument))
    text = find_node_text(operation.address, was and was.text)
    conditions.Conditions(match=asked).check_write(text, was.revision if was else 0)


def _absent(operation: Operation, was: Stored | None) -> None:
    text = find_node_text(operation.address, was and was.text)
    conditions.Conditions(none_match="*").check_write(text, was.revision if was else 0)


_DO: dict[str, Callable[[Operation, Stored | None], Edit | None]] = {
    "put": _put,
    "delete": _delete,
    "merge": _merge,
    "patch": _patch,
    "match": _match,
    "absent": _absent,
}
CHECKS = ("match", "absent")
_ARGUMENT = {"put": "value", "delete": "", "merge": "value", "patch": "patch", "match": "etag", "absent": ""}
REASONS = (
    NotFound,
    edits.TooLarge,
    edits.TooDeep,
    Blocked,
    PatchFailed,
    store.BadKey,
    conditions.BadCondition,
    conditions.PreconditionFailed,
)
