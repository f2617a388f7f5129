"""Views: other readings of what is stored, asked for by query parameters. None of them changes anything."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from state import store
from state.address import Address, NotFound, read_node_text
from state.api.addresses import BadAddress, UnknownParameter
from state.entries import read_state
from state.files.envelopes import wrap_state
from state.history import past, replay
from state.jsondoc.levels import ABSENT, BadLevel, check_way, parse_stimuli, show_at_level
from state.jsondoc.levels_text import show_state_at_level, show_text_at_level
from state.jsondoc.pages import MEDIA_TYPE, TreePage, parse_tree_page, render_tree
from state.jsondoc.pointer import Missing, Tokens, format_pointer, get_node, parse_pointer
from state.jsondoc.text import JSONValue, dump_json
from state.store import Reading

JSON = "application/json"
PARAMETERS = ("at", "level", "stimuli", "view", "depth", "after", "limit", "open", "node", "envelope")


class ViewOptions(NamedTuple):
    """What the query parameters ask for; None where they do not."""

    at: str | None
    level: int | None
    page: TreePage | None
    envelope: bool | None = None
    node: Tokens | None = None  # into what is shown

    def __bool__(self) -> bool:
        return any(part is not None for part in self)


def parse_view(query: Mapping[str, list[str]]) -> ViewOptions:
    """The views a query asks for. Raises BadAddress, UnknownParameter, BadLevel and BadPage."""
    given = {name: values[0] for name, values in query.items() if name in PARAMETERS}
    for name in given:
        if len(query[name]) > 1 and name != "open":
            raise BadAddress(f"the parameter {name!r} is given {len(query[name])} times")
    page = None
    if given.get("view", "tree") != "tree":
        raise UnknownParameter(f"there is no view {given['view']!r}; there is: tree")
    if "view" in given:
        page = parse_tree_page(given, query.get("open", []))
    elif paging := [name for name in ("depth", "after", "limit", "open") if name in given]:
        raise UnknownParameter(f"the parameter {paging[0]!r} goes with view=tree only")
    node = parse_pointer(given["node"]) if "node" in given else None
    return ViewOptions(given.get("at"), parse_level(given), page, _envelope_of(given, page), node)


def _envelope_of(given: Mapping[str, str], page: TreePage | None) -> bool | None:
    if "envelope" not in given:
        return None
    if given["envelope"] != "1":
        raise UnknownParameter(f"envelope={given['envelope'][:40]!r} must be 1, or be left out")
    if "node" in given:
        raise UnknownParameter("envelope=1 goes around a stored value; name it by its address instead of node")
    if page is not None:
        raise UnknownParameter("envelope=1 goes around a value, and not with view=tree")
    return True


def parse_level(given: Mapping[str, str]) -> int | None:
    """The level that `level` or `stimuli` asks for. Raises UnknownParameter and BadLevel."""
    if "level" not in given:
        return parse_stimuli(given["stimuli"]) if "stimuli" in given else None
    if "stimuli" in given:
        raise UnknownParameter("level and stimuli say the same thing; give one of them")
    if given["level"] not in ("1", "2", "3"):
        raise BadLevel(f"there is no level {given['level'][:40]!r}; the levels are 1, 2 and 3")
    return int(given["level"])


def read_view(address: Address | None, view: ViewOptions) -> Reading:
    """What is or was stored at an address, at the level asked for. Raises NotFound.

    What a level hides and what was never there are refused in the same words.
    """
    if address is None and (view.level is not None or view.node):
        return _read_all(view)
    if view.level is None:
        return _stored(address, view.at)
    if address:
        check_way(address.tokens, view.level)
    try:
        text, revision = _stored(address, view.at)
    except NotFound:
        raise _hidden(address, view.level) from None
    return Reading(cut_to_level(text, address, view.level), revision)


def _read_all(view: ViewOptions) -> Reading:
    """All keys at a level; where only a node of one is asked for, no other is looked at."""
    revision = None if view.at is None else replay.revision_at(view.at)
    keys = [view.node[0]] if view.node else None
    found, at = past.read_texts(keys) if revision is None else (past.texts_at(revision, keys), revision)
    if view.level is not None:
        found = [seen for one in found if (seen := past.show_text(one, view.level))]
    return Reading(past.join_texts(found), at)


def _stored(address: Address | None, at: str | None) -> Reading:
    if at is None:
        return store.read(address) if address else store.read_all()
    revision = replay.revision_at(at)
    return Reading(past.read_value_at(address, revision), revision)


def _hidden(address: Address | None, level: int) -> NotFound:
    return NotFound(f"nothing shows at {address.pointer if address else '/'} at level {level}")


def render_view(text: str, view: ViewOptions) -> tuple[str, str]:
    """The node that is asked for of what is shown, as a tree if it shall be one, and its media type.

    Raises NotFound and BadPage.
    """
    if view.node:
        try:
            text = get_node(text.encode(), view.node).decode()
        except Missing as error:
            raise NotFound(f"nothing shows at {format_pointer(view.node)}: {error}") from None
    if view.page is not None:
        return render_tree(text.encode(), view.page), MEDIA_TYPE
    return text, JSON


def wrap_envelope(reading: Reading, keys: Collection[str] | None, view: ViewOptions) -> Reading:
    """What was read of some keys, None for all of them, in an envelope if that is asked for."""
    if not view.envelope:
        return reading
    return Reading(wrap_state(reading.text, keys, reading.revision, view.level), reading.revision)


def read_several(wanted: Mapping[str, Address | None], view: ViewOptions) -> Reading:
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
            found.append(f"{dump_json(pointer)}:{text}")
            shown.add(address.key)
    return wrap_envelope(Reading("{" + ",".join(found) + "}", revision), shown, view)


def _shown(document: str, address: Address, view: ViewOptions) -> str | None:
    """The text of a node as the views show it; None where there is nothing to show."""
    try:
        if view.level is not None:
            check_way(address.tokens, view.level)
        text = read_node_text(address, document)
        return text if view.level is None else cut_to_level(text, address, view.level)
    except (NotFound, Missing):
        return None


def _documents(keys: Collection[str], at: str | None) -> tuple[dict[str, str], int]:
    """The documents of those of the keys that are or were there, and the revision at which they were read."""
    if at is None:
        now = read_state(sorted(keys))
        return {key: text for key, (text, _) in now.entries.items()}, now.revision
    revision = replay.revision_at(at)
    return {key: one.text for key in sorted(keys) if (one := past.text_at(key, revision))}, revision


def cut_to_level(text: str, address: Address | None, level: int) -> str:
    """What of a node shows at a level; the whole state shows key by key. Raises NotFound."""
    seen = show_text_at_level(text, level) if address else show_state_at_level(text, level)
    if seen is None:
        raise _hidden(address, level)
    return seen


def state_at_level(state: dict[str, JSONValue], level: int) -> dict[str, JSONValue]:
    """The documents of all keys at a level; a key that shows nothing is left out."""
    return {key: seen for key, value in state.items() if (seen := show_at_level(value, level)) is not ABSENT}
