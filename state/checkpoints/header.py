"""The header of a checkpoint: the first row of its file. It says what the file holds, and proves that it is whole.

Its SHA-256 is taken over the compact text of its own other members and of all rows, so that reformatting a file is no
edit, and anything else is.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.serializers.base import DeserializationError

from state.errors import Unprocessable
from state.jsondoc.text import dump_json

MODEL = "nola.checkpoint"
ALL, SOME = "all", "keys"  # the scopes: every key of the state, or some of them
EDITED = (
    "it was edited or damaged since it was written: its SHA-256 does not fit. If somebody edited it on purpose,"
    " run: ./nola checkpoint accept FILE"
)
MEMBERS = {"store": str, "scope": str, "contents": list, "revision": int, "at": str, "why": str, "sha256": str}


class EditedHeader(Unprocessable, DeserializationError):
    """A checkpoint that is not as it was written."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a checkpoint says of itself."""

    store: str  # the id of the store it was taken from
    scope: str
    contents: Sequence[str]  # "state", and "conversations" where it has them
    revision: int  # the store's newest when it was taken
    at: str  # RFC 3339; like the times of revisions it never goes back
    why: str
    sha256: str = "0" * 64

    @property
    def fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in MEMBERS}

    @property
    def text(self) -> str:
        """The row as compact JSON."""
        return dump_json({"model": MODEL, "fields": self.fields})

    @property
    def opening(self) -> str:
        """What the hash begins with."""
        return dump_json({name: value for name, value in self.fields.items() if name != "sha256"})


def take_header(text: str, fixture: list[Any]) -> tuple[Header | None, list[Any]]:
    """Header and rows of a fixture, of which `text` is the compact JSON; no header for a plain fixture.

    Raises EditedHeader unless the file is as it was written.
    """
    found = read_header(fixture[0]) if fixture else None
    if found is None:
        return None, fixture
    rest = text[1 + len(dump_json(fixture[0])) :]
    if digest_rows(found, rest) != found.sha256:
        raise EditedHeader(EDITED)
    return found, fixture[1:]


def digest_rows(header: Header, rest: str) -> str:
    """The SHA-256 of a checkpoint; `rest` is the compact text after the header's row, from its comma on."""
    return hashlib.sha256((header.opening + rest).encode()).hexdigest()


def read_header(row: Any) -> Header | None:
    """The header in the first row of a file, None if it is another row. Raises DeserializationError."""
    if not isinstance(row, dict) or row.get("model") != MODEL:
        return None
    fields = row.get("fields")
    if (
        set(row) != {"model", "fields"}
        or not isinstance(fields, dict)
        or {name: type(value) for name, value in fields.items()} != MEMBERS
    ):
        raise DeserializationError("its header is not that of a checkpoint: members are missing, unknown or misspelt")
    return Header(**fields)
