"""Find words in names and values, and tell what has them as a narrowed tree: the way to each, and nothing beside it.

The answer is `{"found": 2, "more": false, "tree": node}`. A node is told as in `pages`, closed; one on the way
has `part` instead of its members or items: [[name, node, place among all members], ...] of an object, [[index, node],
...] of an array. One that was found has `"hit": true`.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from state.jsondoc.fold import fold_text
from state.jsondoc.levels_text import show_state_at_level
from state.jsondoc.names import caseless_order
from state.jsondoc.pages import MAX_TEXT, Ways, parse_ways
from state.jsondoc.pointer import RAW_OBJECT
from state.jsondoc.text import dump_json

LIMIT = 200


Told = dict[str, Any]


class _Search:
    """The words that are looked for, and how many more places may be found."""

    def __init__(self, words: str) -> None:
        self.words = fold_text(words) or words
        self.written = fold_text(dump_json(words)[1:-1]) or words  # as they stand in JSON text
        self.left = LIMIT
        self.more = False

    def take(self) -> bool:
        self.more = self.more or self.left == 0
        self.left -= not self.more
        return not self.more


def search_text(text: str, words: str, level: int | None = None, *, is_caseless: bool = False) -> str:
    """What of the whole state has the words in a name or a scalar, folded as `fold` does; the first 200 places.

    At a level the tree is the one that `view=tree` tells of what shows there, `is_caseless` one with `order=caseless`.
    Raises BadLevel.
    """
    search = _Search(words)
    keys = _keys(text, level, is_caseless)
    part = [[key, told, at] for at, (key, raw) in enumerate(keys.items()) if (told := _key(key, raw, search))]
    tree = {"type": "object", "size": len(keys), "part": part}
    return dump_json({"found": LIMIT - search.left, "more": search.more, "tree": tree})


def show_places(text: str, pointers: Sequence[str], level: int | None = None, *, is_caseless: bool = False) -> str:
    """The narrowed tree of the nodes at these pointers, as far as they are there. Raises BadLevel, BadPage, BadPointer.

    Of keys that are only passed through no place is told, so `text` need not hold all keys where no key is asked for.
    """
    ways = parse_ways(pointers)
    keys = _keys(text, level, is_caseless)
    part = [
        [key, _narrow(json.loads(bytes(raw)), ways[key]), *([] if ways[key] else [at])]
        for at, (key, raw) in enumerate(keys.items())
        if key in ways
    ]
    return dump_json({"tree": {"type": "object", "size": len(keys), "part": part}})


def _keys(text: str, level: int | None, is_caseless: bool) -> dict[str, msgspec.Raw]:
    found = RAW_OBJECT.decode((text if level is None else show_state_at_level(text, level)).encode())
    return {key: found[key] for key in sorted(found, key=caseless_order)} if is_caseless else found


def _narrow(value: Any, ways: Ways) -> Told:
    kids = _kids(value) if ways else ()
    part = [[label, _narrow(one, ways[str(label)]), *place] for label, one, *place in kids if str(label) in ways]
    return summarize_value(value) | ({"part": part} if part else {})


def _key(key: str, raw: msgspec.Raw, search: _Search) -> Told | None:
    """A key that has the words. Most do not have them in their text, and are not parsed."""
    text = bytes(raw).decode()
    if search.words not in fold_text(key) and search.written not in fold_text(text):
        return None
    return _node(key, json.loads(text), search)


def _node(name: str | int, value: Any, search: _Search) -> Told | None:
    hit = _has(name, value, search) and search.take()
    part = [[label, told, *place] for label, one, *place in _kids(value) if (told := _node(label, one, search))]
    if not hit and not part:
        return None
    return summarize_value(value) | ({"part": part} if part else {}) | ({"hit": True} if hit else {})


def _has(name: str | int, value: Any, search: _Search) -> bool:
    if isinstance(name, str) and search.words in fold_text(name):
        return True
    if isinstance(value, (dict, list)):
        return False
    text = value if isinstance(value, str) else dump_json(value)
    return search.words in fold_text(text)


def _kids(value: Any) -> Iterator[tuple[Any, ...]]:
    """Each (name, value, place among all) of an object, (index, value) of an array."""
    if isinstance(value, dict):
        yield from ((name, one, place) for place, (name, one) in enumerate(value.items()))
    elif isinstance(value, list):
        yield from enumerate(value)


def summarize_value(value: Any) -> Told:
    """A value as the tree view tells it closed."""
    match value:
        case dict():
            return {"type": "object", "size": len(value)}
        case list():
            return {"type": "array", "size": len(value)}
        case str():
            rest = {"truncated": True, "bytes": len(value.encode())} if len(value) > MAX_TEXT else {}
            return {"type": "text", "text": value[:MAX_TEXT]} | rest
        case bool():
            return {"type": "boolean", "boolean": value}
        case None:
            return {"type": "null"}
    return {"type": "number", "number": dump_json(value)}
