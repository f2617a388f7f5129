"""One side of a merge carried over the other, step by step: the rule of `rebase` at work."""

import copy
from collections.abc import Sequence
from typing import NamedTuple

from state.jsondoc.budget import spend_work
from state.jsondoc.diff import Op
from state.jsondoc.trees.nodes import Body, Node, NodeTree, NodeValue, TreeStep, is_same_node
from state.jsondoc.trees.sides import SideTree, ThreeWay, find_gap


class NodeConflict(NamedTuple):
    """Where two sides met: a pointer into the common base (into theirs, if they made it), and what each has there."""

    pointer: str
    base: NodeValue
    theirs: NodeValue
    mine: NodeValue
    their_op: Op | None
    node: Node


class Merge(ThreeWay):
    """Carries my steps over to theirs, one by one; `merged` is theirs with my steps."""

    def __init__(self, top: Node, mine: SideTree, theirs: SideTree, prefer: str | None) -> None:
        super().__init__(top, mine, theirs)
        self.merged, self.prefer = NodeTree(top, theirs), prefer
        self.ops: list[Op] = []
        self.conflicts: dict[str, NodeConflict] = {}
        self.knotted = False
        # True: the node is as I leave it in the end; False: theirs stands. None of my later steps inside it counts.
        self.fates: dict[Node, bool] = {}

    def carry(self, step: TreeStep) -> None:
        if step.kind in ("replace", "remove"):
            self._change(step)
            self.here.apply(step)
            return
        self.here.apply(step)
        {"add": self._add, "move": self._move, "order": self._order}[step.kind](self._aside(step))

    def carry_all(self, steps: Sequence[TreeStep]) -> "Merge":
        """Carry steps; returns this merge."""
        for step in steps:
            spend_work()
            self.carry(step)
        return self

    def describe_root(self) -> NodeConflict:
        """The whole documents as a conflict."""
        root = self.base.member(self.base.top.body, "") or self.theirs.member(self.base.top.body, "")
        assert root is not None
        base, others, ours = (self.value_in(tree, root) for tree in (self.base, self.theirs, self.mine))
        return NodeConflict("", base, others, ours, self.theirs_at(root), root)

    def theirs_at(self, node: Node) -> Op | None:
        """What they did there, or else the last that they did."""
        return self.their_op(node) or next(reversed(self.theirs.by.values()), None)

    # What each kind of step does

    def _change(self, step: TreeStep) -> None:
        node = step.node
        if node in self.fates or self._fate(self.merged.home(node)) is not None:
            return
        cut, saved = self.merged.broken(node), self.saved_from(node)
        if cut and not saved:
            self._blocked(cut, step)
            return
        touched = self.met_by(step)
        if touched and not saved and self.agrees(node):
            self._settle(node)
            return
        theirs = saved or touched or self.met_beside(step)
        if theirs and not self._conflict(node, step, theirs):
            self.fates[node] = False
        elif cut:
            self._restore(node)
        elif step.kind == "replace":
            self._emit_replace(node, step.body)
        else:
            self._emit_remove(node)

    def _add(self, step: TreeStep) -> None:
        fate = self._admit(step)
        if fate is None and not self._make_room(step):
            fate = self.fates.get(step.node, False)
        if fate is not None:
            self.fates[step.node] = fate
            return
        self._emit_add(step.node, step.body, step.name, self.here, step.place is None)

    def _move(self, step: TreeStep) -> None:
        node = step.node
        if node in self.above or node in self.theirs.by:
            self.above.update(owner for owner, _ in self.here.lineage(step.body))
        fate = self._fate_of_place(node)
        cut = self.merged.broken(node)
        if fate is None and cut:
            fate = self._blocked(cut, step)
        into = self._admit(step)
        if fate is not None or into is not None:
            self._move_across(step, fate, into)
        elif self.merged.is_within(step.body.owner, node):
            lineage = (owner for owner, _ in self.merged.lineage(step.body))
            theirs = next((self.theirs.placed[owner] for owner in lineage if owner in self.theirs.moved), None)
            self.knotted = self._conflict(node, step, theirs) or self.knotted
        elif self._may_move(step) and self._make_room(step):
            if self.merged.broken(node):
                self._restore(node)
            else:
                self._emit_move(node, step.body, step.name, step.place is None)

    def _move_across(self, step: TreeStep, fate: bool | None, into: bool | None) -> None:
        """A move out of, or into, what is settled already: the node is put in or taken out as it ends."""
        if fate is None and into:
            self.fates[step.node] = True
            self._emit_remove(step.node)
        elif fate and into is None and self.mine.moved[step.node] is step and not self.repeats(step):
            self._restore(step.node, anew=True)

    def _order(self, step: TreeStep) -> None:
        node, body = step.node, step.body
        if self.merged.home(node) is not body or self._fate(body) is not None or self.merged.broken(node):
            return
        path = self.merged.pointer(node)
        position = {}
        if isinstance(self.merged.kids(body), dict):
            self.merged.detach(node)
            place = self._place(node, body, self.here)
            self.merged.attach(node, body, self.merged.name(node), place)
            position = {"position": len(self.merged.kids(body)) - 1 if place is None else place}
        self.ops.append(step.op | {"from": path, "path": path} | position)

    # Where sides meet

    def _fate(self, body: Body | None) -> bool | None:
        for owner, _ in self.merged.lineage(body):
            if owner in self.fates:
                return self.fates[owner]
        return None

    def _fate_of_place(self, node: Node) -> bool | None:
        """The fate of what the node is in; its own if it never came to be."""
        body = self.merged.home(node)
        return self.fates.get(node) if body is None else self._fate(body)

    def _admit(self, step: TreeStep) -> bool | None:
        """The fate of what the step puts something in; None if it is there to take it."""
        fate = self._fate(step.body)
        cut = self.merged.broken(step.body)
        return self._blocked(cut, step) if fate is None and cut else fate

    def _blocked(self, cut: Node, step: TreeStep) -> bool:
        """My step is inside a node that is gone or was replaced. Returns its fate: True if it stands as in mine."""
        out = (
            self.merged.broken(step.node)
            and not self.mine.broken(step.node)
            and not self.mine.is_within(step.node, cut)
        )
        leaves = step.kind == "move" and out
        if not leaves and self.agrees(cut):
            self._settle(cut)
        elif self._conflict(cut, step, self.their_op(cut)):
            self._restore(cut)
        else:
            self.fates[cut] = False
        return self.fates[cut]

    def _settle(self, node: Node) -> None:
        """Both sides end alike here. What my earlier steps did inside is overtaken."""
        here = not self.mine.broken(node) and not self.merged.broken(node)
        if here and not is_same_node(self.mine.value(node), self.merged.value(node)):
            self._restore(node)
        self.fates[node] = True

    def _may_move(self, step: TreeStep) -> bool:
        node = step.node
        if node not in self.theirs.moved:
            return True
        return not self.same_place(node) and self._conflict(node, step, self.theirs.placed[node])

    def _make_room(self, step: TreeStep) -> bool:
        """Whether a node may come to its place: nobody is there under the name, and they left the gap in an array."""
        node = step.node
        taker = self.merged.member(step.body, step.name)
        if self.base.broken(node) and (self.repeats(step) or (taker and self._is_made_by_both(node, taker))):
            self.fates[node] = True
            if step.kind == "move":
                self._emit_remove(node)
            return False
        gap = find_gap(self.here, node, step.body)
        if gap and all(item in self.theirs.removed for item in gap):
            return self._conflict(gap[1], step, self.their_op(gap[1]))
        if taker is None or taker is node:
            return taker is None
        if not self._conflict(taker, step, self.their_op(taker)):
            return False
        self._emit_remove(taker)
        return True

    def _is_made_by_both(self, node: Node, taker: Node) -> bool:
        """Whether theirs is what I made: not what they moved there, which is theirs to say from the other side too."""
        is_moved = taker in self.theirs.moved and not self.base.broken(taker)
        return not is_moved and self.alike(node, taker)

    def _aside(self, step: TreeStep) -> TreeStep:
        """The step, under a free name if a node of mine only passes through a name that is theirs."""
        node, body, name = step.node, step.body, step.name
        if self.mine.home(node) is not body or self.mine.name(node) != name:
            while self.merged.member(body, name) not in (None, node):
                name += "~"
        return step if name == step.name else step._replace(name=name)

    def _conflict(self, node: Node, step: TreeStep, theirs: Op | None) -> bool:
        """Report a conflict, unless it is inside something that ends alike. Returns whether my step is to go on."""
        for owner, _ in self.here.lineage(self.here.home(node) or step.body):
            if self.agrees(owner):
                self._settle(owner)
                return False
        trees = (self.base, self.theirs, self.mine)
        pointer = self.pointer(node, step.op["path"])
        if pointer not in self.conflicts:
            base, others, ours = (self.value_in(tree, node) for tree in trees)
            self.conflicts[pointer] = NodeConflict(pointer, base, others, ours, theirs, node)
        return self.prefer == "mine"

    # What becomes of it

    def _place(self, node: Node, body: Body, like: NodeTree) -> int | None:
        """Where among the merged kids the node goes: before the next one that stands behind it in `like`."""
        kids, merged = like.kids(body), self.merged.kids(body)
        siblings = kids if isinstance(kids, list) else list(kids.values())
        start = like.index(siblings, node) if isinstance(kids, list) else siblings.index(node)
        for number in range(start + 1, len(siblings)):
            right = siblings[number]
            if self.merged.home(right) is body and right not in self.theirs.moved:
                if isinstance(merged, list):
                    return self.merged.index(merged, right)
                return list(merged).index(str(self.merged.name(right)))
        return None

    def _restore(self, node: Node, anew: bool = False) -> None:
        """Make a node what it is in mine in the end, wherever that is; `anew` although it is part of something else."""
        if node in self.fates and not anew:
            return
        self.fates[node] = True
        home = self.mine.home(node)
        if home is None or self.mine.broken(node):
            return
        value = copy.deepcopy(self.mine.value(node))
        if not anew and self.merged.broken(node) is None:
            self._emit_replace(node, Body(value, node))
            return
        cut = self.merged.broken(home)
        if cut:
            self._restore(cut)
            return
        taker = self.merged.member(home, self.mine.name(node))
        if taker:
            self._emit_remove(taker)
        self.merged.fill(node, Body(value, node))
        self._emit_add(node, home, str(self.mine.name(node)), self.mine)

    def _emit_add(self, node: Node, body: Body, name: str, like: NodeTree, last: bool = False) -> None:
        value = self.merged.value(node)
        place = None if last else self._place(node, body, like)
        self.merged.attach(node, body, name, place)
        self._emit({"op": "add", "path": self.merged.pointer(node), "value": value}, body, place)

    def _emit_move(self, node: Node, body: Body, name: str, last: bool) -> None:
        source = self.merged.pointer(node)
        self.merged.detach(node)
        place = None if last else self._place(node, body, self.here)
        self.merged.attach(node, body, name, place)
        self._emit({"op": "move", "from": source, "path": self.merged.pointer(node)}, body, place)

    def _emit_replace(self, node: Node, body: Body) -> None:
        self.ops.append({"op": "replace", "path": self.merged.pointer(node), "value": body.value})
        self.merged.fill(node, body)

    def _emit_remove(self, node: Node) -> None:
        self.ops.append({"op": "remove", "path": self.merged.pointer(node)})
        self.merged.detach(node)

    def _emit(self, op: Op, body: Body, place: int | None) -> None:
        in_object = isinstance(self.merged.kids(body), dict)
        self.ops.append(op | {"position": place} if in_object and place is not None else op)
