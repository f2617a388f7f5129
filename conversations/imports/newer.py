"""Exports of one account, one after another: which is the newer, and what it may set of what is in Nola.

In whatever order they come, the end is the same: the newest says what a conversation is, and the longest text stays.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from conversations import log
from conversations.imports.legacy_chat_files import IMPORTED, Chat
from conversations.imports.legacy_state import OURS, ImportRun
from conversations.imports.match import StoredChat, compare_traits, read_traits, traits_to_fields
from conversations.models import Conversation
from state.jsondoc.text import dump_json
from state.models import Change, Revision

UPDATED = "updated"  # the member of the metadata with the time at which the source of a conversation last changed it
Version = tuple[str, str, int]


def note_updated(chat: Chat) -> None:
    """Keep when the source last changed it, to know an older export by."""
    if chat.updated:
        chat.metadata = {**chat.metadata, UPDATED: _spell(chat.updated)}


def compare_versions(chat: Chat, here: StoredChat) -> int:
    """1 if an export is newer than the newest that is in Nola, -1 if it is older."""
    new, old = _version(chat), _stored_version(here)
    return (new > old) - (new < old)


def _version(chat: Chat) -> Version:
    """When the source says it was changed, its last message, and how many there are."""
    last = max((one.timestamp for one in chat.messages.values()), default=None)
    return _spell(chat.updated), _spell(last), len(chat.messages)


def _stored_version(here: StoredChat) -> Version:
    messages = [one for one in here.messages.values() if (one.client_id or "").startswith(IMPORTED)]
    last = max((one.timestamp for one in messages), default=None)
    updated = here.row.metadata.get(UPDATED)
    return updated if isinstance(updated, str) else "", _spell(last), len(messages)


def _spell(time: datetime | None) -> str:
    """A time, so that a later one is a greater text."""
    return time.astimezone(UTC).isoformat(timespec="microseconds") if time else ""


def is_newer(mine: Any, other: Any, age: int) -> bool:
    """Whether of two values the other is the newer one. `age` is above 0 where it comes from a newer export, below from
    an older one; of the same age, it is the one that grew, whichever came first.
    """
    if age:
        return age > 0
    return _size(other) > _size(mine)


def _size(value: Any) -> tuple[int, str]:
    text = dump_json(value)
    return len(text), text


def find_links(chat: Chat, here: StoredChat, moved: Collection[str], age: int) -> dict[str, str]:
    """The message that each one is to answer from now on, by names, where the file says more or says it later."""
    names = {one.pk: name for name, one in here.messages.items()}
    links = {}
    for name, new in chat.messages.items():
        old = here.find(name)
        if old is None or not new.parent:
            continue
        if old.parent_id is None:
            is_taken = age > 0 or name not in moved
        else:
            now = names.get(old.parent_id, "")
            is_taken = now != new.parent and is_newer(now, new.parent, age)
        if is_taken:
            links[name] = new.parent
    return links


def pick_leaf(chat: Chat, here: StoredChat, run: ImportRun, age: int) -> str:
    """The name of the message that is to end the branch in use; "" for the one that does."""
    now = next((name for name, one in here.messages.items() if one.pk == here.row.current_leaf_id), "")
    if not chat.leaf or now == chat.leaf or not is_newer(now, chat.leaf, age):
        return ""
    by = _setters(here.row.session_id).get("current_leaf_id")
    return "" if run.holder(by, here.row.session_id, chat.file.name) else chat.leaf


def pick_fields(chat: Chat, row: Conversation, run: ImportRun, age: int | None) -> tuple[dict[str, Any], list[str]]:
    """The fields to set, and what is kept instead, because somebody or another file has set them."""
    mine = read_traits(row)
    gaps, differing = compare_traits(mine, read_traits(chat))
    if age is not None and not run.replace:
        differing = {name: value for name, value in differing.items() if is_newer(mine[name], value, age)}
    setters = _setters(row.session_id) if gaps or differing else {}
    taken: dict[str, Any] = {}
    kept: dict[str, list[str]] = {}
    for name, value in (gaps | differing).items():
        by = setters.get(name)
        holder = run.holder(by, row.session_id, chat.file.name)
        if holder and not (name in gaps and by and by.source in OURS):
            kept.setdefault(holder, []).append(f"{name} of {row.session_id}")
        else:
            taken[name] = value
    fields = traits_to_fields(taken, row.metadata)
    is_new_time = run.replace and chat.started_text == row.started_text != "" and chat.started != row.started
    if "started_text" in taken or is_new_time:
        fields["started"] = chat.started
    return fields, [f"{', '.join(names)}: kept as set by {one}; --replace overrides" for one, names in kept.items()]


def _setters(session_id: str) -> dict[str, Revision]:
    """The revision that last set each trait. What a conversation was made without, none has set."""
    seqs: dict[str, int] = {}
    changes = Change.objects.filter(kind="conversation", key=session_id).order_by("id")
    for forward, inverse, seq in changes.values_list("forward", "inverse", "revision_id"):
        if isinstance(forward, dict) and isinstance(inverse, dict):  # else it is redacted
            added = {name: value for name, value in forward.get("add", {}).items() if value}
            seqs.update(dict.fromkeys(_changed({**added, **forward.get("set", {})}, inverse.get("set", {})), seq))
    revisions = Revision.objects.in_bulk(list(set(seqs.values())))
    return {name: revisions[seq] for name, seq in seqs.items()}


def _changed(after: dict[str, Any], before: dict[str, Any]) -> Iterator[str]:
    """The traits that a change of these fields has set."""
    yield from after.keys() - {"metadata"}
    new, old = after.get("metadata", {}), before.get("metadata", {})
    yield from (
        f"metadata.{name}" for name in new | old if name not in old or not log.is_same(new.get(name), old[name])
    )
