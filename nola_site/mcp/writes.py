"""The tools that write: write, edit, delete, undo, and what is added to a conversation. Each is one revision."""

import json
from collections.abc import Container, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from access.rights import Right
from conversations.append import append_messages
from conversations.drafts import NewConversation, NewMessage
from nola_site.mcp.answers import Answer, Call, shorten, show_sides, tell_proposal
from nola_site.mcp.reads import find_address, read_messages
from state import edits, store, transactions, undo
from state.address import Address, find_node_text
from state.errors import Refusal, Unprocessable
from state.history import replay
from state.history.sight import see_by
from state.jsondoc.old_values import with_old_values
from state.jsondoc.pointer import format_pointer
from state.jsondoc.projection import Places, find_ways
from state.jsondoc.text import JSONValue, make_document
from state.models import Revision
from state.registry import Planned
from state.revisions import Source
from state.store import Written

MOST_SHOWN = 20  # operations of a preview


class NotYours(Unprocessable):
    """A revision that somebody else made."""


class Unusable(Unprocessable):
    """An operation that lacks what it needs, or a text that cannot be kept."""


class EditFailed(transactions.OperationFailed):
    """An operation cannot be done, so none was."""

    def __init__(self, index: int, cause: Refusal) -> None:
        super().__init__(index, cause)
        self.args = (f"operation {index}: {str(cause).removeprefix('operation 0 ')}",)  # each is a patch of its own


def find_target(pointer: str) -> Address:
    """The address that a write names. Raises BadPointer and Unusable."""
    address = find_address(pointer)
    if address is None:
        raise Unusable("the whole state cannot be written at once; begin the pointer with a key, as /Tasks")
    return address


# The state


def write_value(
    call: Call, pointer: str, value: JSONValue, mode: str = "set", base: int | None = None, reason: str = ""
) -> Answer:
    """Put a value, or merge into one."""
    address, author = find_target(pointer), call.make_state_author(reason)
    call.check_within(address)
    if mode == "merge":
        return _tell(store.merge(address, value, author, base=_parse_base(base), places=call.places), address)
    return _tell(store.put(address, make_document(value), author, base=_parse_base(base), places=call.places), address)


def delete_value(call: Call, pointer: str, base: int | None = None, reason: str = "") -> Answer:
    """Remove a key, or a value inside one."""
    address = find_target(pointer)
    call.check_within(address)
    return _tell(
        store.remove(address, call.make_state_author(reason), base=_parse_base(base), places=call.places), address
    )


def edit_values(call: Call, operations: list[dict[str, Any]], base: int | None = None, reason: str = "") -> Answer:
    """Several changes of any keys, all of them or none. Raises EditFailed."""
    author = call.make_state_author(reason)
    steps: list[tuple[int, transactions.Operation]] = []
    for number, one in enumerate(operations):
        call.check_within(*(find_target(one[name]) for name in ("pointer", "from") if name in one))
        changed = {step.address.key for _, step in steps}
        steps += [(number, step) for step in transactions.check([*_list_steps(number, one, changed, call.places)])]
    plan = transactions.plan([step for _, step in steps], _parse_base(base), call.places)
    try:
        return _tell(store.commit(plan, author))
    except transactions.OperationFailed as error:
        raise EditFailed(steps[error.index][0], error.cause) from None


def _tell(written: Written, address: Address | None = None) -> Answer:
    """The revision, what it changed, and how to take it back; with what stood at an address before, in short."""
    if proposed := tell_proposal(written):
        return Answer(proposed)
    told: dict[str, Any] = {"revision": written.revision, "changed": [one.key for one in written.changed]}
    was = next((edit.was for edit in written.edits if address and edit.key == address.key), None)
    before = find_node_text(address, was.text) if address and was else None
    if before is not None and written.changed:
        told["was"] = shorten(json.loads(before))
    if written.changed:
        told["undo"] = f"undo(revision={written.revision})"
    return Answer(told)


def _parse_base(base: int | None) -> int | None:
    return None if base is None else replay.parse_revision(str(base))


# Operations of JSON Patch over all keys, as those that transactions have


def _list_steps(number: int, one: dict[str, Any], changed: Container[str], places: Places | None) -> list[JSONValue]:
    """What one operation is in a transaction, after others that changed some keys. Raises Unusable."""
    op, address = one["op"], find_target(one["pointer"])
    needed = {"test": "value", "add": "value", "replace": "value", "move": "from"}.get(op)
    if needed and needed not in one:
        raise Unusable(f"operation {number} ({op}) needs {needed}")
    if extra := [name for name in ("value", "from") if name in one and name != needed]:
        raise Unusable(f"operation {number} ({op}) takes no {extra[0]}")
    if op == "move":
        source = find_target(one["from"])
        if source.key in changed and source.key != address.key:
            raise Unusable(
                f"operation {number} (move): what an operation before it has changed is not moved to another key at"
                " once; move it first, or in an edit of its own"
            )
        return _list_move(source, address, places)
    pointer = address.pointer
    if not address.tokens and op in ("add", "remove"):
        return [{"op": "put", "pointer": pointer, "value": one["value"]} if op == "add" else _remove(pointer)]
    return [_patch(address.key, op, address, **({"value": one["value"]} if needed else {}))]


def _list_move(source: Address, target: Address, places: Places | None) -> list[JSONValue]:
    """Within a key it is one operation; from one to another it is a copy of what is there, and its removal."""
    if source.key == target.key and source.tokens and target.tokens:
        return [_patch(source.key, "move", target, **{"from": format_pointer(source.tokens)})]
    text = (store.read_within(source, places) if places else store.read(source)).text
    value = json.loads(text)
    put: JSONValue = {"op": "put", "pointer": target.pointer, "value": value}
    there = _patch(target.key, "add", target, value=value) if target.tokens else put
    still = _patch(source.key, "test", source, value=value)
    gone = _patch(source.key, "remove", source) if source.tokens else _remove(source.pointer)
    return [still, there, gone]


def _patch(key: str, op: str, address: Address, **more: JSONValue) -> JSONValue:
    one: JSONValue = {"op": op, "path": format_pointer(address.tokens), **more}
    return {"op": "patch", "pointer": Address(key).pointer, "patch": [one]}


def _remove(pointer: str) -> JSONValue:
    return {"op": "delete", "pointer": pointer}


# Undo


def undo_revision(call: Call, revision: int, preview: bool = False, reason: str = "") -> Answer:
    """Take back a revision of one's own. Raises NotYours, UndoConflict and NotAllowed."""
    actor, grant = call.caller.actor, call.caller.grant
    row = Revision.objects.filter(seq=revision).first()
    if grant.is_limited and (row is None or row.actor != actor or not undo.lie_within([revision], see_by(grant))):
        raise NotYours(f"revision {revision} is none that {actor} made within its limits")
    if row is not None and row.actor != actor:
        raise NotYours(
            f"revision {revision} was made by {row.actor}, and only what {actor} wrote is taken back here;"
            " a person can take it back under Activity"
        )
    found = undo.find_revision(revision)
    grant.require(*undo.find_rights(found))
    plan = undo.plan(found, places=call.places)
    if preview:
        return Answer({"revision": store.head(), "would_change": _preview(plan(), call.places)})
    return _tell(store.commit(plan, call.make_author(reason, Source.UNDO, undoes=found)))


def _preview(planned: Sequence[Planned], places: Places | None) -> list[dict[str, Any]]:
    """What would be done, as patches with what stands there now; of many operations the first ones."""
    written = Written(0, planned)
    found: list[dict[str, Any]] = [{"kind": one.kind, "key": one.key} for one in written.changed if one.kind != "state"]
    for edit in written.edits:
        patch = with_old_values(*edits.show_within(edit, find_ways(places, edit.key)))
        more = {"operations": len(patch)} if len(patch) > MOST_SHOWN else {}
        found += [{"key": edit.key, "patch": [show_sides(op) for op in patch[:MOST_SHOWN]], **more}] if patch else []
    return found


# Conversations


def keep_messages(
    call: Call, session: str, append: list[dict[str, str]] | None = None, limit: int = 20, cursor: str | None = None
) -> Answer:
    """Add messages, and read the last ones; a caller that may do only one of the two is given that."""
    rights, user_id = call.caller.grant.rights, call.caller.grant.user_id
    told: dict[str, Any] = {}
    if append:
        call.caller.grant.require(Right.WRITE_CONVERSATIONS)
        store.check_key(session)
        call.report(0, 2, "adding")
        sent = [_make_message(number, user_id, **one) for number, one in enumerate(append)]
        added = append_messages(session, sent, call.make_author(), fields=NewConversation(session), user_id=user_id)
        told = {"added": [row.pk for row in added.messages], "revision": added.revision}
        call.report(1, 2, "reading")
    else:
        call.caller.grant.require(Right.READ_CONVERSATIONS)
    if Right.READ_CONVERSATIONS in rights:
        told |= read_messages(session, limit, cursor, user_id)
    return Answer(told)


def _make_message(number: int, user_id: str, speaker: str, message: str) -> NewMessage:
    if "\0" in message:
        raise Unusable(f"append[{number}]: message contains the character NUL, which cannot be kept; leave it out")
    one = NewMessage(speaker, message, datetime.now(UTC))
    return replace(one, user_id=user_id) if user_id else one
