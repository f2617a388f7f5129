"""What turns one JSON value into another and back: objects by member, arrays by a longest common subsequence.

What changed its array is taken out and put in here; `moves.diff_values` tells that it moved. The result is JSON Patch
(RFC 6902) as history keeps it, with "position" where the order of members is at stake.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from state.jsondoc.align import align_items, may_be_same
from state.jsondoc.budget import spend_work
from state.jsondoc.pointer import escape_token
from state.jsondoc.text import JSONValue, dump_json

Op = dict[str, Any]
Pairs = Iterator[tuple[Op, Op]]

MAX_PAIRS = 1_000_000  # of items of an array; with more, those that stand once are told first; of members to reorder
MAX_INSERTS = 1_000_000_000  # likewise for new members times members that may have to make room for them
MAX_OPS = 1_000_000  # bytes of operations without their values, from where a patch is weighed against the documents
OP_BYTES = 30  # of an operation, beside its pointer and value


def diff_in_place(old: JSONValue, new: JSONValue, at: str = "") -> tuple[list[Op], list[Op]]:
    """Operations that turn `old`, which stands at pointer `at`, into `new`, and those that turn it back."""
    pairs: list[tuple[Op, Op]] = []
    written, allowed = 0, MAX_OPS
    for pair in _diff(old, new, at):
        spend_work()
        pairs.append(pair)
        written += 2 * (len(pair[0]["path"]) + OP_BYTES)
        if written > allowed:
            allowed = max(allowed, len(dump_json(old)) + len(dump_json(new)))
            if written > allowed:  # a patch that outgrows both documents helps nobody
                forward, inverse = _replace(old, new, at)
                return [forward], [inverse]
    return [forward for forward, _ in pairs], [inverse for _, inverse in reversed(pairs)]


def _diff(old: JSONValue, new: JSONValue, at: str) -> Pairs:
    if isinstance(old, dict) and isinstance(new, dict) and (not old or not new or old.keys() & new.keys()):
        yield from _diff_objects(old, new, at)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _diff_arrays(old, new, at)
    elif not _same_scalar(old, new):
        yield _replace(old, new, at)


def _same_scalar(old: JSONValue, new: JSONValue) -> bool:
    """Equal means equal stored text: 1 is not 1.0, 0.0 is not -0.0. Containers of different shape are never equal."""
    if type(old) is not type(new) or isinstance(old, (dict, list)):
        return False
    return repr(old) == repr(new) if isinstance(old, float) else old == new


def _replace(old: JSONValue, new: JSONValue, at: str) -> tuple[Op, Op]:
    return {"op": "replace", "path": at, "value": new}, {"op": "replace", "path": at, "value": old}


def _added(value: JSONValue, path: str, position: int | None) -> Op:
    op = {"op": "add", "path": path, "value": value}
    return op if position is None else op | {"position": position}


def _member(at: str, name: str) -> str:
    return f"{at}/{escape_token(name)}"


def _diff_objects(old: dict[str, JSONValue], new: dict[str, JSONValue], at: str) -> Pairs:
    if list(old) == list(new):
        for name, value in new.items():
            if not _same_scalar(old[name], value):
                yield from _diff(old[name], value, _member(at, name))
        return
    moved = _out_of_order(old, new)
    added = sum(name not in old for name in new)
    if len(moved) * len(old) > MAX_PAIRS or added * len(old) > MAX_INSERTS:
        yield _replace(old, new, at)
        return
    names = [name for name in old if name in new]  # as they will stand after each operation
    left = len(old)
    for position, name in reversed(list(enumerate(old))):
        if name not in new:
            left -= 1
            path = _member(at, name)
            yield {"op": "remove", "path": path}, _added(old[name], path, position if position < left else None)
    place = 0
    for name, value in new.items():
        path = _member(at, name)
        if name not in old:
            position_or_end = place if place < len(names) else None
            names.insert(place, name)
            yield _added(value, path, position_or_end), {"op": "remove", "path": path}
        else:
            if name in moved:
                was = names.index(name)
                names.pop(was)
                place -= was < place
                names.insert(place, name)
                yield _moved(path, place), _moved(path, was)
            else:
                place = names.index(name, place)
            yield from _diff(old[name], value, path)
        place += 1


def _moved(path: str, position: int) -> Op:
    return {"op": "move", "from": path, "path": path, "position": position}


def _out_of_order(old: dict[str, JSONValue], new: dict[str, JSONValue]) -> set[str]:
    """The fewest members that have to move: all common ones but those of a longest increasing run."""
    ranks = {name: rank for rank, name in enumerate(old)}
    common = [name for name in new if name in ranks]
    staying = find_rising([ranks[name] for name in common])
    return {name for number, name in enumerate(common) if number not in staying}


def find_rising(ranks: Sequence[int]) -> set[int]:
    """The indexes of a longest increasing run of different numbers (patience sorting)."""
    tails: list[int] = []  # smallest last rank of an increasing run of each length
    ends: list[int] = []  # and the index where it stands
    before: list[int | None] = []
    for index, rank in enumerate(ranks):
        length = bisect_left(tails, rank)
        before.append(ends[length - 1] if length else None)
        tails[length : length + 1] = [rank]
        ends[length : length + 1] = [index]
    staying = set()
    last = ends[-1] if ends else None
    while last is not None:
        staying.add(last)
        last = before[last]
    return staying


def _diff_arrays(old: list[JSONValue], new: list[JSONValue], at: str) -> Pairs:
    if len(old) == len(new) == 1 and may_be_same(
        old[0], new[0]
    ):  # else a deep nest of them would be dumped once a level
        yield from _diff(old[0], new[0], f"{at}/0")
        return
    ours, theirs = [dump_json(item) for item in old], [dump_json(item) for item in new]
    head = _common(ours, theirs)
    tail = _common(ours[head:][::-1], theirs[head:][::-1])
    left, right = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    matches = _find_matches(left, right)
    if not matches and len(left) * len(right) > MAX_PAIRS:
        yield _replace(old, new, at)
        return
    i = j = head
    for match_i, match_j in [*matches, (len(left), len(right))]:
        yield from _diff_run(old[i : head + match_i], new[j : head + match_j], at, j)
        i, j = head + match_i + 1, head + match_j + 1


def _diff_run(old: list[JSONValue], new: list[JSONValue], at: str, start: int) -> Pairs:
    """Operations for a run of items without equals, which stands at index `start` once all before it is done."""
    same = align_items(old, new) if old and new else []
    i = j = 0
    for one, other in [*same, (len(old), len(new))]:
        for item in old[i:one]:
            path = f"{at}/{start + j}"
            yield {"op": "remove", "path": path}, _added(item, path, None)
        for number in range(j, other):
            path = f"{at}/{start + number}"
            yield _added(new[number], path, None), {"op": "remove", "path": path}
        if one < len(old):
            yield from _diff(old[one], new[other], f"{at}/{start + other}")
        i, j = one + 1, other + 1


def _common(ours: list[str], theirs: list[str]) -> int:
    """How many items at the start are equal."""
    for count, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            return count
    return min(len(ours), len(theirs))


def _find_matches(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Index pairs of a common subsequence, in order: a longest one, or between what stands once on either side."""
    if len(old) * len(new) <= MAX_PAIRS:
        return _matches(old, new)
    there = {item: j for j, item in enumerate(new)}
    counts, others = Counter(old), Counter(new)
    once = [i for i, item in enumerate(old) if counts[item] == others[item] == 1]
    rising = find_rising([there[old[i]] for i in once])
    pairs: list[tuple[int, int]] = []
    i = j = 0
    for end_i, end_j in [*((once[n], there[old[once[n]]]) for n in sorted(rising)), (len(old), len(new))]:
        if (end_i - i) * (end_j - j) <= MAX_PAIRS:
            pairs += [(i + a, j + b) for a, b in _matches(old[i:end_i], new[j:end_j])]
        if end_i < len(old):
            pairs.append((end_i, end_j))
        i, j = end_i + 1, end_j + 1
    return pairs


def _matches(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Index pairs of a longest common subsequence, in order (bit-parallel, after Hyyrö 2004)."""
    if len(old) > len(new):  # the bits stand for the shorter side, whatever the other's length
        return [(i, j) for j, i in _matches(new, old)]
    masks: dict[str, int] = {}
    for i, item in enumerate(old):
        masks[item] = masks.get(item, 0) | 1 << i
    everything = row = (1 << len(old)) - 1
    rows = []  # bit i of row j is 0 where old[i] lengthens the subsequence of old[:i + 1] and new[:j + 1]
    for item in new:
        hits = row & masks.get(item, 0)
        row = (row + hits | row - hits) & everything
        rows.append(row)
    pairs = []
    i, j = len(old) - 1, len(new) - 1
    while i >= 0 and j >= 0:
        if rows[j] >> i & 1:
            i -= 1
        elif j and not rows[j - 1] >> i & 1:
            j -= 1
        else:
            pairs.append((i, j))
            i, j = i - 1, j - 1
    return pairs[::-1]
