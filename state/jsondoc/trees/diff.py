"""What turns one tree of identities into another: as a diff of values, but what only changed its place is moved.

Both trees grew from the same document. Places are settled from the top down, so that what something goes into is there
already; what something still has to come out of goes last.
"""

from state.jsondoc.budget import spend_work
from state.jsondoc.diff import Op, diff_in_place, find_rising
from state.jsondoc.text import JSONValue
from state.jsondoc.trees.nodes import Body, Node, NodeTree, TouchedKids, has_same_kids

Pair = tuple[Op, Op]


def diff_trees(old: NodeTree, new: NodeTree) -> tuple[list[Op], list[Op]]:
    """Operations that turn one tree into the other, and those that turn it back. Their values are not copies.

    No move goes to below its source, also where that has left the way: RFC 6902 section 4.4 forbids it.
    """
    way = _Way(old, new)
    way.settle(old.top.body)
    way.sweep()
    return [forward for forward, _ in way.pairs], [back for _, back in reversed(way.pairs)]


class _Way:
    """The operations so far; `now` is the tree that they lead to."""

    def __init__(self, old: NodeTree, new: NodeTree) -> None:
        self.old, self.new, self.now = old, new, NodeTree(old.top, like=old)
        self.pairs: list[Pair] = []
        self.moving = {
            node
            for node in {*old.placed_nodes(), *new.placed_nodes()}
            if old.home(node) is not new.home(node) and old.is_alive(node) and new.is_alive(node)
        }
        self.left = {owner for node in self.moving for owner, _ in old.lineage(old.home(node))}
        self.entered = {owner for node in self.moving for owner, _ in new.lineage(new.home(node))}
        self.touched = TouchedKids(new, old)
        self.late: list[Node] = []  # what goes once everything has come out of it
        self.copied: set[Node] = set()  # is as in `new` already, with all that is inside

    def settle(self, body: Body) -> None:
        """Bring what is in a content, which both trees have at one place, to how it is in the new one."""
        if not self.new.is_touched(body) and not self.now.is_touched(body):
            return
        kids = self.new.kids(body)
        if has_same_kids(kids, self.now.kids(body)):
            pass
        elif isinstance(kids, list):
            self._settle_items(body, kids)
        else:
            self._settle_members(body, kids)
        for kid in self.touched.list_of(body):
            if kid not in self.copied:
                self._settle_node(kid)

    def sweep(self) -> None:
        """Remove, or give its new content, what things had to come out of before."""
        for node in self.late:
            if self.new.is_alive(node):
                self._refill(node, node)
            elif self.now.is_alive(node):
                self._remove(node)

    def _settle_node(self, node: Node) -> None:
        body = self.new.body(node)
        if body is self.now.body(node):
            self.settle(body)
        elif node in self.left and node not in self.entered:
            self.late.append(node)
        else:
            self._refill(node, node)
            if node not in self.copied:
                self.settle(body)

    # The kids of one content

    def _settle_items(self, body: Body, wanted: list[Node]) -> None:
        items, staying = self.now.list_items(body), set(wanted)
        index = 0
        while index < len(items):
            index += items[index] in staying or not self._drop(items[index], index)
        ranks = {item: rank for rank, item in enumerate(items)}
        common = [item for item in wanted if item in ranks]
        rising = find_rising([ranks[item] for item in common])
        steady = {common[number] for number in rising}
        place = 0
        for item in wanted:
            if item in steady:
                place = items.index(item, place)
            else:
                before = item in ranks and items.index(item) < place
                place -= before
                self._bring(item, body, place, None)
            place += 1

    def _settle_members(self, body: Body, wanted: dict[str, Node]) -> None:
        have = self.now.list_members(body)
        for name, node in list(have.items()):
            new = wanted.get(name)
            if new is None:
                self._drop(node, None)
            elif new is not node and self._can_drop(node) and not self._comes(new):
                self._succeed(node, new)
            elif new is not node:
                self._drop(node, None)
        ranks = {name: rank for rank, name in enumerate(have)}
        common = [name for name in wanted if have.get(name) is wanted[name]]
        rising = find_rising([ranks[name] for name in common])
        steady = {common[number] for number in rising}
        names, place = list(have), 0
        for name, node in wanted.items():
            if name in steady:
                place = names.index(name, place) + 1
                continue
            if have.get(name) is node:
                was = names.index(name)
                names.pop(was)
                place -= was < place
                self._reorder(node, place, was)
            else:
                if self.now.home(node) is body:
                    was = names.index(str(self.now.name(node)))
                    names.pop(was)
                    place -= was < place
                if name in have:
                    free = self._step_aside(have[name], body, wanted)
                    names[names.index(name)] = free
                self._bring(node, body, name, place if place < len(names) else None)
            names.insert(place, name)
            place += 1

    def _step_aside(self, node: Node, body: Body, wanted: dict[str, Node]) -> str:
        """A member leaves its name to another, for one that is free, until its turn comes."""
        kids = self.now.list_members(body)
        name = str(self.now.name(node))
        place = list(kids).index(name)
        while name in kids or name in wanted:
            name += "~"
        self._move(node, body, name, place if place < len(kids) - 1 else None)
        return name

    # One node

    def _comes(self, node: Node) -> bool:
        """Whether the node is somewhere else now, to be moved."""
        return self.now.is_alive(node)

    def _can_drop(self, node: Node) -> bool:
        return node not in self.moving and node not in self.left and not self.new.is_alive(node)

    def _drop(self, node: Node, index: int | None) -> bool:
        """Remove what is in the new tree no more, now or later. Returns whether it is gone."""
        if not self._can_drop(node):
            if not self.new.is_alive(node):
                self.late.append(node)
            return False
        self._remove(node, index)
        return True

    def _bring(self, node: Node, body: Body, name: str | int, place: int | None) -> None:
        """Put a node where it belongs, from wherever it is."""
        spend_work()
        if self._comes(node):
            self._move(node, body, name, place)
            return
        value = self._made(node)
        self.now.attach(node, body, name, name if isinstance(name, int) else place)
        path = self.now.pointer(node)
        self.pairs.append(({"op": "add", "path": path, "value": value, **_at(place)}, {"op": "remove", "path": path}))

    def _move(self, node: Node, body: Body, name: str | int, place: int | None) -> None:
        source, was = self.now.pointer(node), self._position(node)
        self.now.detach(node)
        self.now.attach(node, body, name, name if isinstance(name, int) else place)
        path = self.now.pointer(node)
        there, back = {"path": path, **_at(place)}, {"path": source, **_at(was)}
        if path.startswith(source + "/") or source.startswith(path + "/"):
            value = self.now.value(node)
            self.pairs.append(({"op": "remove", "path": source}, {"op": "add", "value": value, **back}))
            self.pairs.append(({"op": "add", "value": value, **there}, {"op": "remove", "path": path}))
        else:
            self.pairs.append(({"op": "move", "from": source, **there}, {"op": "move", "from": path, **back}))

    def _reorder(self, node: Node, place: int, was: int) -> None:
        body, name, path = self.now.home(node), self.now.name(node), self.now.pointer(node)
        assert body is not None
        self.now.detach(node)
        self.now.attach(node, body, name, place)
        op = {"op": "move", "from": path, "path": path}
        self.pairs.append((op | {"position": place}, op | {"position": was}))

    def _remove(self, node: Node, index: int | None = None) -> None:
        path, value, was = self.now.pointer(node), self.now.value(node), self._position(node)
        self.now.detach(node)
        self.pairs.append(({"op": "remove", "path": path}, {"op": "add", "path": path, "value": value, **_at(was)}))

    def _succeed(self, node: Node, new: Node) -> None:
        """Another member under the same name: its value is what changes."""
        self._refill(node, new)
        self.now.replace_kid(node, new)

    def _refill(self, node: Node, new: Node) -> None:
        """Give a node the content that `new` (the node itself, or what follows it) has in the new tree."""
        path, old = self.now.pointer(node), self.now.value(node)
        if new in self.entered:
            value = self._made(new, node)
            forward, back = (
                [{"op": "replace", "path": path, "value": value}],
                [{"op": "replace", "path": path, "value": old}],
            )
        else:
            forward, back = diff_in_place(old, self._made(new), path)
        self.pairs.extend(zip(forward, reversed(back), strict=True))
        self.now.fill(node, self.new.body(new))

    def _made(self, node: Node, instead_of: Node | None = None) -> JSONValue:
        """The value of a node that is new here, without what is still to be moved into it."""
        if node not in self.entered:
            self.copied.add(node)
            self.now.copy_node(self.new, node)
            return self.new.value(node)
        body = self.new.body(node)
        kids = self.new.kids(body)

        def is_made(kid: Node) -> bool:
            return not self._comes(kid) or (instead_of is not None and self.now.is_within(kid, instead_of))

        if isinstance(kids, list):
            made = [kid for kid in kids if is_made(kid)]
            items = [self._made(kid, instead_of) for kid in made]
            self.now.set_kids(node, body, made)
            return items
        members = {name: kid for name, kid in kids.items() if is_made(kid)}
        values = {name: self._made(kid, instead_of) for name, kid in members.items()}
        self.now.set_kids(node, body, members)
        return values

    def _position(self, node: Node) -> int | None:
        """Where a member stands among the others, None at the end and for an item."""
        body = self.now.home(node)
        assert body is not None
        kids = self.now.kids(body)
        if isinstance(kids, list):
            return None
        place = list(kids).index(str(self.now.name(node)))
        return place if place < len(kids) - 1 else None


def _at(place: int | None) -> dict[str, int]:
    return {} if place is None else {"position": place}
