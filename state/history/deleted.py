"""What is gone: keys that were deleted, and members and items that were taken out of a container that is there.

Read from the log backwards, a bounded part of it at a time, so that the cost does not grow with the history.
"""

import json
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any, NamedTuple

from django.db import connection

from state import chain
from state.address import Address, NotFound, read_node_text
from state.entries import read_entry
from state.history import replay, timeline
from state.jsondoc.patch import find_node, replay_ops
from state.jsondoc.pointer import Tokens, parse_pointer
from state.jsondoc.projection import Places, Ways, find_ways, project_text
from state.jsondoc.text import NOTHING, dump_json
from state.models import Change, Revision

LOOKED = 1000  # changes that one page of members looks through


class Removed(NamedTuple):
    """One thing that is gone: the revision that took it, where it would stand now, and its text."""

    revision: Revision
    place: Tokens
    was: Tokens  # where it was at revision `at`
    at: int
    text: str
    position: int | None = None  # among the members of an object
    renamed: str | None = None  # the key that the same revision made of it


class Mark(NamedTuple):
    """Where the log is read on: before a revision, without its first `skip` things, from a place in the key."""

    before: int
    skip: int
    tokens: Tokens


class DeletedPage(NamedTuple):
    """Some of what is gone, the last first; `rest` says where to read on, None that this is all."""

    found: list[Removed]
    rest: Mark | None


# Keys: an index has what removed one, and of each key the last such change counts, if it is not there

KEYS = """
    SELECT c.key, c.revision FROM state_change c
    WHERE c.kind = 'state' AND c.result_hash = '' AND c.revision < %(before)s
        AND NOT EXISTS (SELECT 1 FROM state_storage WHERE key_name = c.key)
        AND NOT EXISTS (SELECT 1 FROM state_change WHERE kind = 'state' AND key = c.key AND revision > c.revision)
    ORDER BY c.revision DESC, c.key LIMIT %(limit)s OFFSET %(skip)s
"""


def find_keys(limit: int, mark: Mark | None = None, places: Places | None = None) -> DeletedPage:
    """Keys that are not there any more, the last deleted first."""
    before, skip, _ = mark or Mark(2**62, 0, ())
    if places:
        rows = _list_gone(places, before)[skip:]
    else:
        with connection.cursor() as cursor:
            cursor.execute(KEYS, {"before": before, "limit": limit + 1, "skip": skip})
            rows = cursor.fetchall()
    found = [gone for key, last in rows[:limit] if (gone := _key(key, last, places))]
    if len(rows) <= limit:
        return DeletedPage(found, None)
    last = rows[limit - 1][1]
    of_last = sum(revision == last for _, revision in rows[:limit])
    return DeletedPage(found, Mark(last + 1, of_last + (skip if last == before - 1 else 0), ()))


def _list_gone(places: Places, before: int) -> list[tuple[str, int]]:
    """The keys of the places in which there is nothing any more, and the revisions that took it."""
    rows = []
    for key in places.keys:
        newest = next(replay.changes_before(key, ways=places.find_ways(key)), None)
        if newest and newest.forward[-1:] == [{"op": "remove", "path": ""}] and newest.revision_id < before:
            rows.append((key, newest.revision_id))
    return sorted(rows, key=lambda row: -row[1])  # the names are in order


def _key(key: str, last: int, places: Places | None) -> Removed | None:
    changes = islice(replay.changes_before(key, ways=find_ways(places, key)), 2)
    change, *older = changes
    if change.revision_id != last or not older:  # it has come back just now
        return None
    text = dump_json(replay_ops(NOTHING, change.inverse))
    renamed = _find_renamed(key, text, last, places)
    return Removed(change.revision, (key,), (key,), older[0].revision_id, text, renamed=renamed)


def _find_renamed(key: str, text: str, revision: int, places: Places | None) -> str | None:
    """The other key that a revision made with the same document."""
    made = Change.objects.filter(revision=revision, kind="state").exclude(key=key)
    if places is None:
        return made.filter(result_hash=chain.hash_text(text)).values_list("key", flat=True).first()
    keys = [one for one in made.values_list("key", flat=True) if places.reach(one)]
    texts = ((one, dump_json(now)) for one in keys if (now := _document(one, revision, places)) is not NOTHING)
    return next((one for one, now in texts if now == text), None)


def _document(key: str, revision: int, places: Places) -> Any:
    return replay.document_at(key, revision, places.find_ways(key))


# Members and items: the log is read backwards, and what stood in the container before a change and not after it is gone


class BackwardStep(NamedTuple):
    """One change of the key, read backwards: where the container was after it and before, and what it lost."""

    change: Change
    older: Change
    after: Tokens
    before: Tokens
    lost: list[tuple[str, str, int | None]]  # name or index, text, place among members


def find_parts(address: Address, limit: int, mark: Mark | None = None, ways: Ways = None) -> DeletedPage:
    """Members or items that were taken out of the container at `address`, the last first. Raises NotFound."""
    stored = read_entry(address.key)
    text = stored and project_text(stored.text, ways)
    if text is None:
        raise NotFound(f"there is no key {address.key!r}")
    now = json.loads(read_node_text(address, text))
    if not isinstance(now, dict | list):
        return DeletedPage([], None)
    there = set(now) if isinstance(now, dict) else {dump_json(item) for item in now}
    before, skip, tokens = mark or Mark(2**62, 0, address.tokens)
    found: list[Removed] = []
    rest = None
    for step in islice(_steps(address.key, before, tokens, type(now), ways), LOOKED):
        for number, (token, text, position) in enumerate(step.lost[skip:], skip):
            if len(found) == limit:
                return DeletedPage(found, Mark(step.change.revision_id + 1, number, step.after))
            if (token if isinstance(now, dict) else text) not in there:
                there.update([token] if isinstance(now, dict) else [])
                place, was = (address.key, *address.tokens, token), (address.key, *step.before, token)
                found.append(Removed(step.change.revision, place, was, step.older.revision_id, text, position))
        skip, rest = 0, Mark(step.change.revision_id, 0, step.before)
    return DeletedPage(found, rest if rest and _is_more(address.key, rest.before, ways) else None)


def _steps(key: str, before: int, tokens: Tokens, kind: type, ways: Ways) -> Iterator[BackwardStep]:
    """The changes of a key before a revision, as long as the container that was at `tokens` then can be followed."""
    document: Any = None
    for change, older in pairwise(replay.changes_before(key, before, ways)):
        if document is None:
            document = replay.document_at(key, change.revision_id, ways)
        was, _ = timeline.trace_origin(tokens, change.forward, document)
        if was is None:
            return
        after = _names(_node(document, tokens)) if _is_around(change, was) else None
        document = replay_ops(document, change.inverse)
        container = _node(document, was)
        yield BackwardStep(
            change, older, tokens, was, _lost(container, change, was, after) if type(container) is kind else []
        )
        tokens = was


def _lost(container: Any, change: Change, was: Tokens, after: set[str] | None) -> list[tuple[str, str, int | None]]:
    """What the container had before a change and not after it; `after`: the names after one of something around it."""
    adds = [(parse_pointer(op["path"]), op["value"]) for op in change.inverse if op["op"] == "add"]
    back = [(path[-1], value) for path, value in adds if path and path[:-1] == was]
    if isinstance(container, list):
        places = {id(item): number for number, item in enumerate(container)} if back else {}
        return [(str(places.get(id(value), token)), dump_json(value), None) for token, value in back]
    names = {name for name, _ in back} if after is None else container.keys() - after
    return [(name, dump_json(container[name]), at) for at, name in enumerate(container) if name in names]


def _is_around(change: Change, tokens: Tokens) -> bool:
    """Whether a change set or removed the container itself, or something that it lies in."""
    around = (parse_pointer(op["path"]) for op in change.inverse if op["op"] in ("add", "replace"))
    return any(tokens[: len(path)] == path for path in around)


def _names(container: Any) -> set[str]:
    return set(container) if isinstance(container, dict) else set()


def _node(document: Any, tokens: Tokens) -> Any:
    try:
        return find_node(document, tokens)
    except (LookupError, TypeError, ValueError):
        return NOTHING


def _is_more(key: str, before: int, ways: Ways) -> bool:
    """Whether there are changes to be read on; the first of all takes nothing away."""
    return next(islice(replay.changes_before(key, before, ways), 1, None), None) is not None
