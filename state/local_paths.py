"""Local paths in legacy metadata: `source_file` was absolute in practice and told the user's name."""

import posixpath
import re
from collections.abc import Iterable

from state.jsontext import JSONValue

_HOME = re.compile(r"^.*/(?:users|home|documents and settings)/[^/]+(?:/|$)", re.IGNORECASE)
_ROOT = re.compile(r"^(?:file:)?/*(?:[a-z]:)?/*(?:~[^/]*/)?", re.IGNORECASE)


def made_relative(value: JSONValue, known: Iterable[str]) -> JSONValue:
    """A copy of `value` in which each `source_file` is relative; `known` are the relative paths that exist."""
    files = set(known)

    def walk(node: JSONValue) -> JSONValue:
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {
            name: relative(member, files) if name == "source_file" and isinstance(member, str) else walk(member)
            for name, member in node.items()
        }

    return walk(value)


def relative(path: str, files: set[str]) -> str:
    """The longest end of a path that exists among `files`; without one, the path below the home folder."""
    parts = posixpath.normpath(path.replace("\\", "/")).split("/")
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        if end in files:
            return end
    below = _HOME.sub("", "/".join(parts))
    return _ROOT.sub("", re.sub(r"^(?:\.\./)+", "", below)) if path else path
