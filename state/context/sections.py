"""Sections of a context: nodes of the state at each level, as Markdown or JSON, all at one revision.

What a key looks like at each level is kept in memory by (epoch, key, revision): a key that has not changed is neither
read nor rendered again.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from state.address import Address, find_node_text, read_node_text
from state.entries import read_entries, read_state
from state.history import past, replay
from state.jsondoc.levels import check_way
from state.jsondoc.levels_text import show_text_at_level
from state.jsondoc.markdown import render_section
from state.jsondoc.pointer import Missing
from state.jsondoc.projection import Places, project_text
from state.jsondoc.text import dump_json

SectionForm = Literal["markdown", "json"]
LEVELS = (1, 2, 3)
KEPT_TEXT = 32_768  # characters of a rendering that are kept; of longer ones only how many they are
MOST_KEPT = 8 * 1024 * 1024  # characters in all
ENTRY = 1000  # characters that an entry is counted for beside its texts


class Rendering(NamedTuple):
    """A section at one level: its size in characters, and its text if that is kept."""

    size: int
    text: str | None


Renderings = Mapping[int, Rendering]  # by level; those at which nothing shows are missing


class Moment(NamedTuple):
    """The state at a revision, or what of it lies in some places: the keys that were there, each with the revision that
    had last changed it.
    """

    epoch: str
    revision: int
    keys: Mapping[str, int | None]  # None where it has changed since, and must be replayed
    places: Places | None = None


RenderingName = tuple[str, Address, int, SectionForm, Places | None]


class _Cache:
    """The last used renderings, up to MOST_KEPT characters."""

    def __init__(self) -> None:
        self._kept: OrderedDict[RenderingName, Renderings] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, name: RenderingName) -> Renderings | None:
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
            return self._kept.get(name)

    def put(self, name: RenderingName, found: Renderings) -> None:
        with self._lock:
            if name not in self._kept:
                self._kept[name] = found
                self._size += _weight(found)
            while self._size > MOST_KEPT:
                self._size -= _weight(self._kept.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._size = 0


rendering_cache = _Cache()


def _weight(found: Renderings) -> int:
    return ENTRY + sum(len(one.text or "") for one in found.values())


# Which revision


def read_moment(at: str | None, keys: Sequence[str] | None, places: Places | None = None) -> Moment:
    """The state now, or at a revision or time: all keys, or those of the ones named that are or were there.

    With `places`, those in which something of these is. Raises replay.UnknownMoment and replay.GoneRevision.
    """
    if places is not None:
        keys = [key for key in places.keys if keys is None or key in keys]
    stored = read_state(keys, texts=False)
    epoch, head, revisions = stored.epoch, stored.revision, {key: last for key, (_, last) in stored.entries.items()}
    revision = head if at is None else replay.revision_at(at)
    current: dict[str, int | None] = {key: last for key, last in revisions.items() if last <= revision}
    if at is not None and revision < head:
        changed = replay.list_keys_between(revision, head) if keys is None else keys
        current.update((key, None) for key in changed if key not in current)
    now = Moment(epoch, revision, dict(sorted(current.items(), key=lambda pair: pair[0].encode())), places)
    if places is None:
        return now
    there = read_section_documents(now, now.keys)
    return now._replace(keys={key: last for key, last in now.keys.items() if key in there})


def read_section_documents(now: Moment, keys: Iterable[str]) -> dict[str, str]:
    """The texts of keys as they are at a moment; those that were not there are left out."""
    asked = [key for key in keys if key in now.keys]
    found = {key: text for key, (text, last) in read_entries(asked).items() if last == now.keys[key]}
    for key in asked:
        if key not in found and (then := past.text_at(key, now.revision)):
            found[key] = then.text
    return found if now.places is None else _project(found, now.places)


def _project(found: Mapping[str, str], places: Places) -> dict[str, str]:
    shown = {key: project_text(text, places.find_ways(key)) for key, text in found.items()}
    return {key: text for key, text in shown.items() if text is not None}


# What they look like


def render_forms(now: Moment, addresses: Sequence[Address], form: SectionForm) -> dict[Address, Renderings]:
    """Each of the nodes at each level; a node at which nothing shows at any, or that is not there, has none."""
    found: dict[Address, Renderings] = {}
    for one in addresses:
        last = now.keys.get(one.key)
        if last is not None and (kept := rendering_cache.get((now.epoch, one, last, form, now.places))) is not None:
            found[one] = kept
    missing = [one for one in addresses if one not in found]
    there = read_section_documents(now, dict.fromkeys(one.key for one in missing)) if missing else {}
    for one in missing:
        found[one] = _rendered(one, there.get(one.key), form)
        last = now.keys.get(one.key)
        if last is not None:
            rendering_cache.put((now.epoch, one, last, form, now.places), found[one])
    return found


def _rendered(address: Address, document: str | None, form: SectionForm) -> Renderings:
    node = find_node_text(address, document)
    seen: dict[str, Rendering] = {}
    found: dict[int, Rendering] = {}
    for level in LEVELS if node is not None else ():
        text = show_node(address, node or "", level)
        if text is not None:
            if text not in seen:
                block = BLOCKS[form](address, text)
                seen[text] = Rendering(len(block), block if len(block) <= KEPT_TEXT else None)
            found[level] = seen[text]
    return found


def show_node(address: Address, node: str, level: int) -> str | None:
    """What of a node, given as stored text, shows at a level, also for what its address goes through."""
    try:
        check_way(address.tokens, level)
    except Missing:
        return None
    return show_text_at_level(node, level)


def read_section_text(now: Moment, address: Address, level: int, form: SectionForm) -> str:
    """The text of a section whose rendering at that level is not kept."""
    document = read_section_documents(now, [address.key])[address.key]
    text = show_node(address, read_node_text(address, document), level)
    assert text is not None  # it has a rendering at this level
    return BLOCKS[form](address, text)


def _markdown(address: Address, text: str) -> str:
    return render_section(address.pointer[1:], json.loads(text))


def _json(address: Address, text: str) -> str:
    return f"{dump_json(address.pointer)}:{text},"


BLOCKS: Mapping[SectionForm, Callable[[Address, str], str]] = {"markdown": _markdown, "json": _json}
