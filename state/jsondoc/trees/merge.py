"""Two trees that grew from one document, made one: what either side changed stays; where they clash is told.

What both made alike is made one thing first. Then the changes of each side are looked at against the other's, in the
same way from both sides, before anything is put together.
"""

import copy
from collections.abc import Sequence
from typing import Literal, NamedTuple

from state.jsondoc.budget import spend_work
from state.jsondoc.pointer import escape_token
from state.jsondoc.text import NOTHING
from state.jsondoc.trees.nodes import Body, Node, NodeTree, NodeValue, list_nodes
from state.jsondoc.trees.sides import Side, find_moved, has_neighbour, list_around, reorder
from state.jsondoc.trees.unite import take_over, unite_trees

MOST_ROUNDS = 50  # in which clashes are settled by who is preferred; one may bring up another


class Clash(NamedTuple):
    """Where two sides met: a pointer into the common document, and what each has there.

    The place is a node, or a name in an object. `is_place`: at stake is where the node is, not what.
    """

    pointer: str
    base: NodeValue
    theirs: NodeValue
    mine: NodeValue
    node: Node | None
    body: Body | None = None
    name: str = ""
    is_place: bool = False
    inside: Node | None = None  # what one side did something with that is gone with the node on the other


def merge_trees(
    mine: NodeTree, theirs: NodeTree, claims: Sequence[Node] = (), prefer: Literal["mine", "theirs"] | None = None
) -> tuple[NodeTree, list[Clash]]:
    """Both trees as one, or where they clash. What is passed in is not changed.

    `claims` are nodes that mine means to be as they were. `prefer` says who has it where they clash; then none is left,
    unless one moved things into each other's.
    """
    one, other = NodeTree(mine.top, like=mine), NodeTree(mine.top, like=theirs)
    unite_trees(one, other)
    for _ in range(MOST_ROUNDS):
        spend_work()
        merge = _Merge(one, other, claims)
        clashes = merge.find_clashes() or merge.put_together()
        if not clashes or prefer is None:
            return merge.tree, clashes
        loser, winner = (other, one) if prefer == "mine" else (one, other)
        if not all(_overrule(loser, winner, clash) for clash in clashes):
            break
        claims = ()
    return merge.tree, clashes


def _overrule(tree: NodeTree, winner: NodeTree, clash: Clash) -> bool:
    """Let a place be in a tree as it is in the one that is preferred. Returns whether that is possible."""
    node = clash.node
    if node is None:
        assert clash.body is not None
        taker, node = tree.member(clash.body, clash.name), winner.member(clash.body, clash.name)
        if taker is not None and not _send_back(tree, taker):
            return False
    home = winner.home(node) if node is not None and winner.is_alive(node) else None
    if node is None or home is None:
        for gone in (node, clash.inside):
            if gone is not None and tree.home(gone) is not None and not winner.is_alive(gone):
                tree.detach(gone)
        return True
    if tree.broken(home) or tree.is_within(home.owner, node):
        return False
    name = winner.name(node)
    if tree.home(node) is not home or isinstance(tree.kids(home), list) or tree.name(node) != name:
        if tree.home(node) is not None:
            tree.detach(node)
        taker = tree.member(home, name)
        if taker is not None:
            tree.detach(taker)
        tree.attach(node, home, name, find_place(tree, winner, node, home))
    if not clash.is_place:
        take_over(tree, winner, node)
    return True


def _send_back(tree: NodeTree, node: Node) -> bool:
    """Take a member away: out if it was made, to where it was if it was moved. Returns whether that is possible."""
    tree.detach(node)
    base = NodeTree(tree.top)
    home = node.home if base.is_alive(node) else None
    if home is None:
        return True
    if not tree.stands(home) or tree.member(home, node.name) is not None:
        return False
    tree.attach(node, home, node.name, find_place(tree, base, node, home))
    return True


def find_place(
    tree: NodeTree, like: NodeTree, node: Node, body: Body, skipped: frozenset[Node] = frozenset()
) -> int | None:
    """Where a node goes: before the next one that stands behind it in `like`; None for the end."""
    siblings = like.kids(body)
    if isinstance(siblings, list):
        order, start = siblings, like.index(siblings, node) + 1
    else:
        order = list(siblings.values())
        start = order.index(node) + 1
        if start == len(order):
            return None
    for number in range(start, len(order)):
        right = order[number]
        if tree.home(right) is body and right not in skipped:
            there = tree.kids(body)
            if isinstance(there, list):
                return tree.index(there, right)
            return list(there).index(str(tree.name(right)))
    return None


class _Merge:
    """Both sides; `tree` is what becomes of them."""

    def __init__(self, mine: NodeTree, theirs: NodeTree, claims: Sequence[Node]) -> None:
        self.base = NodeTree(mine.top)
        self.mine, self.theirs = Side(self.base, mine), Side(self.base, theirs)
        self.claims = claims
        self.clashes: dict[object, Clash] = {}
        self.reordered: dict[Body, list[Node]] = {}  # items of an array that I moved, to be put where I have them
        self.kept: dict[Body, frozenset[Node]] = {}  # and those that they moved
        self.tree = NodeTree(mine.top, like=theirs)

    # Where they clash

    def find_clashes(self) -> list[Clash]:
        """Where both sides changed the same."""
        for one, other in ((self.mine, self.theirs), (self.theirs, self.mine)):
            for place in one.list_touched():
                cut = other.tree.broken(place)
                if cut is not None:
                    node = place.owner if isinstance(place, Body) else place
                    is_in_it = self.base.is_alive(cut) and self.base.is_within(node, cut)
                    self._note(cut if is_in_it else node, inside=node)
        for node in self.mine.refilled:
            if node in self.theirs.refilled and self.mine.tree.body(node) is not self.theirs.tree.body(node):
                self._note(node)
        for node in self.claims:
            if self.theirs.has_changed_in(node):
                self._note(node)
        for node in self.mine.moved:
            if node in self.theirs.moved and not self._is_same_place(node):
                self._note(node, is_place=True)
        for body in self.mine.arrived:
            if isinstance(body.value, dict) and self.theirs.tree.stands(body):
                self._find_names(body)
        changed = dict.fromkeys([*self.mine.changed, *self.theirs.changed])
        homes = [node.home for node in self.mine.refilled if node.home is not None]
        for body in changed | dict.fromkeys(homes):
            if isinstance(body.value, list) and self.mine.tree.stands(body) and self.theirs.tree.stands(body):
                self._find_neighbours(body)
                if body in changed:
                    self._find_orders(body)
        return list(self.clashes.values())

    def _is_same_place(self, node: Node) -> bool:
        home = self.mine.tree.home(node)
        if home is not self.theirs.tree.home(node):
            return False
        if isinstance(home.value if home else None, dict):
            return self.mine.tree.name(node) == self.theirs.tree.name(node)
        ours, others = list_around(self.mine.tree, node), list_around(self.theirs.tree, node)
        return ours[0] is others[0] or ours[1] is others[1]

    def _find_names(self, body: Body) -> None:
        arrived = set(self.theirs.arrived.get(body, ()))
        for node in self.mine.arrived[body]:
            name = str(self.mine.tree.name(node))
            other = self.theirs.tree.member(body, name)
            if other is not None and other is not node and other in arrived:
                self._note_name(body, name)

    def _find_neighbours(self, body: Body) -> None:
        """Items next to each other that both set or removed, and what one put between two that the other removed."""
        items = body.kids
        assert isinstance(items, list)
        mine, theirs = self.mine, self.theirs
        for node in (*mine.refilled, *mine.gone):
            if node.home is body and mine.is_set(node) and not theirs.is_set(node):
                index = int(node.name)
                beside = (*items[max(index - 1, 0) : index], *items[index + 1 : index + 2])
                if any(theirs.is_set(item) and not mine.is_set(item) for item in beside):
                    self._note(node)
        for one, other in ((mine, theirs), (theirs, mine)):
            if body in one.arrived:
                self._find_gaps(body, one, other)

    def _find_gaps(self, body: Body, one: Side, other: Side) -> None:
        arrived, left, is_gap = set(one.arrived[body]), None, False
        for item in list_nodes(one.tree.kids(body)):
            if item in arrived:
                is_gap = True
                continue
            is_next = left is not None and item.home is body and int(item.name) == int(left.name) + 1
            if is_gap and is_next and left is not None and other.tree.home(left) is other.tree.home(item) is None:
                self._note(item if one is self.mine else left)
            left, is_gap = item if item.home is body else None, False

    def _find_orders(self, body: Body) -> None:
        """The items that each side has in another order, where that cannot be had together."""
        mine, theirs = self.mine.tree, self.theirs.tree
        for one, other in ((mine, theirs), (theirs, mine)):
            before = [item for item in list_nodes(body.kids) if one.home(item) is body]
            after = [item for item in list_nodes(one.kids(body)) if item.home is body]
            for item in find_moved(before, after) if before != after else ():
                if other.home(item) is not body:
                    self._note(item, is_place=other.home(item) is not None)
        both = [item for item in list_nodes(body.kids) if mine.home(item) is body and theirs.home(item) is body]
        common = set(both)
        ours = [item for item in list_nodes(mine.kids(body)) if item in common]
        others = [item for item in list_nodes(theirs.kids(body)) if item in common]
        self.kept[body] = frozenset(find_moved(both, others) if others != both else ())
        if ours in (others, both):
            return
        moved = find_moved(both, ours)
        if others != both:
            again = [item for item in moved if item in self.kept[body]]
            if not all(has_neighbour(ours, others, item) for item in again):
                for item in again:
                    self._note(item, is_place=True)
                return
            moved = [item for item in moved if item not in self.kept[body]]
            if reorder(others, ours, moved) != reorder(ours, others, [*self.kept[body].difference(again)]):
                self._note(moved[0] if moved else again[0], is_place=True)
        self.reordered[body] = moved

    # What becomes of them

    def put_together(self) -> list[Clash]:
        """My changes made in their tree. Returns what I moved into what would then be inside it."""
        tree, mine = self.tree, self.mine
        moving = [node for node in mine.moved if not (node in self.theirs.moved and self._is_in_place(node))]
        for node in [*mine.gone, *moving]:
            if tree.home(node) is not None:
                tree.detach(node)
        for node in mine.refilled:
            if any(mine.tree.is_within(one, node) and tree.is_within(node, one) for one in moving if one is not node):
                self._note(node)
            elif tree.body(node) is not mine.tree.body(node):
                self._fill(node)
        for body, items in self.reordered.items():
            self._reorder(body, items)
        placed = set(moving)
        for body, nodes in mine.arrived.items():
            self._bring(body, {node for node in nodes if node in placed or not self.base.is_alive(node)})
        for body in mine.changed:
            if isinstance(body.value, dict) and not self.clashes:
                self._order_members(body)
        return list(self.clashes.values())

    def _reorder(self, body: Body, items: list[Node]) -> None:
        """Put items of an array before the one that they stand before in mine, from behind."""
        tree, mine = self.tree, self.mine.tree
        for item in items:
            tree.detach(item)
        moved = set(items)
        for item in [kid for kid in list_nodes(mine.kids(body)) if kid in moved][::-1]:
            tree.attach(item, body, 0, find_place(tree, mine, item, body, self.kept.get(body, frozenset())))

    def _is_in_place(self, node: Node) -> bool:
        """Whether a node that both moved is, in what becomes of it, where I have it."""
        return self.tree.home(node) is self.mine.tree.home(node)

    def _bring(self, body: Body, coming: set[Node]) -> None:
        """Attach what came into a content, from behind, so that each finds the one that stands behind it."""
        skipped = self.kept.get(body, frozenset())
        for node in [kid for kid in list_nodes(self.mine.tree.kids(body)) if kid in coming][::-1]:
            spend_work()
            if self.tree.home(node) is body:
                continue  # both made it
            if not self.base.is_alive(node):
                self._fill(node)
            if self.tree.is_within(body.owner, node):
                self._note(node, is_place=True)
                continue
            name = self.mine.tree.name(node)
            self.tree.attach(node, body, name, find_place(self.tree, self.mine.tree, node, body, skipped))

    def _fill(self, node: Node) -> None:
        """Give a node my content; what was in the document is in there as they have it, unless I changed that."""
        mine, body = self.mine.tree, self.mine.tree.body(node)
        if not mine.is_touched(body):
            self.tree.fill(node, body)
            return
        kids = copy.copy(mine.kids(body))
        for kid in list_nodes(kids):
            if not self.base.is_alive(kid):
                self._fill(kid)
        self.tree.set_kids(node, body, kids)
        self.tree.fill(node, body)

    def _order_members(self, body: Body) -> None:
        """The order of members is a hint: those that I moved go before the one that they stand before in mine."""
        kids, tree = self.mine.tree.kids(body), self.tree
        if not isinstance(kids, dict) or not tree.stands(body):
            return
        before = [node for node in list_nodes(body.kids) if kids.get(str(node.name)) is node]
        after = [node for node in kids.values() if node.home is body and kids.get(str(node.name)) is node]
        for node in find_moved(before, after)[::-1]:
            if tree.home(node) is body:
                name = tree.name(node)
                tree.detach(node)
                tree.attach(node, body, name, find_place(tree, self.mine.tree, node, body))

    # What is told of a clash

    def _note(self, node: Node, is_place: bool = False, inside: Node | None = None) -> None:
        if node not in self.clashes:
            base, theirs, mine = (
                _value_in(tree, node, self.base) for tree in (self.base, self.theirs.tree, self.mine.tree)
            )
            self.clashes[node] = Clash(
                self.base.pointer(node), base, theirs, mine, node, is_place=is_place, inside=inside
            )

    def _note_name(self, body: Body, name: str) -> None:
        values = []
        for tree in (self.base, self.theirs.tree, self.mine.tree):
            found = tree.member(body, name)
            values.append(NOTHING if found is None else tree.value(found))
        pointer = f"{self.base.pointer(body.owner)}/{escape_token(name)}" if body.owner is not self.base.top else ""
        self.clashes[body, name] = Clash(pointer, values[0], values[1], values[2], None, body, name)


def _value_in(tree: NodeTree, node: Node, base: NodeTree) -> NodeValue:
    """What a side has at a node, or under the name of one that it has not."""
    if tree.is_alive(node):
        return tree.value(node)
    found = tree.member(node.home, node.name) if node.home is not None and base.is_alive(node) else None
    return NOTHING if found is None else tree.value(found)
