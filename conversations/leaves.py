"""Finding leaves of the state by their words: the stored text is scanned, and parsed only where it may match."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from django.db import connection

from conversations import words
from conversations.words import Snippet, Term
from state import jsontext, paths
from state.jsontext import JSONValue


class Leaf(NamedTuple):
    """A leaf that matches. The snippet is of its value, and has no match where only names on the way to it match."""

    key: str
    pointer: str
    snippet: Snippet


def find(asked: Sequence[Term], limit: int) -> tuple[list[Leaf], bool]:
    """The leaves in whose value, or names on the way to it, all the terms are, in key order; whether there are more.

    The value itself, or the last name, has at least one of the terms.
    """
    found = list(islice(_all(asked), limit + 1))
    return found[:limit], len(found) > limit


def _all(asked: Sequence[Term]) -> Iterator[Leaf]:
    wanted = {words.plain(token) for term in asked for token in term.tokens}
    with connection.cursor() as cursor:
        cursor.execute("SELECT key_name FROM state_storage ORDER BY key_name")
        keys = [key for (key,) in cursor.fetchall()]
        for key in keys:
            cursor.execute("SELECT value_json FROM state_storage WHERE key_name = %s", [key])
            row = cursor.fetchone()
            if row and _may_match(f"{key} {row[0]}", wanted):
                yield from _leaves(key, json.loads(row[0]), asked, wanted)


def _may_match(text: str, wanted: set[str]) -> bool:
    """Whether the words are in a text at all, before anything is parsed or taken apart."""
    spelt = words.plain(text)
    return all(word in spelt for word in wanted)


def _leaves(key: str, document: JSONValue, asked: Sequence[Term], wanted: set[str]) -> Iterator[Leaf]:
    for tokens, value in _walk((key,), document):
        text = value if isinstance(value, str) else jsontext.dump(value)
        if not _may_match(" ".join((*tokens, text)), wanted):
            continue
        near, far = f"{tokens[-1]}\n{text}", "\n".join(tokens[:-1])
        if all(_has(near, term) or _has(far, term) for term in asked) and any(_has(near, term) for term in asked):
            yield Leaf(key, paths.format_pointer(tokens[1:]), words.snippet(text, asked))


def _walk(tokens: paths.Tokens, value: JSONValue) -> Iterator[tuple[paths.Tokens, JSONValue]]:
    """The leaves of a value, in order, with the way to each. An empty object or array is a leaf."""
    stack: list[tuple[paths.Tokens, JSONValue]] = [(tokens, value)]
    while stack:
        way, one = stack.pop()
        if isinstance(one, dict) and one:
            stack += [((*way, name), kid) for name, kid in reversed(one.items())]
        elif isinstance(one, list) and one:
            stack += [((*way, str(number)), kid) for number, kid in reversed(list(enumerate(one)))]
        else:
            yield way, one


def _has(text: str, term: Term) -> bool:
    return next(words.spans(text, [term]), None) is not None
