"""A log replayed as if some of its steps had never been: what undo makes of a document, and where it cannot.

Two trees of the same identities grow side by side: one as the log says, the other without the omitted steps. Later
steps that stay are repeated there on the things they were about. They meet an omitted step where they

- set or removed what it had set, or something that it changed the inside of; or went into what it had made or set;
- removed what it had moved, or moved it too;
- put something under a name that is taken without it.

It is no conflict where both sides end alike. Without a word, and with "theirs", the later step is repeated as if the
omitted one had been as far as it needs it; with "mine" it is left out there.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from state.jsondoc.diff import Op
from state.jsondoc.text import NOTHING, Nothing
from state.jsondoc.trees.diff import diff_trees
from state.jsondoc.trees.nodes import Body, Node, NodeTree, NodeValue, TreeStep, is_same_node, list_nodes, make_top


class LogStep(NamedTuple):
    """The operations of one revision, and whether it is to be left out."""

    revision: int
    ops: list[Op]
    is_omitted: bool


class Meeting(NamedTuple):
    """Where a step that stays met an omitted one: a pointer, as it was there, and what each side has there.

    `base` is what the omitted one had made of it; `by` the last revision that stays, `omitted` the last omitted one.
    """

    pointer: str
    base: NodeValue
    theirs: NodeValue
    mine: NodeValue
    by: int
    omitted: int | None


class Omission(NamedTuple):
    """The document without the omitted steps, what leads there from the whole log and back, and what met."""

    document: NodeValue
    forward: list[Op]
    inverse: list[Op]
    meetings: list[Meeting]


def replay_without(
    document: NodeValue, log: Iterable[LogStep], prefer: Literal["mine", "theirs"] | None = None
) -> Omission:
    """Replay a log from the document before it, without some of its steps. Nothing passed in is changed."""
    replay = _Replay(make_top(document), prefer)
    for step in log:
        for op in step.ops:
            replay.play(op, step)
    root = replay.rest.member(replay.rest.top.body, "")
    forward, inverse = diff_trees(replay.full, replay.rest)
    return Omission(
        NOTHING if root is None else replay.rest.value(root), forward, inverse, list(replay.list_meetings())
    )


class _Place(NamedTuple):
    """A place where sides met, to be compared once all has been played."""

    pointer: str
    base: NodeValue
    mine: NodeValue
    node: Node | None  # what is there; None: whatever has the name
    body: Body | None
    name: str | int
    between: tuple[Node | None, Node | None] | None = None  # the neighbours of a node that both moved
    by: int = 0
    omitted: int | None = None


class _Replay:
    def __init__(self, top: Node, prefer: str | None) -> None:
        self.full, self.rest, self.is_mine = NodeTree(top), NodeTree(top), prefer == "mine"
        self.touched: dict[Node, int] = {}  # what omitted steps set, made, removed or moved: the last of them
        self.set: set[Node] = set()
        self.moved: set[Node] = set()
        self.inside: dict[Node, list[Node]] = defaultdict(list)  # what was touched in a node
        self.places: dict[object, _Place] = {}
        self.former: dict[tuple[Body, str], Node] = {}  # the members that went, by what they were in, and their name
        self.content: Body | None = None  # of what is made anew by the step that is looked at
        self.revision = 0
        self.omitted: int | None = None  # the last revision that was left out

    def play(self, op: Op, log: LogStep) -> None:
        self.revision = log.revision
        step = self.full.play(op) if op["op"] == "move" else self._read(op)
        if log.is_omitted:
            self._omit(step)
        elif step.kind == "order":
            self._repeat_order(step)
        elif step.kind == "remove" and self.rest.broken(step.node) is step.node:
            if step.node in self.set:
                self._meet_node(step.node, step)  # it is not there either way, so far
        elif self._is_free(step) or not self.is_mine:
            self._repeat(step)
        if step.kind not in ("move", "order"):
            self._apply(self.full, step)

    def _read(self, op: Op) -> TreeStep:
        """A step. A member that is made where one was removed is that one, with another value."""
        step, self.content = self.full.read(op), None
        if step.kind == "remove" and isinstance(self.full.kids(step.body), dict):
            self.former[step.body, str(self.full.name(step.node))] = step.node
        former = self.former.get((step.body, step.name)) if step.kind == "add" else None
        if former is not None and self.full.home(former) is None:
            self.content = Body(op["value"], former)
            return step._replace(node=former)
        return step

    def _apply(self, tree: NodeTree, step: TreeStep) -> None:
        """Repeat a step that is no move, as it was."""
        tree.apply(step)
        if self.content:
            tree.fill(step.node, self.content)

    def list_meetings(self) -> Iterator[Meeting]:
        for place in self.places.values():
            node = place.node if place.node and self.rest.is_alive(place.node) else None
            if node is None and place.body is not None:
                node = self.rest.member(place.body, place.name)
            theirs = NOTHING if node is None else self.rest.value(node)
            if place.between and node is place.node and node is not None:
                is_same = self._is_back(node, place)
            else:
                is_same = _is_same(theirs, place.mine)
            if not is_same:
                yield Meeting(place.pointer, place.base, theirs, place.mine, place.by, place.omitted)

    # Steps that are left out

    def _omit(self, step: TreeStep) -> None:
        node = step.node
        self.omitted = self.revision
        if step.kind == "order":
            return
        if step.kind == "add" or self.rest.is_alive(node):
            self._touch(node, step.body if step.kind == "add" else self.full.home(node))
            self._touch(node, self.rest.home(node))
        if step.kind == "move":
            self.moved.add(node)
        else:
            self.set.add(node)

    def _touch(self, node: Node, body: Body | None) -> None:
        self.touched[node] = self.revision
        for tree in (self.full, self.rest):
            for owner, _ in tree.lineage(body):
                self.inside[owner].append(node)

    # Steps that stay: where they meet one that is left out

    def _is_free(self, step: TreeStep) -> bool:
        """Whether a step can be repeated as it was; else what is in its way is noted, and taken out of it."""
        node, into = step.node, step.body if step.kind in ("add", "move") else None
        places: list[Node | Body] = [node] if step.kind != "add" else []
        was_there = step.kind == "add" or self.rest.broken(node) is None
        for place in places if into is None else [*places, into]:
            is_first = True
            while self.rest.broken(place):
                self._meet_cut(place, step, is_first)
                is_first = False
                if self.is_mine:
                    return False
        met = was_there and (node in self.moved if step.kind == "move" else self._is_met(step))
        if met:  # what was not there has been told already
            self._meet_node(node, step)
        if into is None:
            return not met
        if step.kind == "move" and self.rest.is_within(into.owner, node):
            self._meet_node(node, step)
            met = True
            if not self.is_mine:
                self._give_in()
        taker = self.rest.member(into, step.name)
        if taker is not None and taker is not node:
            self._meet_taker(taker, step)
            met = True
        return not met

    def _is_met(self, step: TreeStep) -> bool:
        node = step.node
        if node in self.set or (step.kind == "remove" and node in self.moved):
            return True
        inside = (other for other in self.inside.get(node, ()) if other is not node)
        return any(self.rest.is_within(other, node) or self.full.is_within(other, node) for other in inside)

    def _meet_cut(self, place: Node | Body, step: TreeStep, is_first: bool) -> None:
        """A step inside what is not there, or has another content: it is put there as it is in the log."""
        cut, node = self.rest.broken(place), place.owner if isinstance(place, Body) else place
        if cut is None or not self.full.is_within(node, cut):
            cut = node
        home = self.full.home(cut)
        assert home is not None
        if self.rest.broken(home):
            self._meet_cut(home, step, is_first)
            return
        if is_first and self.rest.is_alive(cut):
            self._meet_node(cut, step)
        elif is_first:
            name = self.full.name(cut)
            taker = self.rest.member(home, name)
            mine = NOTHING if taker is None else self.rest.value(taker)
            pointer = step.op["from"] if cut is step.node and step.kind == "move" else self.full.pointer(cut)
            self._note(cut, _Place(pointer, self.full.value(cut), mine, cut, home, name), cut)
        if not self.is_mine:
            self._graft(cut, home)

    def _meet_node(self, node: Node, step: TreeStep) -> None:
        """A step on what an omitted one touched, too."""
        is_moved = step.kind == "move" and node is step.node
        is_there = self.full.home(node) is not None
        pointer = self.full.pointer(node) if is_there and not is_moved else step.op["from" if is_moved else "path"]
        base = self.full.value(node) if is_there else NOTHING
        home: Body | None = step.body
        mine: NodeValue = NOTHING
        between = None
        if self.rest.is_alive(node):
            home, mine = self.rest.home(node), self.rest.value(node)
            between = self._neighbours(node) if is_moved else None
        self._note(node, _Place(pointer, base, mine, node, home, self.rest.name(node), between), node)

    def _meet_taker(self, taker: Node, step: TreeStep) -> None:
        """A step puts something under a name that would be taken."""
        place = _Place(step.op["path"], NOTHING, self.rest.value(taker), None, step.body, step.name)
        self._note((step.body, step.name), place, taker)
        if not self.is_mine:
            self.rest.detach(taker)

    def _note(self, key: object, place: _Place, node: Node) -> None:
        """Keep a place; where they met there before, what the omitted steps would leave is what it was then."""
        known = self.places.get(key)
        inside = [self.touched[one] for one in (node, *self.inside.get(node, ())) if one in self.touched]
        omitted = max(inside, default=known.omitted if known else self.omitted)
        if known:  # what the omitted steps had made, and would leave, is what it was when they met first
            place = place._replace(base=known.base, mine=known.mine, pointer=known.pointer)
        self.places[key] = place._replace(by=self.revision, omitted=omitted)

    def _graft(self, node: Node, home: Body) -> None:
        """Put a node there as it is in the log, after all."""
        if any(self.rest.is_within(home.owner, other) for other in self._list_elsewhere(node)):
            self._give_in()
            return
        if not self.rest.is_alive(node):
            taker = self.rest.member(home, self.full.name(node))
            if taker is not None:
                self.rest.detach(taker)
            self._put(node, home, self.full.name(node))
        for other in self._list_elsewhere(node):
            self.rest.detach(other)
        self.rest.copy_node(self.full, node)

    def _list_elsewhere(self, node: Node) -> list[Node]:
        """What is inside a node of the log, but somewhere else without the omitted steps."""
        body, found = self.full.body(node), []
        for kid in list_nodes(self.full.kids(body)) if self.full.is_touched(body) else ():
            if self.rest.is_alive(kid) and self.rest.home(kid) is not body:
                found.append(kid)
            found += self._list_elsewhere(kid)
        return found

    def _give_in(self) -> None:
        """Nothing is left out of what was so far: what moved into what had moved out of it cannot be told apart."""
        self.rest = NodeTree(self.full.top, like=self.full)

    # Steps that stay: what they do

    def _repeat(self, step: TreeStep) -> None:
        node = step.node
        if step.kind == "add":
            if not self.rest.is_alive(node):
                self._put(node, step.body, step.name, step.place)
            if self.content:
                self.rest.fill(node, self.content)
        elif step.kind == "move":
            if not self.rest.is_within(step.body.owner, node):
                self.rest.detach(node)
                self._put(node, step.body, step.name)
        else:
            self.rest.apply(step)

    def _repeat_order(self, step: TreeStep) -> None:
        if self.rest.is_alive(step.node) and self.rest.home(step.node) is step.body:
            name = self.rest.name(step.node)
            self.rest.detach(step.node)
            self._put(step.node, step.body, name)

    def _put(self, node: Node, body: Body, name: str | int, index: int | None = -1) -> None:
        """Attach a node before the next one that stands behind it in the log; `index`: where it will be there."""
        self.rest.attach(node, body, name, self._find_place(node, body, index))

    def _find_place(self, node: Node, body: Body, index: int | None) -> int | None:
        kids = self.full.kids(body)
        if index is None:
            return None
        siblings = list_nodes(kids)
        if index < 0:
            start = (self.full.index(kids, node) if isinstance(kids, list) else siblings.index(node)) + 1
        else:
            start = index
        for number in range(start, len(siblings)):
            right = siblings[number]
            if self.rest.home(right) is body and right not in self.moved and right is not node:
                there = self.rest.kids(body)
                if isinstance(there, list):
                    return self.rest.index(there, right)
                return list(there).index(str(self.rest.name(right)))
        return None

    def _neighbours(self, node: Node) -> tuple[Node | None, Node | None]:
        body = self.rest.home(node)
        assert body is not None
        siblings = list_nodes(self.rest.kids(body))
        index = siblings.index(node)
        return siblings[index - 1] if index else None, siblings[index + 1] if index + 1 < len(siblings) else None

    def _is_back(self, node: Node, place: _Place) -> bool:
        """Whether a node that both moved ends where it is without the omitted steps."""
        if self.rest.home(node) is not place.body or place.body is None or place.between is None:
            return False
        if isinstance(self.rest.kids(place.body), dict):
            return self.rest.name(node) == place.name
        left, right = self._neighbours(node)
        return left is place.between[0] or right is place.between[1]


def _is_same(one: NodeValue, other: NodeValue) -> bool:
    if isinstance(one, Nothing) or isinstance(other, Nothing):
        return one is other
    return is_same_node(one, other)
