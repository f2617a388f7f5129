"""What goes wrong: each error has what the problem document of the API says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx


class Absent:
    """The type of ABSENT: there is nothing, which is not null."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent()


class NolaError(Exception):
    """A call that was refused; nothing was changed. `members` is the whole problem document."""

    def __init__(self, status: int, title: str, detail: str, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{status} {title}: {detail}" if status else detail)
        self.status, self.title, self.detail = status, title, detail
        self.members: Mapping[str, Any] = members or {}

    @property
    def pointer(self) -> str | None:
        """Where it is, if the problem says so."""
        return self.members.get("pointer")


class Unreachable(NolaError):
    """No answer. A write may have been done: it was sent with an Idempotency-Key, if at all, more than once."""


class NotAllowed(NolaError):
    """401: no valid key. 403: this key may not."""


class NotFound(NolaError):
    """404: nothing is stored there."""


class ConflictError(NolaError):
    """409: it cannot be put there, or others have changed the same. `conflicts` has every place where they have."""

    @property
    def conflicts(self) -> list["Conflict"]:
        return [Conflict.read(one) for one in self.members.get("conflicts", [])]


class Gone(NolaError):
    """410: it was deleted or purged, or a cursor or revision is of a past that was put away."""

    @property
    def cursor(self) -> str | None:
        """Where to go on with the feed."""
        return self.members.get("cursor")


class PreconditionFailed(NolaError):
    """412: it is not as `if_match` says. `etag` and `revision` say what is there."""

    @property
    def etag(self) -> str | None:
        return self.members.get("etag")

    @property
    def revision(self) -> int | None:
        return self.members.get("revision")


class Invalid(NolaError):
    """400, 413, 415 or 422: what was sent is of no use, or too large."""


class Busy(NolaError):
    """429, 503 or 507, also after it was tried again: come back in `retry_after` seconds."""

    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A place that both sides changed. A side that has nothing there is ABSENT."""

    key: str
    pointer: str  # inside the key
    base: Any
    theirs: Any
    yours: Any
    by: int | None  # the revision in the way

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Conflict":
        base, theirs, yours = (told.get(side, ABSENT) for side in ("base", "theirs", "yours"))
        return cls(told["key"], told["pointer"], base, theirs, yours, told.get("by"))


KINDS: dict[int, type[NolaError]] = {
    **dict.fromkeys((401, 403), NotAllowed),
    404: NotFound,
    409: ConflictError,
    410: Gone,
    412: PreconditionFailed,
    **dict.fromkeys((400, 413, 415, 422), Invalid),
    **dict.fromkeys((429, 503, 507), Busy),
}


def read_error(response: httpx.Response) -> NolaError:
    """The error that a response is; its body has been read."""
    try:
        members = response.json()
    except ValueError:  # from something else on the way
        members = None
    if not isinstance(members, dict):
        members = {}
    title = members.get("title", response.reason_phrase)
    detail = members.get("detail", response.text[:200] or f"an answer without a problem document from {response.url}")
    error = KINDS.get(response.status_code, NolaError)(response.status_code, title, detail, members)
    if isinstance(error, Busy):
        error.retry_after = read_retry_after(response)
    return error


def read_retry_after(response: httpx.Response) -> float | None:
    """The seconds that Retry-After says, None where it says none."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None
