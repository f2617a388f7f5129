"""Where what is to be forgotten stands, one spot after the other, for a person to look at before it goes."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from nola_site.forget.database import DatabasePlan
from nola_site.forget.redaction import Redaction
from state.jsondoc.names import show_name
from state.jsondoc.pointer import format_pointer


class Spot(NamedTuple):
    """A spot in words, never with what is to be forgotten in them, and what leads there: "" and 0 where nothing can."""

    text: str
    pointer: str = ""
    past: str = ""  # a key, of which only the past holds it
    message: int = 0
    session: str = ""


def list_spots(plan: DatabasePlan) -> Iterator[Spot]:
    """Values and names of the state first, then the past, messages and conversations."""
    redaction, now = plan.redaction, plan.rows["state_storage"]
    for row in now:
        old = json.loads(row.old["value_json"])
        new = json.loads(row.new.get("value_json", row.old["value_json"]))
        if "key_name" in row.new:
            yield _spot((row.key,), redaction)
        yield from _list_changed((row.key,), old, new, redaction)
    past = {key for kind, key in plan.history.keys if kind == "state"} - {row.key for row in now}
    for key in sorted(past):
        yield Spot(f"the past of {show_name(redaction.name(key))}", past="" if redaction.is_in(key) else key)
    for row in plan.rows.get("conversation_history", []):
        yield Spot(f"message {row.key} in {redaction.name(row.old['session'])}", message=row.key)
    for row in plan.rows.get("conversation", []):
        session = row.old["session_id"]
        yield Spot(f"the conversation {redaction.name(session)}", session="" if redaction.is_in(session) else session)


def _list_changed(tokens: tuple[str, ...], old: Any, new: Any, redaction: Redaction) -> Iterator[Spot]:
    """The leaves that become others, and the members that get another name."""
    if isinstance(old, dict) and isinstance(new, dict):
        for (name, one), (other_name, other) in zip(old.items(), new.items(), strict=False):
            if name != other_name:
                yield _spot((*tokens, name), redaction)
            yield from _list_changed((*tokens, name), one, other, redaction)
    elif isinstance(old, list) and isinstance(new, list):
        for place, (one, other) in enumerate(zip(old, new, strict=False)):
            yield from _list_changed((*tokens, str(place)), one, other, redaction)
    elif old != new:
        yield _spot(tokens, redaction)


def _spot(tokens: tuple[str, ...], redaction: Redaction) -> Spot:
    shown = " › ".join(show_name(redaction.name(token)) for token in tokens)
    return Spot(shown, "" if any(map(redaction.is_in, tokens)) else format_pointer(tokens))
