"""What was taken out of an array and put elsewhere is one thing that moved; what was put back has not changed.

Things are told by their text: in one array always, from one to another where no second one is like it. An object may
have been edited on its way if its "id" (or "_id", "uuid", "key") says that it is the same. A member that was removed
and made anew has a new value.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from state.jsondoc.align import find_identity
from state.jsondoc.budget import spend_work
from state.jsondoc.diff import Op, diff_in_place
from state.jsondoc.pointer import parse_index, parse_pointer
from state.jsondoc.text import JSONValue, dump_json
from state.jsondoc.trees.diff import diff_trees
from state.jsondoc.trees.nodes import Body, Node, NodeTree, NodeValue, TouchedKids, list_nodes, make_top

NAMELESS = {"null", "true", "false"}  # values that are not told from one array to another
MOST_MOVES = 5000  # operations, or things; a value in which more than that may have moved is replaced whole
MOST_TEXT = 8_000_000  # characters of things that are compared; what lies beyond has not moved


def diff_values(old: JSONValue, new: JSONValue, at: str = "") -> tuple[list[Op], list[Op]]:
    """Operations that turn `old`, which stands at pointer `at`, into `new`, and those that turn it back."""
    forward, inverse = diff_in_place(old, new, at)
    if not may_move(forward):
        return forward, inverse
    if len(forward) > MOST_MOVES:
        return [{"op": "replace", "path": at, "value": new}], [{"op": "replace", "path": at, "value": old}]
    ways = condense_ops([_shifted(op, lambda path: path[len(at) :]) for op in forward], old)
    there, back = ([_shifted(op, lambda path: at + path) for op in way] for way in ways)
    return there, back


def _shifted(op: Op, shift: Callable[[str], str]) -> Op:
    return op | {name: shift(op[name]) for name in ("path", "from") if name in op}


def condense_ops(ops: Sequence[Op], document: NodeValue) -> tuple[list[Op], list[Op]]:
    """The operations that lead to the same document by moves and without detours, and those that lead back."""
    top = make_top(document)
    tree = NodeTree(top)
    for op in ops:
        tree.play(op)
    return diff_trees(NodeTree(top), recognise_moves(tree))


def may_move(ops: Sequence[Op]) -> bool:
    """Whether something may have been taken out of an array and put elsewhere."""
    gone = [op for op in ops if op["op"] == "remove" or (op["op"] == "replace" and _is_in_array(op))]
    came = [op for op in ops if op["op"] in ("add", "replace") and (_is_in_array(op) or _is_container(op["value"]))]
    return len(ops) > 1 and bool(gone and came)


def _is_in_array(op: Op) -> bool:
    return any(parse_index(token) is not None for token in parse_pointer(op["path"]))


def _is_container(value: JSONValue) -> bool:
    return isinstance(value, list | dict)


class _Thing(NamedTuple):
    node: Node
    home: Body | None
    text: str
    identity: tuple[str, str] | None


def recognise_moves(grown: NodeTree) -> NodeTree:
    """The same tree, in which what moved or came back is what it was in the document that the tree grew from."""
    base, tree = NodeTree(grown.top), NodeTree(grown.top, like=grown)
    left, entered = _list_passed(base, tree)
    mixed, passed = set(entered), set(left)
    twins = _separate(tree, [node for node in list(tree.filled_nodes()) if _has_other_value(base, tree, node, mixed)])
    twins = _rejoin(base, tree, twins + _find_namesakes(base, tree, mixed), mixed, passed, is_same=True)
    things, others = _list_both(base, tree, left, mixed)
    edited = _find_exchanged(base, tree, things, others, left.keys() | mixed)
    if edited:
        twins += _separate(tree, edited)
        things, others = _list_both(base, tree, left, mixed)
    pairs = _match(things, others)
    for old, came_as in pairs if len(pairs) <= MOST_MOVES else ():
        spend_work()
        if tree.is_alive(came_as.node) and not tree.is_alive(old.node):  # else it came with what it is in
            tree.replace_kid(came_as.node, old.node)
            _restore(base, tree, old.node, came_as.node, passed)
            mixed.update(owner for owner, _ in tree.lineage(tree.home(old.node)))
            passed.update(owner for owner, _ in base.lineage(old.node.home))
    _rejoin(base, tree, twins, mixed, passed)
    left, entered = _list_passed(base, tree)
    uneven = {one for one in left.keys() | entered if left.get(one) != entered.get(one)}
    _forget_detours(base, tree, tree.top, uneven, TouchedKids(tree))
    return tree


Passed = dict[Node, set[Node]]


def _list_passed(base: NodeTree, tree: NodeTree) -> tuple[Passed, Passed]:
    """What things were taken out of that are now elsewhere, and what they were put in, each with those things."""
    moved = [
        node
        for node in tree.placed_nodes()
        if node.home is not None and tree.home(node) is not node.home and base.is_alive(node) and tree.is_alive(node)
    ]
    left: Passed = defaultdict(set)
    entered: Passed = defaultdict(set)
    for node in moved:
        for owner, _ in base.lineage(node.home):
            left[owner].add(node)
        for owner, _ in tree.lineage(tree.home(node)):
            entered[owner].add(node)
    return left, entered


def _forget_detours(base: NodeTree, tree: NodeTree, node: Node, passed: set[Node], touched: TouchedKids) -> bool:
    """Let what is in a node be as it was wherever it reads the same. Returns whether the whole node does."""
    body = tree.body(node)
    if body is not node.body:
        return False
    if not tree.is_touched(body):
        return True
    kids, others = tree.kids(body), body.kids
    unlike = {
        kid
        for kid in touched.list_of(body)
        if kid.home is body and not _forget_detours(base, tree, kid, passed, touched)
    }
    if len(kids) != len(others) or (isinstance(kids, dict) and list(kids) != list(others)):
        return False
    pairs = zip(list_nodes(kids), list_nodes(others), strict=True)
    if unlike or not all(kid is other or _reads_same(base, tree, kid, other) for kid, other in pairs):
        return False
    if node is not tree.top and node not in passed:
        tree.copy_node(base, node)
    return True


def _reads_same(base: NodeTree, tree: NodeTree, kid: Node, other: Node) -> bool:
    return dump_json(tree.value(kid)) == dump_json(base.value(other))


def _has_other_value(base: NodeTree, tree: NodeTree, node: Node, mixed: set[Node]) -> bool:
    is_kept = base.is_alive(node) and tree.is_alive(node)
    return is_kept and node not in mixed and tree.body(node) is not node.body


def _separate(tree: NodeTree, nodes: Iterable[Node]) -> list[tuple[Node, Node]]:
    """Let the new value of each node be a thing of its own, for now. Returns the old ones with the new."""
    twins = [(node, Node(tree.value(node))) for node in nodes]
    for node, new in twins:
        tree.replace_kid(node, new)
    return twins


def _rejoin(
    base: NodeTree,
    tree: NodeTree,
    twins: Sequence[tuple[Node, Node]],
    mixed: Collection[Node],
    passed: Collection[Node],
    is_same: bool = False,
) -> list[tuple[Node, Node]]:
    """Let what followed a thing in its place be that thing, or only what reads the same. Returns what is left."""
    left = []
    for node, new in twins:
        is_other = not tree.is_alive(new) or tree.is_alive(node)
        if is_other or (is_same and not _reads_same(base, tree, new, node)):
            left.append((node, new))
            continue
        tree.replace_kid(new, node)
        if new in mixed:  # something is in it that was elsewhere
            tree.set_kids(node, Body(tree.value(new), node), copy.copy(tree.kids(tree.body(new))))
            tree.fill(node, tree.body(node))
        else:
            _restore(base, tree, node, new, passed)
    return left


def _find_exchanged(
    base: NodeTree, tree: NodeTree, things: Sequence[_Thing], others: Sequence[_Thing], passed: Collection[Node]
) -> list[Node]:
    """The items that read, after edits inside, as something else did, or as which something else now reads."""
    edited: dict[Node, tuple[str, str]] = {}
    budget = MOST_TEXT
    for node in (body.owner for body in tree.touched_bodies()):
        is_item = node.home is not None and isinstance(node.home.value, list) and node.home is tree.home(node)
        if is_item and budget > 0 and node not in passed and base.is_alive(node) and tree.is_alive(node):
            edited[node] = dump_json(base.value(node)), dump_json(tree.value(node))
            budget -= sum(map(len, edited[node]))
    gone = {old for old, _ in edited.values()} | {thing.text for thing in things}
    came = {new for _, new in edited.values()} | {thing.text for thing in others}
    return [node for node, (old, new) in edited.items() if old != new and (old in came or new in gone)]


def _find_namesakes(base: NodeTree, tree: NodeTree, mixed: set[Node]) -> list[tuple[Node, Node]]:
    """The members that went, with what has come under their name."""
    found = []
    for node in tree.placed_nodes():
        if node.home is None or not base.is_alive(node) or tree.is_alive(node):
            continue
        new = tree.member(node.home, node.name)
        if new is not None and new.home is None and new not in mixed:
            found.append((node, new))
    return found


def _list_both(base: NodeTree, tree: NodeTree, left: Passed, mixed: set[Node]) -> tuple[list[_Thing], list[_Thing]]:
    """The things that went, and those that came."""
    gone = [node for node in tree.placed_nodes() if base.is_alive(node) and not tree.is_alive(node)]
    came = [node for node in tree.placed_nodes() if not base.is_alive(node) and tree.is_alive(node)]
    things = _list_things(base, gone, set(left), lambda kid: tree.is_alive(kid) or tree.home(kid) is not kid.home)
    return list(things), list(_list_things(tree, came, mixed, base.is_alive))


def _list_things(
    tree: NodeTree, roots: Iterable[Node], mixed: set[Node], is_other: Callable[[Node], bool]
) -> Iterator[_Thing]:
    """The items of arrays among some nodes and all that is inside, but for those that something else went through."""
    pending, budget = list(roots)[::-1], MOST_TEXT
    while pending and budget > 0:
        node = pending.pop()
        home = tree.home(node)
        budget -= 1
        if node not in mixed and home is not None and isinstance(tree.kids(home), list):
            value = tree.value(node)
            text = dump_json(value)
            budget -= len(text)
            yield _Thing(node, home, text, find_identity(value))
        pending.extend(kid for kid in list_nodes(tree.kids(tree.body(node)))[::-1] if not is_other(kid))


def _match(things: Sequence[_Thing], others: Sequence[_Thing]) -> list[tuple[_Thing, _Thing]]:
    """What went and came again, with what it came as; what something is in before it."""
    found: dict[Node, tuple[_Thing, _Thing]] = {}
    left, came = list(things), list(others)
    for trait, is_only in [(_by_home, False), (_by_text, True), (_by_identity, True)]:
        groups: dict[Any, tuple[list[_Thing], list[_Thing]]] = defaultdict(lambda: ([], []))
        for side, some in enumerate((left, came)):
            for thing in some:
                groups[trait(thing)][side].append(thing)
        for key, (old, new) in groups.items():
            if key is not None and (not is_only or len(old) == len(new) == 1):
                found.update((one.node, (one, other)) for one, other in zip(old, new, strict=False))
        taken = {other.node for _, other in found.values()}
        left = [thing for thing in left if thing.node not in found]
        came = [thing for thing in came if thing.node not in taken]
    return [found[thing.node] for thing in things if thing.node in found]


def _by_home(thing: _Thing) -> tuple[Body | None, str]:
    return thing.home, thing.text


def _by_text(thing: _Thing) -> str | None:
    return None if thing.text in NAMELESS else thing.text


def _by_identity(thing: _Thing) -> tuple[str, str] | None:
    return thing.identity


def _restore(base: NodeTree, tree: NodeTree, node: Node, new: Node, left: Collection[Node]) -> None:
    """Give a node, which is where it belongs, the value that it has there: what it was, with what has changed."""
    value = tree.value(new)
    if node in left:  # parts of it are elsewhere
        tree.fill(node, Body(value, node))
        return
    tree.copy_node(base, node)
    for op in diff_values(base.value(node), value, tree.pointer(node))[0]:
        tree.play(op)
