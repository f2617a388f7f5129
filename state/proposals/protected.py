"""Protected paths: what API keys may not write. The list is a key of the state, with history, edited like any other.

What stands at or below one of them, and what holds it, is for people: in the admin, and at the command line.
"""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from state.address import Address, find_node_text
from state.edits import Edit
from state.errors import Refusal, Unprocessable
from state.jsondoc.diff import Op
from state.jsondoc.pointer import BadPointer, Tokens, format_pointer, parse_index, parse_pointer
from state.revisions import PROTECTED, Author, Source, read_protected

LIST: Tokens = (PROTECTED,)  # is protected itself


class ProtectedPath(Refusal):
    """What is to be written is for a person to write."""

    status = 403

    def __init__(self, pointer: str, actor: str) -> None:
        super().__init__(
            f"{pointer or 'the whole state'} is protected, so {actor} may not write it; nothing was changed."
            f" Ask a person; a suggest key may propose it. The list is the key {PROTECTED}"
        )
        self.pointer = pointer

    @property
    def members(self) -> dict[str, Any]:
        return {"pointer": self.pointer}


class BadProtectedPaths(Unprocessable):
    """What is to be the list of protected paths is no array of pointers."""


def check_edits(edits: Sequence[Edit], author: Author, text: str | None) -> None:
    """Raises ProtectedPath if an API key is to change what is protected; `text` is the list before the write.

    Raises BadProtectedPaths where somebody writes a list that is none. One that is brought back or comes from a file
    is taken as it is, and then protects all.
    """
    if author.source in (Source.API, Source.ADMIN, Source.MCP):
        check_list(edits)
    if not author.decider.startswith("key:") and author.source != Source.MCP:  # a tool is called by an agent, always
        return
    paths = (LIST, *_read_list(text))
    for edit in edits:
        for path in paths:
            if path[:1] in ((), (edit.key,)) and _changes(edit, path[1:]):
                raise ProtectedPath(format_pointer(path), author.decider)


def check_list(edits: Iterable[Edit]) -> None:
    """Raises BadProtectedPaths if the list would be none after these edits."""
    for edit in edits:
        if edit.key == PROTECTED and edit.text is not None:
            parse_list(edit.text)


def check_now(edits: Sequence[Edit], author: Author) -> None:
    """The same outside of a write, by the list as it is stored."""
    check_edits(edits, author, read_protected())


@lru_cache(8)
def parse_list(text: str) -> tuple[Tokens, ...]:
    """The paths of a list. Raises BadProtectedPaths."""
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BadProtectedPaths(f'{PROTECTED} is an array of pointers, such as ["/Persona/name"]; nothing was changed')
    try:
        return tuple(map(parse_pointer, found))
    except BadPointer as error:
        raise BadProtectedPaths(f"{PROTECTED}: {error}; nothing was changed") from None


def _read_list(text: str | None) -> Iterable[Tokens]:
    """The paths that are stored; where they cannot be read, all is protected."""
    try:
        return () if text is None else parse_list(text)
    except BadProtectedPaths:
        return ((),)


def _changes(edit: Edit, path: Tokens) -> bool:
    """Whether an edit touches what is at a path in its key, what is below it or what it lies in, or moves it."""
    return any(
        _touches(edit, parse_pointer(op[name]), path, op)
        for op in edit.forward
        for name in ("path", "from")
        if name in op
    )


def _touches(edit: Edit, at: Tokens, path: Tokens, op: Op) -> bool:
    shorter = min(len(at), len(path))
    if at[:shorter] == path[:shorter]:
        return True
    shifts = op["op"] != "replace" and len(at) <= len(path) and at[:-1] == path[: len(at) - 1]
    if not shifts or parse_index(at[-1]) is None or parse_index(path[len(at) - 1]) is None:
        return False  # what stands beside it leaves it where it is; an item of an array may not
    before, after = (find_node_text(Address(edit.key, path), text) for text in (edit.was and edit.was.text, edit.text))
    return before != after
