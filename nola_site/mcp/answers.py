"""What tools are given and give: who calls, and an answer or a refusal in the words of the protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple

from django.db import Error

from access.database import try_twice
from access.rates import TooManyWrites
from access.rights import NotAllowed, Right
from nola_site.mcp.callers import Caller
from nola_site.mcp.messages import Message
from nola_site.mcp.outline import BadCursor, cut_value
from nola_site.mcp.protocol import Report, Request, make_failure
from nola_site.mcp.tools import Tool
from nola_site.serving.problems import explain_fault
from state import store
from state.address import Address
from state.errors import Refusal
from state.history.sight import find_places
from state.jsondoc.projection import Places
from state.jsondoc.text import dump_json
from state.registry import ConflictError, describe_conflict
from state.revisions import Author, Source
from state.store import Written

SHORT = 200  # characters of a value that stands beside something else
MOST_REASON = 1000
NOT_ASKED = ("cursor", "limit", "append")  # arguments that may differ between the pages of an answer
MOST_CONFLICTS = 20
SIDES, SIDE = ("base", "theirs", "yours", "value", "was"), 2000  # what of a conflict is a value, and its characters


class Answer(NamedTuple):
    """What a tool gives: as data, and as the text that a model reads; the same, if left out."""

    told: dict[str, Any]
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool."""

    caller: Caller
    client: str
    report: Report

    @property
    def places(self) -> Places | None:
        """The places of the state that the caller is limited to, None where there is no limit."""
        return find_places(self.caller.grant)

    def check_within(self, *addresses: Address) -> None:
        """Raises NotAllowed unless all of them are at or below those places: in words that tell of nothing else."""
        places = self.places
        if places and not all(places.hold((one.key, *one.tokens)) for one in addresses):
            raise NotAllowed(f"{self.caller.grant.who} may write nothing but what is at or below {places}")

    def make_author(self, reason: str = "", source: Source = Source.MCP, **info: Any) -> Author:
        """Who writes, through which client, and why."""
        return self.caller.make_author(self.client, reason[:MOST_REASON], source, **info)

    def make_state_author(self, reason: str = "") -> Author:
        """The same for the state: who may only suggest does no more."""
        is_writer = Right.WRITE_STATE in self.caller.grant.rights
        return replace(self.make_author(reason), suggests=not is_writer)


Handler = Callable[..., Answer]


def run_tool(handler: Handler, request: Request, tool: Tool, arguments: dict[str, Any]) -> Message:
    """Call what a tool does, if the caller may; every refusal is an answer that a model can act on."""
    try:
        return _show(try_twice(lambda: _call(handler, request, tool, arguments)))
    except ConflictError as error:
        head = store.head()
        advice = f"decide between theirs and yours, then write again with base={head}"
        sides = [show_sides(describe_conflict(one)) for one in error.conflicts[:MOST_CONFLICTS]]
        return make_failure(f"{error}", {"conflicts": sides, "revision": head, "advice": advice})
    except Refusal as error:
        return make_failure(error.detail, error.members | _later(error.seconds))
    except TooManyWrites as error:
        return make_failure(str(error), _later(error.seconds))
    except NotAllowed as error:
        return make_failure(str(error))
    except Error as fault:
        unwritable = explain_fault(fault)
        if unwritable is None:
            raise
        return make_failure(unwritable.detail, _later(unwritable.seconds))


def _call(handler: Handler, request: Request, tool: Tool, arguments: dict[str, Any]) -> Answer:
    caller: Caller = request.wire.find_caller()
    tool.needs.check(caller.grant)
    if tool.writes:
        caller.check_rate()
    asked, arguments = name_call(tool, arguments), open_cursor(tool, arguments)
    answer = handler(Call(caller, request.client, request.report), **arguments)
    if cursor := answer.told.get("cursor"):
        answer.told["cursor"] = f"{cursor}.{asked}"
    return answer


def open_cursor(tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with the place that their cursor stands for. Raises BadCursor for one of another call."""
    cursor = arguments.get("cursor")
    if cursor is None:
        return arguments
    place, _, asked = cursor.rpartition(".")
    if asked != name_call(tool, arguments):
        raise BadCursor(
            f"cursor {cursor[:40]!r} is none that this call has given before: send it with the same arguments, or leave"
            " it out to begin again"
        )
    return arguments | {"cursor": place}


def name_call(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """What a cursor of a call ends with: the same for all its pages, whatever their size."""
    told = {name: value for name, value in sorted(arguments.items()) if name not in NOT_ASKED}
    return sha256(dump_json([tool.name, told]).encode()).hexdigest()[:8]


def show_sides(one: Mapping[str, Any]) -> dict[str, Any]:
    """A conflict or an operation, with values of a bounded size."""
    return {name: cut_value(value, SIDE).value if name in SIDES else value for name, value in one.items()}


def _later(seconds: int | None) -> dict[str, Any]:
    return {"retry_after_seconds": seconds}


def _show(answer: Answer) -> Message:
    text = dump_json(answer.told) if answer.text is None else answer.text
    return {"content": [{"type": "text", "text": text}], "structuredContent": answer.told, "isError": False}


def tell_proposal(written: Written) -> dict[str, Any] | None:
    """What became of a write of who only suggests; None where it was made."""
    if written.proposal is None:
        return None
    if not written.proposal:
        return {"revision": written.revision, "changed": []}
    return {"proposal": written.proposal, "state": "waits for a person"}


def shorten(value: Any, most: int = SHORT) -> str:
    """The beginning of a value as text."""
    text = dump_json(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"
