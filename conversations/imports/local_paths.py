"""Local paths in legacy metadata: `source_file` was absolute in practice and told the user's name."""

import posixpath
from collections.abc import Set as AbstractSet
from typing import Any

from state.jsondoc.text import JSONValue

HOMES = {"users", "home", "documents and settings"}


def make_relative(value: Any, known: AbstractSet[str]) -> Any:
    """A copy of `value` in which each `source_file` is relative; `known` are the relative paths that exist."""

    def walk(node: JSONValue, is_path: bool = False) -> JSONValue:
        if isinstance(node, str):
            return shorten_path(node, known) if is_path else node
        if isinstance(node, list):
            return [walk(item, is_path) for item in node]
        if isinstance(node, dict):
            return {name: walk(member, is_path or _is_source_file(name)) for name, member in node.items()}
        return node

    return walk(value)


def shorten_path(path: str, files: AbstractSet[str]) -> str:
    """The longest end of a path that exists among `files`; without one, its last name only."""
    parts = posixpath.normpath(path.replace("\\", "/")).split("/")
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        if end in files:
            return end
    names_somebody = parts[-1].startswith("~") or (len(parts) > 1 and parts[-2].casefold() in HOMES)
    return "" if names_somebody or not path else parts[-1]


def _is_source_file(name: str) -> bool:
    return name.casefold().replace("_", "") == "sourcefile"
