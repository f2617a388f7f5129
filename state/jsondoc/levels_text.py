"""Context levels on stored text: the same as `show_at_level` on parsed values, but only what has levels is taken apart.

What has none is handed on as it stands, and what does not show is skipped unread.
"""

from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring

import msgspec

from state.jsondoc.levels import LEVELS, check_level, pick_level
from state.jsondoc.pointer import RAW_ARRAY, RAW_OBJECT

_MARK = b'"level_'  # stands in the text of whatever has a levelled node


def show_text_at_level(text: str, level: int) -> str | None:
    """What of a value, given as its stored text, shows at a level; None if nothing does. Raises BadLevel."""
    check_level(level)
    if '"level_' not in text:
        return text
    seen = _excerpt(text.encode(), level)
    return None if seen is None else seen.decode()


def show_state_at_level(text: str, level: int) -> str:
    """The object of all keys at a level; a key that shows nothing is left out. Raises BadLevel.

    The keys are names like any other: one that is called `level_3` is no level.
    """
    check_level(level)
    return _object(_members(RAW_OBJECT.decode(text.encode()), level)).decode()


def _excerpt(raw: bytes | msgspec.Raw, level: int) -> bytes | None:
    data = bytes(raw)
    if _MARK not in data:
        return data
    if data.startswith(b"{"):
        members = RAW_OBJECT.decode(data)
        return _object(_members(members, level)) if LEVELS.keys().isdisjoint(members) else _levelled(members, level)
    if data.startswith(b"["):
        return b"[" + b",".join(_items(RAW_ARRAY.decode(data), level)) + b"]"
    return data


def _levelled(members: Mapping[str, msgspec.Raw], level: int) -> bytes | None:
    pick = pick_level(members, level)
    shown = _members({name: raw for name, raw in members.items() if name == pick or name not in LEVELS}, level)
    if shown.keys() - LEVELS.keys():
        return _object(shown)
    return shown.get(pick) if pick else None


def _members(members: Mapping[str, msgspec.Raw], level: int) -> dict[str, bytes]:
    return {name: seen for name, raw in members.items() if (seen := _excerpt(raw, level)) is not None}


def _items(items: list[msgspec.Raw], level: int) -> Iterator[bytes]:
    return (seen for raw in items if (seen := _excerpt(raw, level)) is not None)


def _object(members: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(encode_basestring(name).encode() + b":" + seen for name, seen in members.items()) + b"}"
