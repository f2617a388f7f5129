"""Documents as trees of identities: what a member or item is, through moves, renames and insertions beside it."""

import copy
from collections.abc import Iterator
from typing import Literal, NamedTuple

from state.jsondoc.diff import Op
from state.jsondoc.pointer import Tokens, format_pointer, parse_index, parse_pointer
from state.jsondoc.text import JSONValue, Nothing, dump_json

NodeValue = JSONValue | Nothing


class Node:
    """The identity of a member or item, with what it was made with. The document is the only member of the top."""

    __slots__ = ("_body", "home", "name", "value")

    def __init__(self, value: JSONValue, home: "Body | None" = None, name: str | int = "") -> None:
        self.value, self.home, self.name = value, home, name
        self._body: Body | None = None

    @property
    def body(self) -> "Body":
        if self._body is None:
            self._body = Body(self.value, self)
        return self._body


class Body:
    """One content of a node: a replaced node keeps its identity and has another body. Its kids are made when needed."""

    __slots__ = ("_kids", "owner", "value")

    def __init__(self, value: JSONValue, owner: Node) -> None:
        self.value, self.owner = value, owner
        self._kids: Kids | None = None

    @property
    def kids(self) -> "Kids":
        if self._kids is None:
            if isinstance(self.value, list):
                self._kids = [Node(item, self, index) for index, item in enumerate(self.value)]
            else:
                members = self.value.items() if isinstance(self.value, dict) else ()
                self._kids = {name: Node(value, self, name) for name, value in members}
        return self._kids


Kids = list[Node] | dict[str, Node]


class TreeStep(NamedTuple):
    """An operation with identities for paths. `body` is the new content, or where the node goes; `place` is the index
    there, or the position among the members, None for the end. An "order" is a move onto itself."""

    op: Op
    kind: Literal["add", "remove", "replace", "move", "order"]
    node: Node
    body: Body
    name: str = ""
    place: int | None = None


class NodeTree:
    """A state of the document: what differs from how its nodes were made."""

    def __init__(self, top: Node, like: "NodeTree | None" = None) -> None:
        self.top = top
        self._bodies: dict[Node, Body] = dict(like._bodies) if like else {}
        self._kids: dict[Body, Kids] = {body: copy.copy(kids) for body, kids in like._kids.items()} if like else {}
        self._homes: dict[Node, Body | None] = dict(like._homes) if like else {}
        self._names: dict[Node, str | int] = dict(like._names) if like else {}
        self._dirty: set[Body] = set(like._dirty) if like else set()
        self._shifts: int = like._shifts if like else 0  # an unmoved item is at most so far from where it was

    def body(self, node: Node) -> Body:
        return self._bodies.get(node) or node.body

    def kids(self, body: Body) -> Kids:
        found = self._kids.get(body)
        return body.kids if found is None else found

    def home(self, node: Node) -> Body | None:
        """The content the node is in; None for one that was removed or is not made yet."""
        return self._homes.get(node, node.home)

    def name(self, node: Node) -> str | int:
        """Its name, or roughly its index."""
        return self._names.get(node, node.name)

    def index(self, kids: list[Node], node: Node) -> int:
        near = int(self.name(node))
        try:
            return kids.index(node, max(0, near - self._shifts), near + self._shifts + 1)
        except ValueError:
            return kids.index(node)

    def lineage(self, body: Body | None) -> Iterator[tuple[Node, bool]]:
        """The owners from `body` upwards, each with whether the way down from it still stands."""
        while body is not None and body.owner is not self.top:
            owner = body.owner
            yield owner, self.body(owner) is body
            body = self.home(owner)
            if body is None:
                yield owner, False

    def broken(self, place: Node | Body) -> Node | None:
        """The topmost node whose removal or replacement cut the place off; None if it is part of the document."""
        body = place if isinstance(place, Body) else self.home(place)
        if body is None:
            assert isinstance(place, Node)
            return place
        cut = [owner for owner, stands in self.lineage(body) if not stands]
        return cut[-1] if cut else None

    def is_within(self, node: Node, ancestor: Node) -> bool:
        """Whether the node is the ancestor, or inside it."""
        if node is ancestor:
            return True
        for owner, stands in self.lineage(self.home(node)):
            if not stands or owner is ancestor:
                return stands
        return False

    def member(self, body: Body, name: str | int) -> Node | None:
        """The member of that name, if the body is part of the document and an object."""
        kids = self.kids(body)
        return kids.get(str(name)) if isinstance(kids, dict) and self.broken(body) is None else None

    def kid(self, node: Node, token: str) -> Node | None:
        """The member or item of a node that a token names."""
        kids = self.kids(self.body(node))
        if isinstance(kids, dict):
            return kids.get(token)
        index = parse_index(token)
        return kids[index] if index is not None and index < len(kids) else None

    def pointer(self, node: Node) -> str:
        tokens = []
        body = self.home(node)
        while body is not None and body.owner is not self.top:
            kids = self.kids(body)
            tokens.append(str(self.index(kids, node) if isinstance(kids, list) else self.name(node)))
            node, body = body.owner, self.home(body.owner)
        return format_pointer(tokens[::-1])

    def value(self, node: Node) -> JSONValue:
        body = self.body(node)
        if body not in self._dirty:
            return body.value
        kids = self.kids(body)
        if isinstance(kids, list):
            return [self.value(kid) for kid in kids]
        return {name: self.value(kid) for name, kid in kids.items()}

    def apply(self, step: TreeStep) -> None:
        if step.kind == "replace":
            self.fill(step.node, step.body)
            return
        if step.kind != "add":
            self.detach(step.node)
        if step.kind != "remove":
            self.attach(step.node, step.body, step.name, step.place)

    def fill(self, node: Node, body: Body) -> None:
        self._bodies[node] = body
        self._mark(self.home(node))

    def detach(self, node: Node) -> None:
        body = self.home(node)
        assert body is not None
        kids = self._own(body)
        if isinstance(kids, list):
            del kids[self.index(kids, node)]
        else:
            del kids[str(self.name(node))]
        self._homes[node] = None

    def attach(self, node: Node, body: Body, name: str | int, place: int | None) -> None:
        kids = self._own(body)
        if isinstance(kids, list):
            name = len(kids) if place is None else place
            kids.insert(name, node)
        else:
            behind = list(kids)[place:] if place is not None else []
            kids[str(name)] = node
            for other in behind:
                kids[other] = kids.pop(other)
        self._homes[node], self._names[node] = body, name

    def _own(self, body: Body) -> Kids:
        """The kids of a body, to be changed."""
        if body not in self._kids:
            self._kids[body] = copy.copy(body.kids)
        self._shifts += 1
        self._mark(body)
        return self._kids[body]

    def _mark(self, body: Body | None) -> None:
        while body is not None and body not in self._dirty:
            self._dirty.add(body)
            body = self.home(body.owner)


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
        """Apply an operation whose paths hold on this side."""
        path = ("", *parse_pointer(op["path"]))
        if op["op"] == "move":
            step = self._move(op, ("", *parse_pointer(op["from"])), path)
        else:
            step = self._read(op, path)
            self.apply(step)
        if step.kind != "order":
            self._note(step)
        return step

    def _reach(self, tokens: Tokens) -> Body:
        body = self.top.body
        for token in tokens:
            body = self.body(self._kid(body, token))
        return body

    def _kid(self, body: Body, token: str) -> Node:
        kids = self.kids(body)
        return kids[int(token)] if isinstance(kids, list) else kids[token]

    def _read(self, op: Op, path: Tokens) -> TreeStep:
        body, name = self._reach(path[:-1]), path[-1]
        kids = self.kids(body)
        if op["op"] == "add" and (isinstance(kids, list) or name not in kids):
            place = int(name) if isinstance(kids, list) else op.get("position")
            return TreeStep(op, "add", Node(op["value"]), body, name, place)
        node = self._kid(body, name)
        if op["op"] == "remove":
            return TreeStep(op, "remove", node, body)
        return TreeStep(op, "replace", node, Body(op["value"], node))

    def _move(self, op: Op, source: Tokens, path: Tokens) -> TreeStep:
        node = self._kid(self._reach(source[:-1]), source[-1])
        was = self.home(node)
        self.detach(node)
        body, name = self._reach(path[:-1]), path[-1]
        is_array = isinstance(self.kids(body), list)
        place = int(name) if is_array else op.get("position")
        self.attach(node, body, name, place)
        return TreeStep(op, "order" if source == path and was is body else "move", node, body, name, place)

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


def is_same_node(one: JSONValue, other: JSONValue) -> bool:
    return dump_json(one) == dump_json(other)
