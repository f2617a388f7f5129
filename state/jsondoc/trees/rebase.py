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
first. What is in a moved node follows it. The order of members is a hint: it follows the neighbours. A merge that would
be a conflict, or something else, from the other side's point of view is one.
"""

from collections.abc import Sequence
from typing import Literal

from state.jsondoc.diff import Op
from state.jsondoc.pointer import Tokens, parse_pointer
from state.jsondoc.trees.diff import diff_trees
from state.jsondoc.trees.merge import Merge, NodeConflict
from state.jsondoc.trees.moves import recognise_moves
from state.jsondoc.trees.nodes import Node, NodeTree, NodeValue, is_same_node, is_same_tree, make_top
from state.jsondoc.trees.sides import SideTree


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

    `prefer` says whose change stands where they meet; without it, Conflict is raised. Moves of two nodes into each
    other are a Conflict even if mine are preferred.
    """
    top = make_top(document)
    log = SideTree(top)
    for op in over:
        log.play(op)
    there, _ = diff_trees(NodeTree(top), recognise_moves(log), strict=False)
    if not there:
        return list(ops)
    theirs, mine = SideTree(top), SideTree(top)
    their_steps = [theirs.play(op) for op in there]
    my_steps = [mine.play(op) for op in _list_meant(top, ops)]
    merge = Merge(top, mine, theirs, prefer).carry_all(my_steps)
    found = list(merge.conflicts.values()) if prefer is None or merge.knotted else []
    if prefer is None and not found:
        found = _check_other_way(merge, Merge(top, theirs, mine, None).carry_all(their_steps))
    if found:
        origins = {id(step.op): step.node for step in their_steps}
        raise RebaseConflict([one._replace(their_op=_find_origin(one.their_op, origins, theirs, log)) for one in found])
    return merge.ops


def _check_other_way(merge: Merge, other: Merge) -> list[NodeConflict]:
    """What is in the way of theirs over mine, although mine over theirs goes: then it is not safe to say what is meant.

    So it is where the two do not end alike, but for the order of what both put in.
    """
    found = [
        one._replace(theirs=one.mine, mine=one.theirs, their_op=merge.theirs_at(one.node))
        for one in other.conflicts.values()
    ]
    if not found and not is_same_tree(merge.merged, other.merged):
        found = [merge.describe_root()]
    return found


def _list_meant(top: Node, ops: Sequence[Op]) -> list[Op]:
    """What a writer did in sum, after the values that were set to what they had been: they are meant to be so."""
    base, tree, kept = NodeTree(top), NodeTree(top), dict[Node, None]()
    for op in ops:
        if op["op"] == "replace":
            step = tree.read(op)
            if is_same_node(tree.value(step.node), op["value"]):
                kept[step.node] = None
                continue
        tree.play(op)
    tree = recognise_moves(tree)
    claims: list[Op] = []
    for node in kept:
        if base.is_alive(node) and tree.is_alive(node) and is_same_node(base.value(node), tree.value(node)):
            claims.append({"op": "replace", "path": base.pointer(node), "value": base.value(node)})
    return claims + diff_trees(base, tree, strict=False)[0]


def _find_origin(op: Op | None, origins: dict[int, Node], theirs: SideTree, log: SideTree) -> Op | None:
    """The operation, as it was written, that one of the sum comes from: the last one on the node or what it is in."""
    node = origins.get(id(op))
    if node is None:
        return op
    owners = [node, *(owner for owner, _ in NodeTree(log.top).lineage(node.home))]
    if theirs.is_alive(node):  # under another identity in the log, if it was made there
        at = log.top
        for token in ("", *parse_pointer(theirs.pointer(node))):
            found = log.kid(at, token)
            if found is None:
                break
            owners.insert(1, at := found)
    return next((log.by[one] for one in owners if one in log.by), None)


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
