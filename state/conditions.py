"""Entity tags and the conditions a request makes on them (RFC 9110 §8.8.3, §13)."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from state.errors import Malformed, Refusal
from state.jsondoc.diff import Op

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_TAGS = re.compile(rf"\s*{_TAG.pattern}\s*(?:,\s*{_TAG.pattern}\s*)*")


class BadCondition(Malformed):
    """If-Match or If-None-Match is not `*` or a list of entity tags."""


class PreconditionFailed(Refusal):
    """What is stored is not what the request expects."""

    status = 412

    def __init__(self, detail: str, etag: str | None, revision: int, patch: list[Op] | None = None) -> None:
        super().__init__(detail)
        self.etag, self.revision, self.patch = etag, revision, patch

    @property
    def members(self) -> dict[str, Any]:
        return {"etag": self.etag, "revision": self.revision, "patch": self.patch}


class NotModified(Exception):
    """What is stored is what the reader has already."""

    def __init__(self, etag: str, revision: int) -> None:
        super().__init__(etag)
        self.etag, self.revision = etag, revision


def etag(text: str) -> str:
    """The strong entity tag of a value: a hash of its bytes, so that a write elsewhere does not change it."""
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


@dataclass(frozen=True, slots=True)
class Conditions:
    """What If-Match and If-None-Match ask for: "*", or the tags; None where there is no such header."""

    match: str | list[str] | None = None
    none_match: str | list[str] | None = None
    since: Callable[[], list[Op]] | None = None  # tells a writer whose condition fails what has changed meanwhile

    def __bool__(self) -> bool:
        return self.match is not None or self.none_match is not None

    def check_write(self, text: str | None, revision: int) -> None:
        """Raises PreconditionFailed unless a write may go on; `text` is what is stored there, None for nothing."""
        tag = None if text is None else etag(text)
        self._check_match(tag, revision)
        if self.none_match is not None and _names(self.none_match, tag, weak=True):
            raise self._failed("something is stored there already (If-None-Match)", tag, revision)

    def _failed(self, detail: str, tag: str | None, revision: int) -> PreconditionFailed:
        return PreconditionFailed(detail, tag, revision, self.since and self.since())

    def check_read(self, text: str, revision: int, *, is_weak: bool = False) -> str:
        """The tag to answer with. Raises PreconditionFailed and NotModified."""
        tag = f"W/{etag(text)}" if is_weak else etag(text)
        self._check_match(tag, revision)
        if self.none_match is not None and _names(self.none_match, tag, weak=True):
            raise NotModified(tag, revision)
        return tag

    def _check_match(self, tag: str | None, revision: int) -> None:
        if self.match is not None and not _names(self.match, tag, weak=False):
            what = "nothing is stored there" if tag is None else f"what is there has the ETag {tag}"
            what += ", which is weak and good for If-None-Match alone" if tag and tag.startswith("W/") else ""
            raise self._failed(f"{what}, which If-Match does not name", tag, revision)


def parse(header: str | None) -> str | list[str] | None:
    """The value of If-Match or If-None-Match: "*" or the tags. Raises BadCondition.

    Django's `parse_etags` reads what it can, and a condition that is passed over is a write that nobody allowed.
    """
    if header is None or header.strip() == "*":
        return header and "*"
    if not _TAGS.fullmatch(header):
        raise BadCondition(f'{header!r} is neither * nor a list of ETags; an ETag stands in quotes: "..."')
    return [found[0] for found in _TAG.finditer(header)]


def _names(asked: str | list[str], tag: str | None, *, weak: bool) -> bool:
    """Whether the header names the tag, by weak or strong comparison (RFC 9110 §8.8.3.2)."""
    if tag is None or asked == "*":
        return tag is not None
    if not weak:
        return not tag.startswith("W/") and tag in asked
    return any(one.removeprefix("W/") == tag.removeprefix("W/") for one in asked)
