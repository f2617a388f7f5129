"""A folder of JSON files kept in step with the memory. Imports of other people's formats are not here."""

import json
from pathlib import Path
from typing import Any

from state import store
from state.address import Address, NotFound
from state.jsondoc.levels import show_at_level
from state.jsondoc.text import NOTHING, JSONValue
from state.report import Report
from state.sync.run import push_paths, sync_folder

__all__ = ["pull", "push", "sync"]


def pull(key: str, level: int | None = None) -> JSONValue:
    """The value of a key, all of it or what of it shows at a level. Raises NotFound and BadLevel."""
    value = json.loads(store.read(Address(key)).text)
    shown = value if level is None else show_at_level(value, level)
    if shown is NOTHING:
        raise NotFound(f"nothing shows at {Address(key).pointer} at level {level}")
    return shown


def push(*paths: str | Path, **options: Any) -> Report:
    """Bring what changed in JSON files, or folders of them, into the memory, one revision for each folder.

    `options` are those of `SyncOptions`: prefer, delete, dry_run. What could not be brought is in the report.
    """
    return push_paths([Path(path) for path in paths], **options)


def sync(folder: str | Path, **options: Any) -> Report:
    """Keep a folder of JSON files and the memory in step, both ways; `options` as for `push`, and keys."""
    return sync_folder(Path(folder), **options)
