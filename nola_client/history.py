"""What was, who did it, and taking it back; and what waits for a person."""

from collections.abc import Sequence
from typing import Any, Unpack

import httpx

from nola_client.flow import Flow, Request, Said, given, write
from nola_client.state import Proposal, Written, read_written
from nola_client.values import Address, dump_json, format_pointer

PROPOSALS = "/api/proposals"


def list_history(
    address: Address = "",
    *,
    actor: str | None = None,
    since: int | str | None = None,
    until: int | str | None = None,
    limit: int | None = None,
    was: bool | None = None,
) -> Request:
    """The revisions that touched a value, or all of them, newest first, with author, reason and patch.

    Of all, `actor`, `since` and `until` pick some; `limit` is how many are read at once.
    """
    query = {"pointer": format_pointer(address) or None, "actor": actor, "since": since, "until": until}
    return Request("GET", "/api/history", given({**query, "limit": limit, "was": was}))


def read_revisions(response: httpx.Response) -> list[dict[str, Any]]:
    return list(response.json()["revisions"])


def diff(first: int | str, last: int | str | None = None) -> Flow[dict[str, Any]]:
    """For each key that differs between two moments, the JSON Patch from the one to the other."""
    response = yield Request("GET", "/api/diff", given({"from": first, "to": last}))
    return dict(response.json()["patches"])


def blame(address: Address) -> Flow[dict[str, Any]]:
    """Who set each leaf of a value, and when."""
    response = yield Request("GET", "/api/blame", {"pointer": format_pointer(address)})
    return dict(response.json())


def undo(revision: int | Sequence[int], *, prefer: str | None = None, **said: Unpack[Said]) -> Flow[Written | Proposal]:
    """Take back what revisions did; later changes elsewhere stay. Raises ConflictError.

    Where later changes are in the way, `prefer="mine"` lets the undo win, `"theirs"` leaves them.
    """
    named = {"revision": revision} if isinstance(revision, int) else {"revisions": list(revision)}
    body = dump_json(given({**named, "prefer": prefer}))
    return read_written((yield write("POST", "/api/undo", said, body)))


def preview_undo(revision: int) -> Flow[dict[str, Any]]:
    """What an undo of this revision would do, as patches; nothing is changed."""
    response = yield write("POST", "/api/undo", {}, dump_json({"revision": revision, "dry_run": True}))
    return dict(response.json())


# Proposals


def list_proposals(*, state: str | None = None, actor: str | None = None, limit: int | None = None) -> Request:
    """What was proposed, newest first: that is waiting, accepted, rejected or withdrawn. A key sees its own."""
    return Request("GET", PROPOSALS, given({"state": state, "actor": actor, "limit": limit}))


def read_proposals(response: httpx.Response) -> list[dict[str, Any]]:
    return list(response.json()["proposals"])


def proposal(number: int) -> Flow[dict[str, Any]]:
    """A proposal with its operations, and what accepting it would do now."""
    response = yield Request("GET", f"{PROPOSALS}/{number}")
    return dict(response.json())


def withdraw(number: int) -> Flow[None]:
    """Take back what one has proposed, while it waits."""
    yield Request("DELETE", f"{PROPOSALS}/{number}")
