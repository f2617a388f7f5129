"""Finding keys by their names, and members by a pointer that is being typed, such as /Profile/na."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from django.db import connection

from conversations.search.names import mark_parts, rank_names
from conversations.search.tokenize import Snippet
from state import store
from state.address import Address, NotFound
from state.jsondoc.fold import fold_text
from state.jsondoc.pointer import RAW_ARRAY, RAW_OBJECT, BadPointer, Tokens, get_node, parse_pointer
from state.jsondoc.projection import Places, project_text

GLIMPSE = 160  # characters of a value


class KeyHit(NamedTuple):
    """A key or a node in one: the way to it, its name with what matches, and the beginning of its JSON text."""

    tokens: Tokens
    name: Snippet
    glimpse: str


def search_keys(question: str, limit: int, *, skip: int = 0, places: Places | None = None) -> tuple[list[KeyHit], bool]:
    """Keys with all that is typed in their names, best first, then what a pointer leads to; whether there are more."""
    keys = _list_keys(places)
    typed = question.strip().removeprefix("/")
    names = (rank_names(keys, question) or rank_names(keys, typed))[: skip + limit + 1]
    nodes = list(islice(_follow(question, keys, places), max(0, skip + limit + 1 - len(names))))
    begin = max(0, skip - len(names))
    found = _show(names[skip : skip + limit], typed, places) + nodes[begin : begin + limit]
    return found[:limit], len(names) + len(nodes) > skip + limit


def _list_keys(places: Places | None) -> list[str]:
    if places is not None:
        return [key for key in places.keys if _read(key, places) is not None]
    with connection.cursor() as cursor:
        cursor.execute("SELECT key_name FROM state_storage ORDER BY key_name")
        return [key for (key,) in cursor.fetchall()]


def _read(key: str, places: Places | None) -> str | None:
    """The stored text of a key, as far as it lies in the places."""
    try:
        text = store.read(Address(key)).text
    except NotFound:
        return None
    return text if places is None else project_text(text, places.find_ways(key))


def _show(names: Sequence[str], question: str, places: Places | None) -> list[KeyHit]:
    if places is not None:
        glimpses = {name: (_read(name, places) or "")[:GLIMPSE] for name in names}
    else:
        marks = ", ".join(["%s"] * len(names)) or "NULL"
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT key_name, substr(value_json, 1, {GLIMPSE}) FROM state_storage WHERE key_name IN ({marks})",
                list(names),
            )
            glimpses = dict(cursor.fetchall())
    return [KeyHit((name,), mark_parts(name, question), glimpses.get(name, "")) for name in names]


def _follow(question: str, keys: Sequence[str], places: Places | None) -> Iterator[KeyHit]:
    """What is in a node whose pointer is typed, and begins as the last name does. The first / may be left out."""
    typed = question.strip()
    if "/" not in typed[1:]:
        return
    try:
        *way, last = parse_pointer("/" + typed.removeprefix("/"))
    except BadPointer:
        return
    key = _pick(way[0], keys)
    text = None if key is None else _read(key, places)
    if key is None or text is None:
        return
    tokens, node = [key], text.encode()
    for name in way[1:]:
        if (token := _pick(name, _names(node))) is None:
            return
        tokens, node = [*tokens, token], get_node(node, [token])
    names = _names(node)
    for name in rank_names(names, last) if last else names:
        glimpse = get_node(node, [name])[: 4 * GLIMPSE].decode(errors="ignore")[:GLIMPSE]
        yield KeyHit((*tokens, name), mark_parts(name, last), glimpse)


def _pick(name: str, names: Sequence[str]) -> str | None:
    """The name that is meant: as it is spelt, or in other case."""
    if name in names:
        return name
    spelt = fold_text(name)
    return next((one for one in names if fold_text(one) == spelt), None)


def _names(node: bytes) -> list[str]:
    """The names or indexes of what is in a node."""
    if node.startswith(b"{"):
        return list(RAW_OBJECT.decode(node))
    return [str(number) for number in range(len(RAW_ARRAY.decode(node)))] if node.startswith(b"[") else []
