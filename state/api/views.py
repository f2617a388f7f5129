"""Views: other readings of what is stored, asked for by query parameters. None of them changes anything."""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, WithJsonSchema

from state import store
from state.address import Address, NotFound, read_node_text
from state.api.addresses import BadAddress, UnknownParameter
from state.api.parameters import AT, POINTER, Level, Parameters, Stimuli, one_of
from state.entries import KeysPage, read_keys, read_keys_caseless, read_last_keys
from state.files.envelopes import wrap_state
from state.history import past, replay
from state.jsondoc.levels import BadLevel, check_way, parse_stimuli, show_at_level
from state.jsondoc.levels_text import show_state_at_level, show_text_at_level
from state.jsondoc.pages import (
    MAX_LIMIT,
    MEDIA_TYPE,
    ObjectPart,
    TreePage,
    no_member,
    parse_tree_page,
    render_part,
    render_tree,
)
from state.jsondoc.pointer import Missing, Tokens, format_pointer, get_node, parse_pointer
from state.jsondoc.projection import Places
from state.jsondoc.text import MAX_DEPTH, NOTHING, JSONValue, dump_json
from state.store import Reading

JSON = "application/json"
Depth = Annotated[str | None, WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_DEPTH})]
TreeLimit = Annotated[str | None, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT})]


class ViewQuery(Parameters):
    """Which nodes are asked for, and how: of which moment, at which level, as a tree, in an envelope."""

    pointer: list[str] = Field([], description=f"{POINTER}. May be repeated, for one object of several values")
    at: str | None = Field(None, description=AT)
    level: Level = None
    stimuli: Stimuli = None
    view: Annotated[Literal["tree"] | None, one_of("there is no view {}; there is: tree")] = Field(
        None, description="As a tree, told level by level"
    )
    depth: Depth = Field(None, description="How many levels of the tree; 1 if left out")
    after: str | None = Field(None, description="The member or item after which the tree begins")
    last: TreeLimit = Field(None, description="How many of the last members or items, instead of the first")
    limit: TreeLimit = Field(None, description="How many members or items of each node; 100 if left out")
    order: Annotated[Literal["caseless"] | None, one_of("there is no order {}; there is: caseless")] = Field(
        None, description="Of the tree of all keys: by name, whatever its case; by the bytes of the name if left out"
    )
    open: list[str] = Field([], description="Pointers of nodes to open whatever the depth; may be repeated")
    node: str | None = Field(None, description="A pointer into what is shown")
    envelope: Annotated[Literal["1"] | None, one_of("envelope={} must be 1, or be left out")] = Field(
        None, description="The value in an envelope that says what it is, and of which revision"
    )


class ViewOptions(NamedTuple):
    """What the query parameters ask for; None where they do not."""

    at: str | None
    level: int | None
    page: TreePage | None
    envelope: bool | None = None
    node: Tokens | None = None  # into what is shown

    def __bool__(self) -> bool:
        return any(part is not None for part in self)

    @property
    def key_page(self) -> TreePage | None:
        """Which page of the keys is asked for, where that is all that is, and of what is stored now."""
        return self.page if self.at is None and self.level is None and not self.node else None


STORED = ViewOptions(None, None, None)


def parse_view(query: ViewQuery) -> ViewOptions:
    """The views a query asks for. Raises UnknownParameter, BadLevel, BadPage and BadPointer."""
    if query.given.keys() <= {"pointer"}:
        return STORED
    given = query.texts
    if query.view is None and (
        paging := [name for name in ("depth", "after", "last", "limit", "order", "open") if name in given]
    ):
        raise UnknownParameter(f"the parameter {paging[0]!r} goes with view=tree only")
    page = parse_tree_page(given, query.open) if query.view else None
    if query.envelope and query.node is not None:
        raise UnknownParameter("envelope=1 goes around a stored value; name it by its address instead of node")
    if query.envelope and page is not None:
        raise UnknownParameter("envelope=1 goes around a value, and not with view=tree")
    node = None if query.node is None else parse_pointer(query.node)
    return ViewOptions(query.at, parse_level(given), page, True if query.envelope else None, node)


def check_order(place: Address | None, view: ViewOptions) -> None:
    """Only the keys have another order: members of an object stand as they are stored. Raises UnknownParameter."""
    if view.page and view.page.is_caseless and (place or view.node):
        raise UnknownParameter(
            "order goes with the tree of all keys only: members of an object stand as they are stored"
        )


def parse_level(given: Mapping[str, str]) -> int | None:
    """The level that `level` or `stimuli` asks for. Raises UnknownParameter and BadLevel."""
    if "level" not in given:
        return parse_stimuli(given["stimuli"]) if "stimuli" in given else None
    if "stimuli" in given:
        raise UnknownParameter("level and stimuli say the same thing; give one of them")
    if given["level"] not in ("1", "2", "3"):
        raise BadLevel(f"there is no level {given['level'][:40]!r}; the levels are 1, 2 and 3")
    return int(given["level"])


def read_view(address: Address | None, view: ViewOptions, places: Places | None = None) -> Reading:
    """What is or was stored at an address, at the level asked for; in the places, if a reader may see no more.

    Raises NotFound. What a level hides and what was never there are refused in the same words.
    """
    if address is None and (view.level is not None or view.node):
        return _read_all(view, places)
    if view.level is None:
        return _stored(address, view.at, places)
    if address:
        check_way(address.tokens, view.level)
    try:
        text, revision = _stored(address, view.at, places)
    except NotFound:
        raise _hidden(address, view.level) from None
    return Reading(cut_to_level(text, address, view.level), revision)


def _read_all(view: ViewOptions, places: Places | None) -> Reading:
    """All keys at a level; where only a node of one is asked for, no other is looked at."""
    revision = None if view.at is None else replay.revision_at(view.at)
    keys = [view.node[0]] if view.node else None
    if revision is None:
        found, at = past.read_texts(keys, places)
    else:
        found, at = past.texts_at(revision, keys, places), revision
    if view.level is not None:
        found = [seen for one in found if (seen := past.show_text(one, view.level))]
    return Reading(past.join_texts(found), at)


def _stored(address: Address | None, at: str | None, places: Places | None) -> Reading:
    if at is not None:
        revision = replay.revision_at(at)
        return Reading(past.read_value_at(address, revision, places), revision)
    if places is None:
        return store.read(address) if address else store.read_all()
    return store.read_within(address, places) if address else read_all_within(places)


def read_all_within(places: Places) -> Reading:
    """The state as one object, with what lies in the places alone."""
    found, revision = past.read_texts(places=places)
    return Reading(past.join_texts(found), revision)


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


def read_key_page(page: TreePage) -> Reading:
    """The tree view of the whole state, for which no more is read than the keys of the page. Raises BadPage."""
    read = _read_keys(page)
    if page.after is not None and not read.is_there:
        raise no_member(page.after)
    totals = read.totals
    ends = 1 if totals.keys else 2  # the brackets, and no comma behind the last one
    members = [(key, text.encode()) for key, text in read.found]
    part = ObjectPart(totals.keys, totals.bytes + ends, totals.characters + ends, members, read.has_more)
    return Reading(render_part(part, page), read.revision)


def _read_keys(page: TreePage) -> KeysPage:
    limit = (page.last or page.limit) if page.is_open else 0
    if page.is_caseless:
        return read_keys_caseless(page.after, limit, is_last=page.last is not None)
    return read_keys(page.after, limit) if page.last is None else read_last_keys(limit)


def wrap_envelope(reading: Reading, keys: Collection[str] | None, view: ViewOptions) -> Reading:
    """What was read of some keys, None for all of them, in an envelope if that is asked for."""
    if not view.envelope:
        return reading
    return Reading(wrap_state(reading.text, keys, reading.revision, view.level), reading.revision)


def read_several(wanted: Mapping[str, Address | None], view: ViewOptions, places: Places | None = None) -> Reading:
    """One object with the values of several addresses under the pointers that name them; what is not there is left out.

    All of them are read at one revision. Raises UnknownParameter.
    """
    if view.page is not None:
        raise UnknownParameter("view=tree shows one node; give one pointer")
    texts, revision = _documents({one.key for one in wanted.values() if one}, view.at, places)
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


def _documents(keys: Collection[str], at: str | None, places: Places | None) -> tuple[dict[str, str], int]:
    """The documents of those of the keys that are or were there, and the revision at which they were read."""
    if at is None:
        found, revision = past.read_texts(sorted(keys), places)
    else:
        revision = replay.revision_at(at)
        found = past.texts_at(revision, sorted(keys), places)
    return {one.name.key: one.text for one in found}, revision


def cut_to_level(text: str, address: Address | None, level: int) -> str:
    """What of a node shows at a level; the whole state shows key by key. Raises NotFound."""
    seen = show_text_at_level(text, level) if address else show_state_at_level(text, level)
    if seen is None:
        raise _hidden(address, level)
    return seen


def state_at_level(state: dict[str, JSONValue], level: int) -> dict[str, JSONValue]:
    """The documents of all keys at a level; a key that shows nothing is left out."""
    return {key: seen for key, value in state.items() if (seen := show_at_level(value, level)) is not NOTHING}
