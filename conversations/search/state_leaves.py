"""Finding leaves of the state by their words: the stored text is scanned, and parsed only where it may match."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from django.db import connection

from conversations.search.tokenize import SearchTerm, Snippet, cut_snippet, find_spans
from state.jsondoc.budget import TooCostly, limit_work, spend_work
from state.jsondoc.fold import fold_text
from state.jsondoc.levels import find_stored, show_at_level
from state.jsondoc.pointer import Tokens, format_pointer, parse_pointer
from state.jsondoc.projection import Places, project_text
from state.jsondoc.text import NOTHING, JSONValue, dump_json


class StateLeaf(NamedTuple):
    """A leaf that matches, with a snippet of its value, or an object or array with its name for a snippet."""

    key: str
    pointer: str
    snippet: Snippet


def search_leaves(
    asked: Sequence[SearchTerm],
    limit: int,
    level: int | None = None,
    documents: Mapping[str, str] | None = None,
    places: Places | None = None,
) -> tuple[list[StateLeaf], bool]:
    """The leaves in whose value, or names on the way to it, all the terms are, in key order; whether there are more.

    The value itself, or the last name, has at least one of the terms. Objects and arrays are found by their names. At a
    level only what shows there is looked at; pointers lead to where it is stored. Given `documents`, these are
    looked through instead of what is stored now; given `places`, no more than what lies in these.
    """
    texts = _stored() if documents is None else documents.items()
    found = list(islice(_all(asked, level, texts if places is None else _project(texts, places)), limit + 1))
    return found[:limit], len(found) > limit


class ValueHits(NamedTuple):
    """Leaves, whether there are more, and the number of keys looked through where time was up before the last one."""

    leaves: list[StateLeaf]
    more: bool
    looked_through: int | None


def search_values(
    asked: Sequence[SearchTerm], limit: int, seconds: float, *, skip: int = 0, places: Places | None = None
) -> ValueHits:
    """The same without those keys of which only the name has the words, in so many seconds of computing at most."""
    begun: list[str] = []
    texts = _stored() if places is None else _project(_stored(), places)
    found: list[StateLeaf] = []
    with limit_work(seconds), suppress(TooCostly):
        for leaf in islice(_all(asked, None, _note(texts, begun), inside=True), skip + limit + 1):
            found.append(leaf)
        return ValueHits(found[skip : skip + limit], len(found) > skip + limit, None)
    return ValueHits(found[skip : skip + limit], len(found) > skip + limit, len(begun) - 1)


def _note(texts: Iterable[tuple[str, str]], begun: list[str]) -> Iterator[tuple[str, str]]:
    for key, text in texts:
        begun.append(key)
        yield key, text


def _project(texts: Iterable[tuple[str, str]], places: Places) -> Iterator[tuple[str, str]]:
    for key, text in texts:
        if places.reach(key) and (shown := project_text(text, places.find_ways(key))) is not None:
            yield key, shown


def _stored() -> Iterator[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT key_name, value_json FROM state_storage ORDER BY key_name")
        yield from cursor


def _all(
    asked: Sequence[SearchTerm], level: int | None, documents: Iterable[tuple[str, str]], *, inside: bool = False
) -> Iterator[StateLeaf]:
    wanted = {token for term in asked for token in term.tokens}
    for key, text in documents:
        spend_work()
        name, spelt = fold_text(key), fold_text(text)  # before anything is parsed or taken apart
        if not all(word in spelt or word in name for word in wanted):
            continue
        if not inside:
            yield from _at_level(key, json.loads(text), asked, wanted, level)
        elif any(word in spelt for word in wanted):
            leaves = _leaves(key, json.loads(text), asked, wanted)
            yield from (leaf for leaf in leaves if leaf.pointer or _is_said(leaf))


def _is_said(leaf: StateLeaf) -> bool:
    """Whether a key is found by its value, and not by its name alone."""
    return bool(leaf.snippet.matches) and leaf.snippet.text != leaf.key


def _at_level(
    key: str, document: JSONValue, asked: Sequence[SearchTerm], wanted: set[str], level: int | None
) -> Iterator[StateLeaf]:
    if level is None:
        yield from _leaves(key, document, asked, wanted)
    elif (seen := show_at_level(document, level)) is not NOTHING:
        memo: dict[int, list[int]] = {}
        for leaf in _leaves(key, seen, asked, wanted):
            tokens = find_stored(document, parse_pointer(leaf.pointer), level, memo)
            yield leaf._replace(pointer=format_pointer(tokens))


def _leaves(key: str, document: JSONValue, asked: Sequence[SearchTerm], wanted: set[str]) -> Iterator[StateLeaf]:
    for tokens, text in _walk((), key, document, wanted):
        near = tokens[-1] if text is None else f"{tokens[-1]}\n{text}"
        is_near = _find(near, asked)
        if any(is_near) and all(map(max, is_near, _find("\n".join(tokens[:-1]), asked))):
            yield StateLeaf(key, format_pointer(tokens[1:]), cut_snippet(tokens[-1] if text is None else text, asked))


def _walk(way: Tokens, name: str, value: JSONValue, wanted: set[str]) -> Iterator[tuple[Tokens, str | None]]:
    """The leaves that have one of the words in their name or value, and the objects and arrays that have it in their
    name, in order: the way to each, and the text of a leaf. Most have none, so this looks before it makes anything.
    """
    if isinstance(value, dict | list) and value:
        spend_work()
        here = (*way, name)
        if _has_any(name, wanted):
            yield here, None
        kids = value.items() if isinstance(value, dict) else ((str(number), kid) for number, kid in enumerate(value))
        for inner, kid in kids:
            if isinstance(kid, dict | list) and kid:
                yield from _walk(here, inner, kid, wanted)
            elif _has_any(text := kid if isinstance(kid, str) else dump_json(kid), wanted) or _has_any(inner, wanted):
                yield (*here, inner), text
    elif not way:
        yield (name,), value if isinstance(value, str) else dump_json(value)


def _has_any(text: str, wanted: set[str]) -> bool:
    spelt = fold_text(text)
    return any(word in spelt for word in wanted)


def _find(text: str, asked: Sequence[SearchTerm]) -> list[bool]:
    """Whether each of the terms is in a text."""
    spelt = fold_text(text)
    return [
        all(token in spelt for token in term.tokens) and next(find_spans(text, [term]), None) is not None
        for term in asked
    ]
