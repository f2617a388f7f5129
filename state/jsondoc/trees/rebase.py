"""One operation list moved over another that was made from the same document: merge, and the cure of a 412.

Of both sides only the sum counts (`moves.recognise_moves`): what cancels is none, what was put elsewhere has moved.
Each member and item of the document they both started from has a hidden identity, which moves and renames keep. Paths
are read as identities on one side and written as paths on the other. Touched are: the value of a node (replaced, or
something put in), and its place (removed, or moved). It is a conflict if

- both sides touched the value of one node, or both its place, or one removed what the other touched in any way;
- one side replaced or removed a node and the other touched something inside it;
- both sides put different things under one name, or each moved something into the other's;
- they replaced or removed items next to each other in one array, or one put something between two items that the
  other removed.

It is none, and my operation drops out, where both sides end with the same text there. Two inserts at one place: theirs
first; the same run of new items, and no others, at one place stands once. What is in a moved node follows it. The order
of members is a hint: it follows the neighbours. What is a conflict is one from both sides.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from state.jsondoc.diff import Op
from state.jsondoc.pointer import Tokens, parse_pointer
from state.jsondoc.trees.diff import diff_trees
from state.jsondoc.trees.merge import Clash, merge_trees
from state.jsondoc.trees.moves import recognise_moves
from state.jsondoc.trees.nodes import Node, NodeTree, NodeValue, is_same_node, make_top

MOST_TRACED = 100  # conflicts whose operation is looked for


class NodeConflict(NamedTuple):
    """Where two sides met: a pointer into the common base, what each has there, and what they did there last."""

    pointer: str
    base: NodeValue
    theirs: NodeValue
    mine: NodeValue
    their_op: Op


class RebaseConflict(Exception):
    """The operations cannot both be kept; `conflicts` has every place, the other attributes are of the first."""

    def __init__(self, conflicts: list[NodeConflict]) -> None:
        self.conflicts = conflicts
        self.pointer, self.theirs = conflicts[0].pointer, conflicts[0].their_op
        places = ", ".join(conflict.pointer or "the root" for conflict in conflicts)
        super().__init__(f"changed on both sides: {places}")


def rebase_patch(
    ops: Sequence[Op], over: Sequence[Op], document: NodeValue, *, prefer: Literal["mine", "theirs"] | None = None
) -> list[Op]:
    """`ops` with the same intention, to apply after `over`. Both apply to `document`, and none of the three is changed.

    `prefer` says whose change stands where they meet; without it, RebaseConflict is raised. It is with it, too, where
    one has moved things into the other's, or to a place where the other's would have to be.
    """
    top = make_top(document)
    log, steps = NodeTree(top), dict[Node, int]()
    for number, op in enumerate(over):
        steps[log.play(op).node] = number
    theirs = recognise_moves(log)
    if not diff_trees(NodeTree(top), theirs)[0]:
        return list(ops)
    mine, claims = _read_meant(top, ops)
    tree, clashes = merge_trees(mine, theirs, claims, prefer)
    if clashes:
        raise RebaseConflict(list(_describe(clashes, over, steps, log)))
    return diff_trees(theirs, tree)[0]


def _read_meant(top: Node, ops: Sequence[Op]) -> tuple[NodeTree, list[Node]]:
    """What a writer did in sum, and the values that were set to what they had been: they are meant to be so."""
    base, tree, kept = NodeTree(top), NodeTree(top), dict[Node, None]()
    for op in ops:
        if op["op"] == "replace":
            step = tree.read(op)
            if is_same_node(tree.value(step.node), op["value"]):
                kept[step.node] = None
                continue
        tree.play(op)
    tree = recognise_moves(tree)
    known = (node for node in kept if base.is_alive(node) and tree.is_alive(node))
    return tree, [node for node in known if is_same_node(base.value(node), tree.value(node))]


def _describe(
    clashes: Sequence[Clash], over: Sequence[Op], steps: dict[Node, int], log: NodeTree
) -> Iterator[NodeConflict]:
    """The clashes, with the last of the operations, as they were written, that touched each place."""
    base = NodeTree(log.top)
    for number, clash in enumerate(clashes):
        node = clash.node or (log.member(clash.body, clash.name) if clash.body else None)
        near = _find_near(node, steps, (base, log)) if node and number < MOST_TRACED else -1
        yield NodeConflict(clash.pointer, clash.base, clash.theirs, clash.mine, over[near])


def _find_near(node: Node, steps: dict[Node, int], trees: Sequence[NodeTree]) -> int:
    """The number of the last operation on a node or in it, else on what it is in; the last of all if there is none."""
    on_it = (step for one, step in steps.items() if any(tree.is_within(one, node) for tree in trees))
    above = (step for one, step in steps.items() if any(tree.is_within(node, one) for tree in trees))
    return max(on_it, default=max(above, default=-1))


def follow_node(tokens: Tokens, over: Sequence[Op], document: NodeValue) -> Tokens | None:
    """Where the node that is at `tokens` in `document`, or would be made there, is after `over`; None if it is gone."""
    top = make_top(document)
    base, log = NodeTree(top), NodeTree(top)
    for op in over:
        log.play(op)
    theirs = recognise_moves(log)
    node, rest = top, ["", *tokens]
    while rest and (kid := base.kid(node, rest[0])):
        node = kid
        rest.pop(0)
    if node is top:
        return tuple(tokens)
    return None if theirs.broken(node) else (*parse_pointer(theirs.pointer(node)), *rest)
