"""What two trees that grew from one document have made alike, made the same things in both."""

from collections.abc import Iterator

from state.jsondoc.trees.nodes import Body, Node, NodeTree, TouchedKids, has_same_kids, is_same_node, list_nodes


def unite_trees(mine: NodeTree, theirs: NodeTree) -> None:
    """Let mine have their things wherever both made the same."""
    base, touched = NodeTree(mine.top), TouchedKids(theirs, mine)
    pending = [mine.top.body]
    while pending:
        body = pending.pop()
        if not (mine.is_touched(body) and theirs.is_touched(body)):
            continue
        for one, other in _pair_new(base, mine, theirs, body):
            mine.replace_kid(one, other)
            take_over(mine, theirs, other)
        for kid in touched.list_of(body):
            if mine.home(kid) is not body or kid.home is None or not base.is_alive(kid):
                continue
            if _reads_same(mine, kid, theirs, kid, touched):
                take_over(mine, theirs, kid)
            elif mine.body(kid) is theirs.body(kid):
                pending.append(mine.body(kid))


def _pair_new(base: NodeTree, mine: NodeTree, theirs: NodeTree, body: Body) -> list[tuple[Node, Node]]:
    """The things that both put under one name, or between the same two items, and that read the same."""
    kids, others = mine.kids(body), theirs.kids(body)
    pairs: list[tuple[Node, Node]] = []
    if isinstance(kids, dict) and isinstance(others, dict):
        both = [(kid, others[name]) for name, kid in kids.items() if kid.home is not body and name in others]
        pairs = [(kid, other) for kid, other in both if not base.is_alive(kid) and not base.is_alive(other)]
    else:
        runs = dict(_list_runs(base, theirs, body))
        for ends, run in _list_runs(base, mine, body):
            if len(run) == len(runs.get(ends, ())):
                both = list(zip(run, runs[ends], strict=True))
                if all(_reads_same(mine, kid, theirs, other, None) for kid, other in both):
                    pairs += both
    return [(kid, other) for kid, other in pairs if kid is not other and _reads_same(mine, kid, theirs, other, None)]


def _list_runs(
    base: NodeTree, tree: NodeTree, body: Body
) -> Iterator[tuple[tuple[Node | None, Node | None], list[Node]]]:
    """The new items of an array that stand together, each time with those on both sides of them."""
    run: list[Node] = []
    left: Node | None = None
    for item in (*list_nodes(tree.kids(body)), None):
        if item is not None and item.home is not body and not base.is_alive(item):
            run.append(item)
            continue
        if run:
            yield (left, item), run
        run, left = [], item


def _reads_same(mine: NodeTree, kid: Node, theirs: NodeTree, other: Node, touched: TouchedKids | None) -> bool:
    """Whether two nodes read the same, each in its tree."""
    body, there = mine.body(kid), theirs.body(other)
    if kid is other and body is there and touched is not None:
        kids, others = mine.kids(body), theirs.kids(body)
        if has_same_kids(kids, others):
            return all(_reads_same(mine, one, theirs, one, touched) for one in touched.list_of(body))
        if len(kids) != len(others) or (isinstance(kids, dict) and list(kids) != list(others)):
            return False
        pairs = zip(list_nodes(kids), list_nodes(others), strict=True)
        return all(one is two or _reads_same(mine, one, theirs, two, None) for one, two in pairs) and all(
            _reads_same(mine, one, theirs, one, touched) for one in touched.list_of(body) if mine.home(one) is body
        )
    return is_same_node(mine.value(kid), theirs.value(other))


def take_over(tree: NodeTree, source: NodeTree, node: Node) -> None:
    """Let a node have in one tree the content that it has in another; what is in there is nowhere else."""
    pending = [node]
    while pending:
        body = source.body(pending.pop())
        for kid in list_nodes(source.kids(body)) if source.is_touched(body) else ():
            if tree.home(kid) is not body and tree.home(kid) is not None:
                tree.detach(kid)
            pending.append(kid)
    tree.copy_node(source, node)
