"""What one tree has that the document it grew from had not, and in which order it has its items."""

from collections.abc import Iterator

from state.jsondoc.budget import spend_work
from state.jsondoc.diff import find_rising
from state.jsondoc.trees.nodes import Body, Node, NodeTree, has_same_kids


class Side:
    """What a tree has that the document had not."""

    def __init__(self, base: NodeTree, tree: NodeTree) -> None:
        self.base, self.tree = base, tree
        self.gone: dict[Node, None] = {}
        self.moved: dict[Node, None] = {}
        self.arrived: dict[Body, list[Node]] = {}  # what came into a content of the document
        for node in tree.placed_nodes():
            was, is_there = base.is_alive(node), tree.is_alive(node)
            if was and not is_there:
                self.gone[node] = None
            if not is_there:
                continue
            home = tree.home(node)
            assert home is not None
            is_moved = was and (
                home is not node.home or (isinstance(home.value, dict) and tree.name(node) != node.name)
            )
            if is_moved:
                self.moved[node] = None
            if (is_moved or not was) and base.is_alive_body(home):
                self.arrived.setdefault(home, []).append(node)
        self.refilled = {
            node: None
            for node in tree.filled_nodes()
            if base.is_alive(node) and tree.is_alive(node) and tree.body(node) is not node.body
        }
        self.changed = [
            body
            for body in tree.touched_bodies()
            if base.is_alive_body(body) and tree.stands(body) and not has_same_kids(tree.kids(body), body.kids)
        ]

    def list_touched(self) -> Iterator[Node | Body]:
        """What it did something with that is still there: nodes that were moved or set, contents that differ."""
        yield from self.moved
        yield from self.refilled
        yield from self.changed

    def has_changed_in(self, node: Node) -> bool:
        """Whether a node has another value."""
        if not self.tree.is_alive(node) or self.tree.body(node) is not node.body:
            return True
        owners = (*self.refilled, *(body.owner for body in self.changed))
        return any(self.tree.is_within(owner, node) for owner in owners)

    def is_set(self, node: Node) -> bool:
        """Whether an item was removed, or has another value."""
        return node in self.refilled or self.tree.home(node) is None


def list_around(tree: NodeTree, node: Node) -> tuple[Node | None, Node | None]:
    body = tree.home(node)
    kids = tree.kids(body) if body is not None else []
    assert isinstance(kids, list)
    index = tree.index(kids, node)
    return kids[index - 1] if index else None, kids[index + 1] if index + 1 < len(kids) else None


def find_moved(before: list[Node], after: list[Node]) -> list[Node]:
    """The fewest of these that were moved, in their new order."""
    ranks = {node: rank for rank, node in enumerate(before)}
    known = [node for node in after if node in ranks]
    staying = find_rising([ranks[node] for node in known])
    return [node for number, node in enumerate(known) if number not in staying]


def has_neighbour(one: list[Node], other: list[Node], item: Node) -> bool:
    """Whether an item stands beside the same one in both."""
    i, j = one.index(item), other.index(item)
    left = (one[i - 1] if i else None) is (other[j - 1] if j else None)
    return left or (one[i + 1] if i + 1 < len(one) else None) is (other[j + 1] if j + 1 < len(other) else None)


def reorder(order: list[Node], like: list[Node], moved: list[Node]) -> list[Node]:
    """An order in which some stand before the one that they stand before in another."""
    rest = [item for item in order if item not in set(moved)]
    place = {item: number for number, item in enumerate(like)}
    steady = set(rest)
    for item in sorted(moved, key=lambda one: place[one], reverse=True):
        spend_work()
        right = next((one for one in like[place[item] + 1 :] if one in steady), None)
        rest.insert(len(rest) if right is None else rest.index(right), item)
        steady.add(item)
    return rest
