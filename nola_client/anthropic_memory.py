"""Nola behind Anthropic's memory tool (`memory_20250818`): the files that Claude keeps are texts in the key `Memories`.

`/memories/trips/lisbon.md` is the member `lisbon.md` of `/Memories/trips`. Each command that changes something is one
revision, so that what Claude noted down is in the history, and undo takes it back. The answers are those of the SDK's
own store of files.
"""

from collections.abc import Iterator, Mapping, Sequence
from posixpath import normpath
from typing import Any

from anthropic.lib.tools import BetaAbstractMemoryTool, BetaAsyncAbstractMemoryTool, ToolError

from nola_client import ABSENT, AsyncNola, ConflictError, Nola, NotFound, Proposal, Reading, state
from nola_client.flow import Flow
from nola_client.values import format_pointer

ROOT = "/memories"
LISTED = "Here're the files and directories up to 2 levels deep in {}, excluding hidden items:\n"
EDITED = "The memory file has been edited. Here is the snippet showing the change (with line numbers):\n"

Names = Sequence[str]
Result = tuple[str, list[dict[str, Any]]]  # what is said, and the JSON Patch that does it


class _Commands:
    """The six commands, for both tools: what `run` gives is the answer, or is awaited for it."""

    def __init__(self, nola: Nola | AsyncNola, key: str = "Memories") -> None:
        super().__init__()
        self.nola, self.key = nola, key

    def view(self, command: Any) -> Any:
        return self.nola.run(_answer(self.key, command))

    create = str_replace = insert = delete = rename = view  # the command says which it is


class NolaMemoryTool(_Commands, BetaAbstractMemoryTool):
    """`client.beta.messages.run_tools(..., tools=[NolaMemoryTool(nola)])`, with a Nola."""


class AsyncNolaMemoryTool(_Commands, BetaAsyncAbstractMemoryTool):
    """The same for AsyncAnthropic, with an AsyncNola."""


def _answer(key: str, command: Any) -> Flow[str]:
    """Read all memories, see what the command makes of them, and write that, if nobody was faster."""
    try:
        reading = yield from state.read((key,))
    except NotFound:
        reading = Reading("{}", 0, None)
    said, patch = COMMANDS[command.command](reading.value, command)
    if not patch:
        return said
    root = format_pointer((key,))
    begin: dict[str, Any] = {"op": "merge", "pointer": root, "value": {}}  # there may be no key yet
    operations = [begin, {"op": "patch", "pointer": root, "patch": patch}]
    try:
        written = yield from state.transaction(operations, base=reading.revision or None, reason="memory tool")
    except ConflictError as error:
        raise ToolError(f"Nothing was changed: {error.detail}. View it again") from None
    return f"Suggested to a person, not done yet: {said}" if isinstance(written, Proposal) else said


def _view(memories: Any, command: Any) -> Result:
    found = _find(memories, names := _names(command.path))
    if found is ABSENT and names:
        raise ToolError(f"The path {command.path} does not exist. Please provide a valid path.")
    if isinstance(found, Mapping):
        listed = [f"{_size(one)}\t{command.path}{name}" for name, one in [("", found), *_list(found)]]
        return LISTED.format(command.path) + "\n".join(listed), []
    first, last = command.view_range if len(command.view_range or ()) == 2 else (1, -1)
    start = max(1, first) - 1
    shown = str(found).split("\n")[start : None if last == -1 else last]
    return f"Here's the content of {command.path} with line numbers:\n{_number(shown, start)}", []


def _create(memories: Any, command: Any) -> Result:
    names = _names(command.path)
    if _find(memories, names) is not ABSENT:
        raise ToolError(f"File {command.path} already exists")
    return f"File created successfully at: {command.path}", _put(
        memories, names, {"op": "add", "value": command.file_text}
    )


def _str_replace(memories: Any, command: Any) -> Result:
    text, old = _read(memories, command.path), command.old_str
    places = [at for at in range(len(text)) if text.startswith(old, at)]
    if not places:
        raise ToolError(f"No replacement was performed, old_str `{old}` did not appear verbatim in {command.path}.")
    if text.count(old) > 1:
        lines = ", ".join(str(text[:at].count("\n") + 1) for at in places)
        said = f"Multiple occurrences of old_str `{old}` in lines: {lines}. Please ensure it is unique"
        raise ToolError(f"No replacement was performed. {said}")
    changed, line = text.replace(old, command.new_str or "", 1), text[: places[0]].count("\n")
    start = max(0, line - 2)
    return EDITED + _number(changed.split("\n")[start : line + 3], start), _set(command.path, changed)


def _insert(memories: Any, command: Any) -> Result:
    lines = _read(memories, command.path).split("\n")
    if not lines[-1]:
        lines.pop()
    if not 0 <= command.insert_line <= len(lines):
        said = f"It should be within the range [0, {len(lines)}]."
        raise ToolError(f"Invalid `insert_line` parameter: {command.insert_line}. {said}")
    lines.insert(command.insert_line, command.insert_text.rstrip("\n"))
    changed = "\n".join(lines)
    return f"The file {command.path} has been edited.", _set(command.path, changed.removesuffix("\n") + "\n")


def _delete(memories: Any, command: Any) -> Result:
    names = _names(command.path)
    if not names:
        raise ToolError(f"Cannot delete the {ROOT} directory itself")
    if _find(memories, names) is ABSENT:
        raise ToolError(f"The path {command.path} does not exist")
    return f"Successfully deleted {command.path}", [{"op": "remove", "path": format_pointer(names)}]


def _rename(memories: Any, command: Any) -> Result:
    old, new = _names(command.old_path), _names(command.new_path)
    if not old:
        raise ToolError(f"Cannot rename the {ROOT} directory itself")
    if _find(memories, new) is not ABSENT:
        raise ToolError(f"The destination {command.new_path} already exists")
    if _find(memories, old) is ABSENT:
        raise ToolError(f"The path {command.old_path} does not exist")
    move = {"op": "move", "from": format_pointer(old)}
    return f"Successfully renamed {command.old_path} to {command.new_path}", _put(memories, new, move)


COMMANDS = {
    "view": _view,
    "create": _create,
    "str_replace": _str_replace,
    "insert": _insert,
    "delete": _delete,
    "rename": _rename,
}


def _names(path: str) -> Names:
    """The names on a path below the root."""
    whole = normpath(path)
    if whole != ROOT and not whole.startswith(f"{ROOT}/"):
        raise ToolError(f"Path must start with {ROOT}, got: {path}")
    return whole.removeprefix(ROOT).split("/")[1:]


def _find(memories: Any, names: Names) -> Any:
    for name in names:
        memories = memories.get(name, ABSENT) if isinstance(memories, Mapping) else ABSENT
    return memories


def _read(memories: Any, path: str) -> str:
    found = _find(memories, _names(path))
    if found is ABSENT:
        raise ToolError(f"The path {path} does not exist. Please provide a valid path.")
    if isinstance(found, Mapping):
        raise ToolError(f"The path {path} is not a file.")
    return str(found)


def _put(memories: Any, names: Names, op: dict[str, Any]) -> list[dict[str, Any]]:
    """The operation at a new place, and before it those that make the directories it is in."""
    parents = [names[:end] for end in range(1, len(names)) if _find(memories, names[:end]) is ABSENT]
    made = [{"op": "add", "path": format_pointer(one), "value": {}} for one in parents]
    return [*made, {**op, "path": format_pointer(names)}]


def _set(path: str, text: str) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": format_pointer(_names(path)), "value": text}]


def _list(found: Mapping[str, Any], depth: int = 2) -> Iterator[tuple[str, Any]]:
    for name, one in sorted(found.items()):
        if not name.startswith("."):
            yield (f"/{name}/" if isinstance(one, Mapping) else f"/{name}"), one
            if isinstance(one, Mapping) and depth > 1:
                yield from ((f"/{name}{rest}", inner) for rest, inner in _list(one, depth - 1))


def _number(lines: Sequence[str], start: int) -> str:
    return "\n".join(f"{number:>6}\t{line}" for number, line in enumerate(lines, start + 1))


def _size(found: Any) -> str:
    """How large a text is, or all that is in a directory."""
    size = float(_count(found))
    unit = next(number for number in range(4) if size < 1024 ** (number + 1) or number == 3)
    size /= 1024**unit
    return f"{int(size) if size == int(size) else format(size, '.1f')}{'BKMG'[unit]}"


def _count(found: Any) -> int:
    return sum(map(_count, found.values())) if isinstance(found, Mapping) else len(str(found).encode())
