"""What is written to and read from PostgreSQL as it is with SQLite: texts of any characters, and whole numbers.

A text of PostgreSQL holds no U+0000. So U+0000 is kept as U+0001 U+0001 and U+0001 as U+0001 U+0002, which leaves the
order as it is; JSON documents hold neither, since they have such characters escaped.
"""

from typing import Any

import psycopg
from psycopg.adapt import AdaptersMap, PyFormat
from psycopg.types.string import StrDumperUnknown, TextLoader


def register_values(adapters: AdaptersMap) -> None:
    """Let what uses these adapters write and read so."""
    adapters.register_dumper(str, AnyTextDumper)
    adapters.register_dumper(int, NumberDumper)
    adapters.register_loader("text", AnyTextLoader)
    adapters.register_loader("varchar", AnyTextLoader)


class AnyTextDumper(StrDumperUnknown):
    """Writes a text with U+0000."""

    def dump(self, obj: str) -> Any:
        return super().dump(hide_nul(obj))


class NumberDumper(psycopg.adapters.get_dumper(int, PyFormat.TEXT)):  # type: ignore[misc]
    """Refuses a whole number that no column holds, as SQLite does, which a comparison would take for a decimal one."""

    def upgrade(self, obj: int, format: PyFormat) -> Any:
        if not -(2**63) <= obj < 2**63:
            raise OverflowError("Python int too large to convert to a bigint")
        return super().upgrade(obj, format)


class AnyTextLoader(TextLoader):
    """Reads it."""

    def load(self, data: Any) -> Any:
        found = str(super().load(data))
        return show_nul(found) if "\x01" in found else found


def hide_nul(text: str) -> str:
    """A text without U+0000, which sorts as the text does."""
    return text.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01") if "\x00" in text or "\x01" in text else text


def show_nul(text: str) -> str:
    """The text that `hide_nul` was given."""
    return text.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01")
