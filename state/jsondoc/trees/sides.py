"""Both sides of a merge, and where they meet: what one did, against what the other did."""

from state.jsondoc.diff import Op
from state.jsondoc.pointer import escape_token
from state.jsondoc.text import NOTHING, Nothing
from state.jsondoc.trees.nodes import Body, Node, NodeTree, NodeValue, TreeStep, is_same_node


class SideTree(NodeTree):
    """One side's state, and what it touched on the way there."""

    def __init__(self, top: Node) -> None:
        super().__init__(top)
        self.by: dict[Node, Op] = {}  # the last operation on each touched node
        self.filled: dict[Node, Op] = {}  # replaced, or something put in
        self.placed: dict[Node, Op] = {}  # removed or moved
        self.changed: set[Node] = set()  # replaced or removed
        self.removed: set[Node] = set()
        self.added: set[Node] = set()
        self.moved: dict[Node, TreeStep] = {}  # to the last move of each
        self.gaps: dict[tuple[Node, Node], Op] = {}  # neighbours that something was put between

    def play(self, op: Op) -> TreeStep:
        step = super().play(op)
        if step.kind != "order":
            self._note(step)
        return step

    def _note(self, step: TreeStep) -> None:
        op, kind, node = step.op, step.kind, step.node
        self.by[node] = op
        if kind in ("add", "move"):
            self.filled[step.body.owner] = op
            self._note_gap(step)
        if kind == "add":
            self.added.add(node)
        if kind == "replace":
            self.filled[node] = op
        if kind in ("remove", "move"):
            self.placed[node] = op
        if kind in ("remove", "replace"):
            self.changed.add(node)
        if kind == "remove":
            self.removed.add(node)
        if kind == "move":
            self.moved[node] = step

    def _note_gap(self, step: TreeStep) -> None:
        gap = find_gap(self, step.node, step.body)
        if gap:
            self.gaps[gap] = step.op


def find_gap(tree: NodeTree, node: Node, body: Body) -> tuple[Node, Node] | None:
    """The items on both sides of one that came in, if they were neighbours from the start."""
    kids = tree.kids(body)
    if not isinstance(kids, list):
        return None
    index = tree.index(kids, node)
    if not 0 < index < len(kids) - 1:
        return None
    left, right = kids[index - 1], kids[index + 1]
    if left.home is right.home is body and int(left.name) + 1 == right.name:
        return left, right
    return None


class ThreeWay:
    """What mine and theirs made of one base. `here` is my state at the step that is looked at."""

    def __init__(self, top: Node, mine: SideTree, theirs: SideTree) -> None:
        self.base, self.here = NodeTree(top), NodeTree(top)
        self.mine, self.theirs = mine, theirs
        self._agreed: dict[Node, bool] = {}
        self._repeated: dict[Node, bool] = {}
        self.above: set[Node] = set()  # nodes with something inside, or in their value, that they touched
        for node in theirs.filled:
            self._touch(node)
        for node in theirs.placed:
            if node.home:
                self._touch(node.home.owner)

    def _touch(self, node: Node) -> None:
        while node not in self.above:
            self.above.add(node)
            if node.home:
                node = node.home.owner

    def saved_from(self, node: Node) -> Op | None:
        """What they did to take something out of the node that I replace or remove."""
        theirs = self.theirs
        for other in theirs.moved if node in self.above else ():
            left = not theirs.broken(other) and not theirs.is_within(other, node)
            if left and self.here.is_within(other, node):
                return theirs.placed[other]
        return None

    def met_by(self, step: TreeStep) -> Op | None:
        """What they did to the node that I replace or remove, or inside it."""
        node, theirs = step.node, self.theirs
        if step.kind == "remove" and node in theirs.moved:
            return theirs.placed[node]
        if node not in self.above:
            return None
        if node in theirs.filled:
            return theirs.filled[node]
        inside = (op for other, op in theirs.filled.items() if self.here.is_within(other, node))
        gone = (op for other, op in theirs.placed.items() if other is not node and self.here.is_within(other, node))
        return next(inside, None) or next(gone, None)

    def met_beside(self, step: TreeStep) -> Op | None:
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

    def same_place(self, node: Node) -> bool:
        """Whether both sides moved the node to one place: one name, or one neighbour in an array."""
        body = self.mine.home(node)
        if body is None or self.theirs.home(node) is not body:
            return False
        mine, theirs = self.mine.kids(body), self.theirs.kids(body)
        if not isinstance(mine, list) or not isinstance(theirs, list):
            return self.mine.name(node) == self.theirs.name(node)
        ours, others = _around(self.mine, mine, node), _around(self.theirs, theirs, node)
        return ours[0] is others[0] or ours[1] is others[1]

    def alike(self, node: Node, taker: Node) -> bool:
        """Whether the node I made ends as theirs, where theirs is."""
        home, name = self.mine.home(node), self.mine.name(node)
        stays = home is self.theirs.home(taker) and name == self.theirs.name(taker) and not self.theirs.broken(taker)
        return stays and is_same_node(self.mine.value(node), self.theirs.value(taker))

    def repeats(self, step: TreeStep) -> bool:
        """Whether both sides put the same items, and no others, between the same two."""
        node, body = step.node, step.body
        if node not in self._repeated and body.owner in self.theirs.filled and self.mine.home(node) is body:
            kids, others = self.mine.kids(body), self.theirs.kids(body)
            if isinstance(kids, list) and isinstance(others, list):
                run, left, right = _run(kids, self.mine.index(kids, node), self.mine.added)
                match = self._their_run(others, body, left, right)
                values = [self.mine.value(item) for item in run], [self.theirs.value(item) for item in match]
                self._repeated.update(dict.fromkeys(run, is_same_node(*values)))
        return self._repeated.get(node, False)

    def _their_run(self, kids: list[Node], body: Body, left: Node | None, right: Node | None) -> list[Node]:
        """The items they put between the same two; none if something else is there too."""
        if left is not None and self.theirs.home(left) is not body:
            return []
        start = 0 if left is None else self.theirs.index(kids, left) + 1
        run, _, end = _run(kids, start, self.theirs.added)
        return run if end is right else []

    def agrees(self, node: Node) -> bool:
        """Whether both sides end with the same text at a node, or, for a member that is gone, under its name."""
        if node not in self._agreed:
            mine, theirs = self.value_in(self.mine, node), self.value_in(self.theirs, node)
            if isinstance(mine, Nothing) or isinstance(theirs, Nothing):
                self._agreed[node] = mine is theirs
            else:
                self._agreed[node] = is_same_node(mine, theirs)
        return self._agreed[node]

    def value_in(self, tree: NodeTree, node: Node) -> NodeValue:
        """What a side has at a node, or at the place of one that it does not have."""
        if tree.broken(node) is None:
            return tree.value(node)
        for other in (self.base, self.theirs, self.mine):
            home = other.home(node)
            if home is not None and other.broken(node) is None:
                found = tree.member(home, other.name(node))
                return NOTHING if found is None else tree.value(found)
        return NOTHING

    def their_op(self, node: Node) -> Op | None:
        return self.theirs.by.get(node) or self.theirs.filled.get(node)

    def pointer(self, node: Node, otherwise: str) -> str:
        """Where the node is in the base, or would be by what it is in there; else where it is on one of the sides."""
        for tree in (self.base, self.theirs, self.mine):
            home = tree.home(node)
            if home is None or tree.broken(node):
                continue
            if isinstance(tree.kids(home), dict) and home.owner is not tree.top and not self.base.broken(home.owner):
                return f"{self.base.pointer(home.owner)}/{escape_token(str(tree.name(node)))}"
            return tree.pointer(node)
        return otherwise


def _around(tree: NodeTree, kids: list[Node], node: Node) -> tuple[Node | None, Node | None]:
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
