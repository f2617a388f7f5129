"""JSON values as Markdown for a prompt: lists with names, without the marks that JSON needs.

It is for reading, not for reading back: the text `true` and true look alike.
"""

import re
from collections.abc import Iterator

from state.jsondoc.budget import spend_work
from state.jsondoc.levels import LEVELS
from state.jsondoc.text import JSONValue, dump_json

EMPTY = '""'
_MARK = re.compile(r"^( {0,3})(#{1,6}(?=\s|$)|=+[ \t]*$|-+[ \t]*$|```|~~~)")


def render_section(title: str, value: JSONValue) -> str:
    """A section under a heading of its own, with the empty line that follows it."""
    return f"{render_heading(title)}{render_body(value)}\n\n"


def render_heading(title: str) -> str:
    """The heading of a section, on one line whatever is in it."""
    return f"## {_one_line(title)}\n\n"


def render_body(value: JSONValue) -> str:
    """A value as Markdown. No text in it begins a section of its own."""
    if isinstance(value, str):
        return "\n".join(_text_lines(value))
    return "\n".join(_lines(value))


def render_item(text: str) -> str:
    """A text as one item of a list; its further lines stand below its first one."""
    return "- " + "\n  ".join(_text_lines(text))


def _lines(value: JSONValue) -> Iterator[str]:
    spend_work()
    if isinstance(value, dict) and value:
        for name, child in value.items():
            yield from _member(name, child)
    elif isinstance(value, list) and value:
        for child in value:
            first, *rest = _lines(child)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield from _text_lines(value if isinstance(value, str) else dump_json(value))


def _member(name: str, value: JSONValue) -> Iterator[str]:
    """A member under its name; the pick of a levelled node has none that would tell a reader anything."""
    label = "" if name in LEVELS else f"{_one_line(name)}: "
    first, *rest = _lines(value)
    if isinstance(value, dict | list) and value and label:
        yield f"- {label.rstrip()}"
        yield from (f"  {line}" for line in (first, *rest))
    else:
        yield f"- {label}{first}"
        yield from (f"  {line}" for line in rest)


def _text_lines(text: str) -> list[str]:
    """The lines of a text, none of which can be taken for a heading, a rule or a fence."""
    return [_MARK.sub(r"\1\\\2", line) for line in text.strip("\r\n").splitlines()] or [EMPTY]


def _one_line(name: str) -> str:
    return " ".join(name.split()) or EMPTY
