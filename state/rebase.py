"""One operation list moved over another that was made from the same document: undo, merge and the cure of a 412.

Each member and item of the document they both started from has a hidden identity, which moves and renames keep. Paths
are read as identities on one side and written as paths on the other. Touched are: the value of a node (replaced, or
something put in), and its place (removed, or moved). It is a conflict if

- both sides touched the value of one node, or both its place, or one removed what the other touched in any way;
- one side replaced or removed a node and the other touched something inside it;
- both sides put different things under one name, or each moved something into the other's;
- they replaced or removed items next to each other in one array, or one put something between two items that the
  other removed.

It is none, and my operation drops out, where both sides end with the same text there. Two inserts at one place: theirs
first. What is in a moved node follows it. The order of members is a hint: it follows the neighbours.
"""

import copy
from collections.abc import Sequence
from typing import Literal, NamedTuple

from state import paths
from state.diffs import Op
from state.identities import Body, Node, Seen, Side, Step, Tree, gap_of, same
from state.patches import NOTHING, Nothing
from state.paths import Tokens


class Clash(NamedTuple):
    """Where two sides met: a pointer into the common base (into theirs, if they made it), and what each has there."""

    pointer: str
    base: Seen
    theirs: Seen
    mine: Seen
    my_op: Op
    their_op: Op | None


class Conflict(Exception):
    """The operations cannot both be kept; `conflicts` has every place, the other attributes are of the first."""

    def __init__(self, conflicts: list[Clash]) -> None:
        self.conflicts = conflicts
        self.pointer, self.mine, self.theirs = conflicts[0].pointer, conflicts[0].my_op, conflicts[0].their_op
        places = ", ".join(clash.pointer or "the root" for clash in conflicts)
        super().__init__(f"changed on both sides: {places}")


def rebase(
    ops: Sequence[Op], over: Sequence[Op], document: Seen, *, prefer: Literal["mine", "theirs"] | None = None
) -> list[Op]:
    """`ops` with the same intention, to apply after `over`. Both apply to `document`, and none of the three is changed.

    `prefer` says whose change stands where they meet; without it, Conflict is raised. Moves of two nodes into each
    other are a Conflict even if mine are preferred.
    """
    top = Node({} if isinstance(document, Nothing) else {"": document})
    theirs, mine = Side(top), Side(top)
    for op in over:
        theirs.play(op)
    steps = [mine.play(op) for op in ops]
    merge = _Merge(top, mine, theirs, prefer)
    for step in steps:
        merge.carry(step)
    if merge.clashes and (prefer is None or merge.knotted):
        raise Conflict(list(merge.clashes.values()))
    return merge.ops


def follow(tokens: Tokens, over: Sequence[Op], document: Seen) -> Tokens | None:
    """Where the node that is at `tokens` in `document`, or would be made there, is after `over`; None if it is gone."""
    top = Node({} if isinstance(document, Nothing) else {"": document})
    base, theirs = Tree(top), Side(top)
    for op in over:
        theirs.play(op)
    node, rest = top, ["", *tokens]
    while rest and (kid := base.kid(node, rest[0])):
        node = kid
        rest.pop(0)
    if node is top:
        return tuple(tokens)
    return None if theirs.broken(node) else (*paths.parse_pointer(theirs.pointer(node)), *rest)


class _Merge:
    """Carries my steps over to theirs, one by one. `here` is my state at that step, `merged` theirs with my steps."""

    def __init__(self, top: Node, mine: Side, theirs: Side, prefer: str | None) -> None:
        self.base, self.here, self.merged = Tree(top), Tree(top), Tree(top, theirs)
        self.mine, self.theirs, self.prefer = mine, theirs, prefer
        self.ops: list[Op] = []
        self.clashes: dict[str, Clash] = {}
        self.knotted = False
        # True: the node is as I leave it in the end; False: theirs stands. None of my later steps inside it counts.
        self.fates: dict[Node, bool] = {}
        self._agreed: dict[Node, bool] = {}
        self._repeated: dict[Node, bool] = {}
        self._above: set[Node] = set()  # nodes with something inside, or in their value, that they touched
        for node in theirs.filled:
            self._touch(node)
        for node in theirs.placed:
            if node.home:
                self._touch(node.home.owner)

    def _touch(self, node: Node) -> None:
        while node not in self._above:
            self._above.add(node)
            if node.home:
                node = node.home.owner

    def carry(self, step: Step) -> None:
        if step.kind in ("replace", "remove"):
            self._change(step)
            self.here.apply(step)
            return
        self.here.apply(step)
        {"add": self._add, "move": self._move, "order": self._order}[step.kind](self._aside(step))

    # What each kind of step does

    def _change(self, step: Step) -> None:
        node = step.node
        if node in self.fates or self._fate(self.merged.home(node)) is not None:
            return
        cut, saved = self.merged.broken(node), self._saved(node)
        if cut and not saved:
            self._blocked(cut, step)
            return
        touched = self._meets(step)
        if touched and not saved and self._agrees(node):
            self._settle(node)
            return
        theirs = saved or touched or self._beside(step)
        if theirs and not self._clash(node, step, theirs):
            self.fates[node] = False
        elif cut:
            self._restore(node)
        elif step.kind == "replace":
            self._emit_replace(node, step.body)
        else:
            self._emit_remove(node)

    def _add(self, step: Step) -> None:
        fate = self._admit(step)
        if fate is None and not self._make_room(step):
            fate = self.fates.get(step.node, False)
        if fate is not None:
            self.fates[step.node] = fate
            return
        self._emit_add(step.node, step.body, step.name, self.here, step.place is None)

    def _move(self, step: Step) -> None:
        node = step.node
        if node in self._above or node in self.theirs.by:
            self._above.update(owner for owner, _ in self.here.lineage(step.body))
        fate = self._fate_of_place(node)
        cut = self.merged.broken(node)
        if fate is None and cut:
            fate = self._blocked(cut, step)
        into = self._admit(step)
        if fate is not None or into is not None:
            self._move_across(step, fate, into)
        elif self.merged.within(step.body.owner, node):
            lineage = (owner for owner, _ in self.merged.lineage(step.body))
            theirs = next((self.theirs.placed[owner] for owner in lineage if owner in self.theirs.moved), None)
            self.knotted = self._clash(node, step, theirs) or self.knotted
        elif self._may_move(step) and self._make_room(step):
            if self.merged.broken(node):
                self._restore(node)
            else:
                self._emit_move(node, step.body, step.name, step.place is None)

    def _move_across(self, step: Step, fate: bool | None, into: bool | None) -> None:
        """A move out of, or into, what is settled already: the node is put in or taken out as it ends."""
        if fate is None and into:
            self.fates[step.node] = True
            self._emit_remove(step.node)
        elif fate and into is None and self.mine.moved[step.node] is step and not self._repeats(step):
            self._restore(step.node, anew=True)

    def _order(self, step: Step) -> None:
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

    def _admit(self, step: Step) -> bool | None:
        """The fate of what the step puts something in; None if it is there to take it."""
        fate = self._fate(step.body)
        cut = self.merged.broken(step.body)
        return self._blocked(cut, step) if fate is None and cut else fate

    def _blocked(self, cut: Node, step: Step) -> bool:
        """My step is inside a node that is gone or was replaced. Returns its fate: True if it stands as in mine."""
        out = self.merged.broken(step.node) and not self.mine.broken(step.node) and not self.mine.within(step.node, cut)
        leaves = step.kind == "move" and out
        if not leaves and self._agrees(cut):
            self._settle(cut)
        elif self._clash(cut, step, self._their_op(cut)):
            self._restore(cut)
        else:
            self.fates[cut] = False
        return self.fates[cut]

    def _settle(self, node: Node) -> None:
        """Both sides end alike here. What my earlier steps did inside is overtaken."""
        here = not self.mine.broken(node) and not self.merged.broken(node)
        if here and not same(self.mine.value(node), self.merged.value(node)):
            self._restore(node)
        self.fates[node] = True

    def _saved(self, node: Node) -> Op | None:
        """What they did to take something out of the node that I replace or remove."""
        theirs = self.theirs
        for other in theirs.moved if node in self._above else ():
            left = not theirs.broken(other) and not theirs.within(other, node)
            if left and self.here.within(other, node):
                return theirs.placed[other]
        return None

    def _meets(self, step: Step) -> Op | None:
        """What they did to the node that I replace or remove, or inside it."""
        node, theirs = step.node, self.theirs
        if step.kind == "remove" and node in theirs.moved:
            return theirs.placed[node]
        if node not in self._above:
            return None
        if node in theirs.filled:
            return theirs.filled[node]
        inside = (op for other, op in theirs.filled.items() if self.here.within(other, node))
        gone = (op for other, op in theirs.placed.items() if other is not node and self.here.within(other, node))
        return next(inside, None) or next(gone, None)

    def _beside(self, step: Step) -> Op | None:
        """What they did to a neighbour, in the base, of the item that I replace or remove."""
        node = step.node
        siblings = node.home.kids if node.home else {}
        if not isinstance(siblings, list):
            return None
        index = int(node.name)
        for first, second, other in [(index - 1, index, index - 1), (index, index + 1, index + 1)]:
            if not 0 <= other < len(siblings):
                continue
            neighbour = siblings[other]
            if neighbour in self.theirs.changed and neighbour not in self.mine.changed:
                return self.theirs.by[neighbour]
            gap = self.theirs.gaps.get((siblings[first], siblings[second]))
            if gap and step.kind == "remove" and neighbour in self.mine.removed:
                return gap
        return None

    def _may_move(self, step: Step) -> bool:
        node = step.node
        if node not in self.theirs.moved:
            return True
        return not self._same_place(node) and self._clash(node, step, self.theirs.placed[node])

    def _same_place(self, node: Node) -> bool:
        """Whether both sides moved the node to one place: one name, or one neighbour in an array."""
        body = self.mine.home(node)
        if body is None or self.theirs.home(node) is not body:
            return False
        mine, theirs = self.mine.kids(body), self.theirs.kids(body)
        if not isinstance(mine, list) or not isinstance(theirs, list):
            return self.mine.name(node) == self.theirs.name(node)
        ours, others = _around(self.mine, mine, node), _around(self.theirs, theirs, node)
        return ours[0] is others[0] or ours[1] is others[1]

    def _make_room(self, step: Step) -> bool:
        """Whether a node may come to its place: nobody is there under the name, and they left the gap in an array."""
        node = step.node
        taker = self.merged.member(step.body, step.name)
        if self.base.broken(node) and (self._repeats(step) or (taker and self._alike(node, taker))):
            self.fates[node] = True
            if step.kind == "move":
                self._emit_remove(node)
            return False
        gap = gap_of(self.here, node, step.body)
        if gap and all(item in self.theirs.removed for item in gap):
            return self._clash(gap[1], step, self._their_op(gap[1]))
        if taker is None or taker is node:
            return taker is None
        if not self._clash(taker, step, self._their_op(taker)):
            return False
        self._emit_remove(taker)
        return True

    def _aside(self, step: Step) -> Step:
        """The step, under a free name if a node of mine only passes through a name that is theirs."""
        node, body, name = step.node, step.body, step.name
        if self.mine.home(node) is not body or self.mine.name(node) != name:
            while self.merged.member(body, name) not in (None, node):
                name += "~"
        return step if name == step.name else step._replace(name=name)

    def _alike(self, node: Node, taker: Node) -> bool:
        """Whether the node I made ends as theirs, where theirs is."""
        home, name = self.mine.home(node), self.mine.name(node)
        stays = home is self.theirs.home(taker) and name == self.theirs.name(taker) and not self.theirs.broken(taker)
        return stays and same(self.mine.value(node), self.theirs.value(taker))

    def _repeats(self, step: Step) -> bool:
        """Whether both sides put the same items, and no others, between the same two."""
        node, body = step.node, step.body
        if node not in self._repeated and body.owner in self.theirs.filled and self.mine.home(node) is body:
            kids, others = self.mine.kids(body), self.theirs.kids(body)
            if isinstance(kids, list) and isinstance(others, list):
                run, left, right = _run(kids, self.mine.index(kids, node), self.mine.added)
                match = self._their_run(others, body, left, right)
                values = [self.mine.value(item) for item in run], [self.theirs.value(item) for item in match]
                self._repeated.update(dict.fromkeys(run, same(*values)))
        return self._repeated.get(node, False)

    def _their_run(self, kids: list[Node], body: Body, left: Node | None, right: Node | None) -> list[Node]:
        """The items they put between the same two; none if something else is there too."""
        if left is not None and self.theirs.home(left) is not body:
            return []
        start = 0 if left is None else self.theirs.index(kids, left) + 1
        run, _, end = _run(kids, start, self.theirs.added)
        return run if end is right else []

    def _agrees(self, node: Node) -> bool:
        """Whether both sides end with the same text at a node, or, for a member that is gone, under its name."""
        if node not in self._agreed:
            mine, theirs = self._seen(self.mine, node), self._seen(self.theirs, node)
            if isinstance(mine, Nothing) or isinstance(theirs, Nothing):
                self._agreed[node] = mine is theirs
            else:
                self._agreed[node] = same(mine, theirs)
        return self._agreed[node]

    def _seen(self, tree: Tree, node: Node) -> Seen:
        """What a side has at a node, or at the place of one that it does not have."""
        if tree.broken(node) is None:
            return tree.value(node)
        for other in (self.base, self.theirs, self.mine):
            home = other.home(node)
            if home is not None and other.broken(node) is None:
                found = tree.member(home, other.name(node))
                return NOTHING if found is None else tree.value(found)
        return NOTHING

    def _their_op(self, node: Node) -> Op | None:
        return self.theirs.by.get(node) or self.theirs.filled.get(node)

    def _clash(self, node: Node, step: Step, theirs: Op | None) -> bool:
        """Report a conflict, unless it is inside something that ends alike. Returns whether my step is to go on."""
        for owner, _ in self.here.lineage(self.here.home(node) or step.body):
            if owner in self.mine.changed and self._agrees(owner):
                self._settle(owner)
                return False
        trees = (self.base, self.theirs, self.mine)
        pointer = self._pointer(node, step.op["path"])
        if pointer not in self.clashes:
            base, others, ours = (self._seen(tree, node) for tree in trees)
            self.clashes[pointer] = Clash(pointer, base, others, ours, step.op, theirs)
        return self.prefer == "mine"

    def _pointer(self, node: Node, otherwise: str) -> str:
        """Where the node is in the base, or would be by what it is in there; else where it is on one of the sides."""
        for tree in (self.base, self.theirs, self.mine):
            home = tree.home(node)
            if home is None or tree.broken(node):
                continue
            if isinstance(tree.kids(home), dict) and home.owner is not tree.top and not self.base.broken(home.owner):
                return f"{self.base.pointer(home.owner)}/{paths.escape(str(tree.name(node)))}"
            return tree.pointer(node)
        return otherwise

    # What becomes of it

    def _place(self, node: Node, body: Body, like: Tree) -> int | None:
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

    def _emit_add(self, node: Node, body: Body, name: str, like: Tree, last: bool = False) -> None:
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


def _around(tree: Tree, kids: list[Node], node: Node) -> tuple[Node | None, Node | None]:
    index = tree.index(kids, node)
    return kids[index - 1] if index else None, kids[index + 1] if index + 1 < len(kids) else None


def _run(kids: list[Node], index: int, added: set[Node]) -> tuple[list[Node], Node | None, Node | None]:
    """The added items around an index, and their neighbours."""
    start = end = index
    while start and kids[start - 1] in added:
        start -= 1
    while end < len(kids) and kids[end] in added:
        end += 1
    return kids[start:end], kids[start - 1] if start else None, kids[end] if end < len(kids) else None
