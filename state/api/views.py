"""Views: other readings of what is stored, asked for by query parameters. None of them changes anything."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from state import edits, store
from state.api import envelopes
from state.api.addresses import BadAddress, UnknownParameter
from state.edits import Address, NotFound
from state.history import past as texts
from state.history import replay as history
from state.jsondoc import levels
from state.jsondoc import levels_text as excerpts
from state.jsondoc import pages as trees
from state.jsondoc import pointer as paths
from state.jsondoc import text as jsontext
from state.jsondoc.levels import ABSENT
from state.jsondoc.text import JSONValue
from state.store import Reading

JSON = "application/json"
PARAMETERS = ("at", "level", "stimuli", "view", "depth", "after", "limit", "open", "node", "envelope")


class Asked(NamedTuple):
    """What the query parameters ask for; None where they do not."""

    at: str | None
    level: int | None
    page: trees.Page | None
    envelope: bool | None = None
    node: paths.Tokens | None = None  # into what is shown

    def __bool__(self) -> bool:
        return any(part is not None for part in self)


def asked(query: Mapping[str, list[str]]) -> Asked:
    """The views a query asks for. Raises BadAddress, UnknownParameter, levels.BadLevel and trees.BadPage."""
    given = {name: values[0] for name, values in query.items() if name in PARAMETERS}
    for name in given:
        if len(query[name]) > 1 and name != "open":
            raise BadAddress(f"the parameter {name!r} is given {len(query[name])} times")
    page = None
    if given.get("view", "tree") != "tree":
        raise UnknownParameter(f"there is no view {given['view']!r}; there is: tree")
    if "view" in given:
        page = trees.page_of(given, query.get("open", []))
    elif paging := [name for name in ("depth", "after", "limit", "open") if name in given]:
        raise UnknownParameter(f"the parameter {paging[0]!r} goes with view=tree only")
    node = paths.parse_pointer(given["node"]) if "node" in given else None
    return Asked(given.get("at"), level_of(given), page, _envelope_of(given, page), node)


def _envelope_of(given: Mapping[str, str], page: trees.Page | None) -> bool | None:
    if "envelope" not in given:
        return None
    if given["envelope"] != "1":
        raise UnknownParameter(f"envelope={given['envelope'][:40]!r} must be 1, or be left out")
    if "node" in given:
        raise UnknownParameter("envelope=1 goes around a stored value; name it by its address instead of node")
    if page is not None:
        raise UnknownParameter("envelope=1 goes around a value, and not with view=tree")
    return True


def level_of(given: Mapping[str, str]) -> int | None:
    """The level that `level` or `stimuli` asks for. Raises UnknownParameter and levels.BadLevel."""
    if "level" not in given:
        return levels.level_of(given["stimuli"]) if "stimuli" in given else None
    if "stimuli" in given:
        raise UnknownParameter("level and stimuli say the same thing; give one of them")
    if given["level"] not in ("1", "2", "3"):
        raise levels.BadLevel(f"there is no level {given['level'][:40]!r}; the levels are 1, 2 and 3")
    return int(given["level"])


def read(address: Address | None, view: Asked) -> Reading:
    """What is or was stored at an address, at the level asked for. Raises NotFound.

    What a level hides and what was never there are refused in the same words.
    """
    if address is None and (view.level is not None or view.node):
        return _read_all(view)
    if view.level is None:
        return _stored(address, view.at)
    if address:
        levels.check_way(address.tokens, view.level)
    try:
        text, revision = _stored(address, view.at)
    except NotFound:
        raise _hidden(address, view.level) from None
    return Reading(at_level(text, address, view.level), revision)


def _read_all(view: Asked) -> Reading:
    """All keys at a level; where only a node of one is asked for, no other is looked at."""
    revision = None if view.at is None else history.moment(view.at)
    if view.node:
        one, at = texts.of_now(view.node[0]) if revision is None else (texts.of(view.node[0], revision), revision)
        found = [one] if one else []
    else:
        found, at = texts.now() if revision is None else (texts.at(revision), revision)
    if view.level is not None:
        found = [seen for one in found if (seen := texts.at_level(one, view.level))]
    return Reading(texts.joined(found), at)


def _stored(address: Address | None, at: str | None) -> Reading:
    if at is None:
        return store.read(address) if address else store.read_all()
    revision = history.moment(at)
    return Reading(texts.read_at(address, revision), revision)


def _hidden(address: Address | None, level: int) -> NotFound:
    return NotFound(f"nothing shows at {address.pointer if address else '/'} at level {level}")


def show(text: str, view: Asked) -> tuple[str, str]:
    """The node that is asked for of what is shown, as a tree if it shall be one, and its media type.

    Raises NotFound and trees.BadPage.
    """
    if view.node:
        try:
            text = paths.get(text.encode(), view.node).decode()
        except paths.Missing as error:
            raise NotFound(f"nothing shows at {paths.format_pointer(view.node)}: {error}") from None
    if view.page is not None:
        return trees.tree(text.encode(), view.page), trees.MEDIA_TYPE
    return text, JSON


def wrap(reading: Reading, keys: Collection[str] | None, view: Asked) -> Reading:
    """What was read of some keys, None for all of them, in an envelope if that is asked for."""
    if not view.envelope:
        return reading
    return Reading(envelopes.of_state(reading.text, keys, reading.revision, view.level), reading.revision)


def several(wanted: Mapping[str, Address | None], view: Asked) -> Reading:
    """One object with the values of several addresses under the pointers that name them; what is not there is left out.

    All of them are read at one revision. Raises UnknownParameter.
    """
    if view.page is not None:
        raise UnknownParameter("view=tree shows one node; give one pointer")
    texts, revision = _documents({one.key for one in wanted.values() if one}, view.at)
    found: list[str] = []
    shown: set[str] = set()
    for pointer, address in wanted.items():
        if address is None:
            raise BadAddress("one of several pointers is empty, which stands for the whole state; ask for it alone")
        if address.key in texts and (text := _shown(texts[address.key], address, view)) is not None:
            found.append(f"{jsontext.dump(pointer)}:{text}")
            shown.add(address.key)
    return wrap(Reading("{" + ",".join(found) + "}", revision), shown, view)


def _shown(document: str, address: Address, view: Asked) -> str | None:
    """The text of a node as the views show it; None where there is nothing to show."""
    try:
        if view.level is not None:
            levels.check_way(address.tokens, view.level)
        text = edits.node(address, document)
        return text if view.level is None else at_level(text, address, view.level)
    except (NotFound, paths.Missing):
        return None


def _documents(keys: Collection[str], at: str | None) -> tuple[dict[str, str], int]:
    """The documents of those of the keys that are or were there, and the revision at which they were read."""
    if at is None:
        return store.read_keys(sorted(keys))
    revision = history.moment(at)
    return {key: one.text for key in sorted(keys) if (one := texts.of(key, revision))}, revision


def at_level(text: str, address: Address | None, level: int) -> str:
    """What of a node shows at a level; the whole state shows key by key. Raises NotFound."""
    seen = excerpts.excerpt(text, level) if address else excerpts.whole_state(text, level)
    if seen is None:
        raise _hidden(address, level)
    return seen


def state_at_level(state: dict[str, JSONValue], level: int) -> dict[str, JSONValue]:
    """The documents of all keys at a level; a key that shows nothing is left out."""
    return {key: seen for key, value in state.items() if (seen := levels.view(value, level)) is not ABSENT}
