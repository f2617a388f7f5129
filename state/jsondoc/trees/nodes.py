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


def make_top(document: NodeValue) -> Node:
    """The identity whose only member is the document; it has none where there is nothing."""
    return Node({} if isinstance(document, Nothing) else {"": document})


def list_nodes(kids: Kids) -> list[Node]:
    """The nodes among kids, in order."""
    return kids if isinstance(kids, list) else list(kids.values())


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
        self._dirty: dict[Body, None] = (
            dict(like._dirty) if like else {}
        )  # in order, so that results are always the same
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

    def is_alive(self, node: Node) -> bool:
        """Whether the node is part of the document."""
        return self.home(node) is not None and self.broken(node) is None

    def is_alive_body(self, body: Body) -> bool:
        """Whether a content is the one that its owner, a part of the document, was made with."""
        owner = body.owner
        return body is owner.body and (owner is self.top or self.is_alive(owner))

    def stands(self, body: Body) -> bool:
        """Whether a content is part of the document."""
        return self.body(body.owner) is body and self.broken(body) is None

    def placed_nodes(self) -> Iterator[Node]:
        """The nodes that came, went or moved."""
        return iter(self._homes)

    def filled_nodes(self) -> Iterator[Node]:
        """The nodes that have another content than they were made with."""
        return iter(self._bodies)

    def touched_bodies(self) -> Iterator[Body]:
        """The contents in which anything is not as it was made."""
        return iter(self._dirty)

    def list_items(self, body: Body) -> list[Node]:
        """The items of an array as they are, also after later changes."""
        kids = self._own(body)
        assert isinstance(kids, list)
        return kids

    def list_members(self, body: Body) -> dict[str, Node]:
        """The members of an object as they are, also after later changes."""
        kids = self._own(body)
        assert isinstance(kids, dict)
        return kids

    def is_touched(self, body: Body) -> bool:
        """Whether anything in a content is not as it was made."""
        return body in self._dirty

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

    def play(self, op: Op) -> TreeStep:
        """Apply an operation whose paths hold in this tree."""
        if op["op"] == "move":
            return self._move(op, ("", *parse_pointer(op["from"])), ("", *parse_pointer(op["path"])))
        step = self.read(op)
        self.apply(step)
        return step

    def _reach(self, tokens: Tokens) -> Body:
        body = self.top.body
        for token in tokens:
            body = self.body(self._kid(body, token))
        return body

    def _kid(self, body: Body, token: str) -> Node:
        kids = self.kids(body)
        return kids[int(token)] if isinstance(kids, list) else kids[token]

    def read(self, op: Op) -> TreeStep:
        """An operation, but no move, whose path holds in this tree."""
        path = ("", *parse_pointer(op["path"]))
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

    def set_kids(self, node: Node, body: Body, kids: Kids) -> None:
        """Give a node, which is not part of the document yet, a content with these kids."""
        for kid in list_nodes(self.kids(body)):
            if self.home(kid) is body:
                self._homes[kid] = None
        self._bodies[node], self._kids[body] = body, kids
        self._dirty[body] = None
        for name, kid in enumerate(kids) if isinstance(kids, list) else kids.items():
            self._homes[kid], self._names[kid] = body, name

    def copy_node(self, other: "NodeTree", node: Node) -> None:
        """Let what is in a node be as in another tree."""
        body = other.body(node)
        self.fill(node, body)
        if other.is_touched(body) or self.is_touched(body):
            kids = copy.copy(other.kids(body))
            self.set_kids(node, body, kids)
            for kid in list_nodes(kids):
                self.copy_node(other, kid)

    def replace_kid(self, node: Node, new: Node) -> None:
        """Let another node take the place of one."""
        body, name = self.home(node), self.name(node)
        assert body is not None
        kids = self._own(body)
        if isinstance(kids, list):
            name = self.index(kids, node)
            kids[name] = new
        else:
            kids[str(name)] = new
        self._homes[node], self._homes[new], self._names[new] = None, body, name

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
            self._dirty[body] = None
            body = self.home(body.owner)


class TouchedKids:
    """Which kids of a content differ in one of some trees from how they were made; in the order of the first tree."""

    def __init__(self, first: NodeTree, *others: NodeTree) -> None:
        self._tree = first
        self._kids: dict[Body, dict[Node, None]] = {}
        for tree in (first, *others):
            for node in (*(body.owner for body in tree.touched_bodies()), *tree.filled_nodes()):
                home = first.home(node)
                if home is not None:
                    self._kids.setdefault(home, {})[node] = None

    def list_of(self, body: Body) -> list[Node]:
        """The touched kids of a content."""
        found = self._kids.get(body, {})
        return [kid for kid in list_nodes(self._tree.kids(body)) if kid in found] if found else []


def has_same_kids(kids: Kids, others: Kids) -> bool:
    """Whether these are the same nodes, in one order and under the same names."""
    if isinstance(kids, dict) and isinstance(others, dict):
        return list(kids) == list(others) and list(kids.values()) == list(others.values())
    return kids == others


def is_same_node(one: JSONValue, other: JSONValue) -> bool:
    return dump_json(one) == dump_json(other)
