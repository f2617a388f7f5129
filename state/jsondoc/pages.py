"""Tree views: a node of stored text told level by level, for readers that cannot take it whole or round its numbers.

The answer (application/vnd.nola.tree+json) is one node, which holds further nodes down to `depth`:

    type     object, array, text, number, boolean or null
    bytes    how long its stored text is
    characters  how many characters that are, where they are not as many as bytes
    size     object, array: how many members or items it has
    members  opened object: [[name, node], ...] in stored order (a list, because browsers reorder names like "10")
    items    opened array: [node, ...], the first of them at index `start`
    next     opened and more follow: the last name or index shown, to be sent as `after`
    text     text: itself, or its first 1,000 characters with "truncated": true
    number   number: exactly its stored text, as a string
    boolean  boolean: true or false

`{"name":"Nola","born":[9223372036854775808,-0.0],"tags":["a"]}` with depth 1 and limit 2 is

    {"type":"object","bytes":62,"size":3,"members":[
      ["name",{"type":"text","bytes":6,"text":"Nola"}],
      ["born",{"type":"array","bytes":26,"size":2}]],"next":"born"}

`after` pages the node itself; so does `last`, which shows that many at its end instead. `open` names nodes below it
that are opened whatever the depth, if their parents are: so a reader that shows some nodes opened gets all of them in
one answer, of one moment. Each opened node inside shows its first `limit` and has its own `next`, which goes with that
node's address. When an answer has shown 10,000 nodes the rest stay closed, as if they stood below `depth`.
"""

from collections.abc import Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import NamedTuple

import msgspec

from state.jsondoc.errors import Unprocessable
from state.jsondoc.names import caseless_order
from state.jsondoc.pointer import RAW_ARRAY, RAW_OBJECT, parse_index, parse_pointer
from state.jsondoc.text import MAX_DEPTH

MEDIA_TYPE = "application/vnd.nola.tree+json"
MAX_LIMIT = 1000
MAX_NODES = 10_000
MAX_TEXT = 1000
MAX_OPEN = 1000

_TEXT = msgspec.json.Decoder(str)
_TYPES = {b"{": "object", b"[": "array", b'"': "text", b"t": "boolean", b"f": "boolean", b"n": "null"}

PageText = bytes | msgspec.Raw


class BadPage(Unprocessable):
    """A depth, limit or after that cannot be used."""


class Ways(dict[str, "Ways"]):
    """Which nodes to open: by name or index, those to open inside of each."""


class TreePage(NamedTuple):
    """Which part of a node to tell: levels below it, members or items of each, the one to go on after, what to open."""

    depth: int = 1
    limit: int = 100
    after: str | None = None
    open: Ways | None = None
    is_caseless: bool = False  # the members of the node itself by caseless_order, not as they are stored
    last: int | None = None  # of the node itself so many at its end, instead of the first or those after one

    @property
    def is_open(self) -> bool:
        return self.depth > 0 or self.open is not None


class ObjectPart(NamedTuple):
    """An object of which only a page is at hand: what all of it measures, the members, and whether more follow."""

    size: int
    bytes: int
    characters: int
    members: Sequence[tuple[str, PageText]]
    has_more: bool


class _Room:
    """How many more nodes may be opened into this answer."""

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes

    def take(self, nodes: int) -> bool:
        fits = nodes <= self.nodes
        self.nodes -= nodes if fits else 0
        return fits


def parse_tree_page(parameters: Mapping[str, str], opened: Sequence[str] = ()) -> TreePage:
    """The page that the query parameters depth, limit, after, last, open and order ask for.

    Raises BadPage and BadPointer.
    """
    depth = _number("depth", parameters.get("depth", "1"), 0, MAX_DEPTH)
    limit = _number("limit", parameters.get("limit", "100"), 1, MAX_LIMIT)
    last = _number("last", parameters["last"], 1, MAX_LIMIT) if "last" in parameters else None
    if last is not None and "after" in parameters:
        raise BadPage("after goes on behind a member or item, last begins before the end; give one of them")
    ways = parse_ways(opened) if opened else None
    return TreePage(depth, limit, parameters.get("after"), ways, parameters.get("order") == "caseless", last)


def parse_ways(pointers: Sequence[str]) -> Ways:
    """The nodes at these pointers, and those on the way to them. Raises BadPage and BadPointer."""
    if len(pointers) > MAX_OPEN:
        raise BadPage(f"open is given {len(pointers)} times; {MAX_OPEN} nodes are opened at once")
    ways = Ways()
    for pointer in pointers:
        at = ways
        for token in parse_pointer(pointer):
            at = at.setdefault(token, Ways())
    return ways


def render_tree(data: bytes, page: TreePage = TreePage()) -> str:  # noqa: B008 - a constant
    """The tree view of a node, given as stored text. Raises BadPage for an `after` that is not there."""
    return b"".join(_node(data, page, _Room(MAX_NODES))).decode()


def render_part(part: ObjectPart, page: TreePage) -> str:
    """The tree view of an object of which only that page is at hand."""
    head = _head("object", part.bytes, part.characters)
    members = _members(part.size, part.members, part.has_more, page, _Room(MAX_NODES))
    return b"".join([*head, *members, b"}"]).decode()


def _number(name: str, text: str, low: int, high: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not low <= number <= high:
        raise BadPage(f"{name} is a whole number from {low} to {high}, not {_short(text)}")
    return number


def _node(raw: PageText, page: TreePage, room: _Room) -> Iterable[bytes]:
    kind = _TYPES.get(bytes(memoryview(raw)[:1]), "number")
    yield from _head(kind, len(raw), len(str(raw, "utf-8")))
    if kind == "object":
        yield from _object(raw, page, room)
    elif kind == "array":
        yield from _array(raw, page, room)
    elif page.after is not None:
        raise BadPage(f"there is nothing to go on after: the value is of type {kind}")
    elif kind != "null":
        yield b',"%s":' % kind.encode()
        yield from _scalar(kind, raw)
    yield b"}"


def _head(kind: str, size: int, characters: int) -> Iterable[bytes]:
    yield b'{"type":"%s","bytes":%d' % (kind.encode(), size)
    if characters != size:
        yield b',"characters":%d' % characters


def _scalar(kind: str, raw: PageText) -> Iterable[bytes]:
    if kind == "number":
        yield b'"%s"' % bytes(raw)
    elif kind == "text" and len(raw) > MAX_TEXT + 2 and len(text := _TEXT.decode(raw)) > MAX_TEXT:
        yield encode_basestring(text[:MAX_TEXT]).encode() + b',"truncated":true'
    else:
        yield bytes(raw)


def _object(raw: PageText, page: TreePage, room: _Room) -> Iterable[bytes]:
    members = RAW_OBJECT.decode(raw)
    names = sorted(members, key=caseless_order) if page.is_caseless else list(members)
    start, end = _bounds(len(names), page, 0 if page.after is None else _start_name(members, names, page.after))
    shown = [(name, members[name]) for name in names[start:end]]
    yield from _members(len(members), shown, end < len(names), page, room)


def _members(
    size: int, shown: Sequence[tuple[str, PageText]], has_more: bool, page: TreePage, room: _Room
) -> Iterable[bytes]:
    yield b',"size":%d' % size
    if not page.is_open or not room.take(len(shown)):
        return
    yield b',"members":['
    labels = (b"[%s," % encode_basestring(name).encode() for name, _ in shown)
    yield from _children(labels, shown, page, room, b"]")
    yield b"]"
    if has_more:
        yield b',"next":' + encode_basestring(shown[-1][0]).encode()


def _array(raw: PageText, page: TreePage, room: _Room) -> Iterable[bytes]:
    items = RAW_ARRAY.decode(raw)
    yield b',"size":%d' % len(items)
    start, end = _bounds(len(items), page, 0 if page.after is None else _start_index(len(items), page.after))
    shown = items[start:end]
    if not page.is_open or not room.take(len(shown)):
        return
    yield b',"start":%d,"items":[' % start
    numbered = [(str(start + number), item) for number, item in enumerate(shown)]
    yield from _children([b""] * len(shown), numbered, page, room, b"")
    yield b"]"
    if end < len(items):
        yield b',"next":%d' % (end - 1)


def _bounds(size: int, page: TreePage, start: int) -> tuple[int, int]:
    """Where the part that is shown begins and ends, of so many members or items."""
    return (start, start + page.limit) if page.last is None else (max(0, size - page.last), size)


def _children(
    labels: Iterable[bytes], values: Sequence[tuple[str, PageText]], page: TreePage, room: _Room, close: bytes
) -> Iterable[bytes]:
    below, ways = TreePage(max(0, page.depth - 1), page.limit), page.open or Ways()
    for number, (label, (name, value)) in enumerate(zip(labels, values, strict=True)):
        yield b"," + label if number else label
        yield from _node(value, below._replace(open=ways[name]) if name in ways else below, room)
        yield close


def _start_name(members: Mapping[str, msgspec.Raw], names: Sequence[str], after: str) -> int:
    if after not in members:
        raise no_member(after)
    return names.index(after) + 1


def no_member(after: str) -> BadPage:
    """That there is no such member to go on after."""
    return BadPage(f"there is no member {_short(after)} to go on after; begin again without `after`")


def _start_index(size: int, after: str) -> int:
    number = parse_index(after) if len(after) < 20 else None
    if number is None or number >= size:
        raise BadPage(f"there is no item {_short(after)} to go on after: the array has {size} items")
    return number + 1


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
