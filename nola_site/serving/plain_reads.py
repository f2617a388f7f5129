"""Plain reads: a value that is asked for by key and path alone, answered at once on the event loop, without Django.

An agent reads its memory before each answer, and half of such a call would be Django. What is not plain (a query, a
refusal, a large document, a session) is left to the usual way, which answers a plain read the same to the byte.
"""

from collections import OrderedDict
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from access import auth
from access.auth import Row
from access.database import Query, engine
from access.models import hash_key
from access.rights import Grant, Right
from nola_site.serving.bridge import Answer, Scope, guard_headers
from state import conditions, store, texts
from state.address import Address, read_node_text
from state.api.addresses import PREFIX, parse_path
from state.conditions import Conditions, NotModified
from state.errors import Refusal
from state.history.sight import find_places
from state.jsondoc.pointer import Tokens
from state.store import Reading

LARGE = texts.LARGE  # characters of a document that a thread of the pool had better look through
MOST_LARGE = 1000  # keys with one that are remembered
LEFT = {b"content-length", b"transfer-encoding", b"x-forwarded-host", b"expect"}  # headers of what is not plain
ROOM = 4 * 1024 * 1024  # characters of other documents that are kept
READ = store.READ.replace(store.COLUMN, f"CASE WHEN m.epoch = %s AND s.revision = %s THEN NULL ELSE {store.COLUMN} END")


class KeptText(NamedTuple):
    """A document, and the epoch and the revision it is known by."""

    epoch: str
    revision: int
    text: str


class KeptTexts:
    """Documents that were read lately: the database says whether they are still what is stored, and need not send them.

    Those of an old epoch are let go, since something may have been forgotten with it.
    """

    NONE = KeptText("", 0, "")

    def __init__(self) -> None:
        self.kept: OrderedDict[str, KeptText] = OrderedDict()
        self.epoch = ""
        self.size = 0  # characters

    def find(self, key: str) -> KeptText:
        return self.kept.get(key, self.NONE)

    def keep(self, key: str, text: KeptText) -> None:
        """Keep what is stored now; what was kept first makes room for it."""
        if text.epoch != self.epoch:
            self.kept.clear()
            self.epoch, self.size = text.epoch, 0
        self.drop(key)
        self.kept[key] = text
        self.size += len(text.text)
        while self.size > ROOM:
            self.drop(next(iter(self.kept)))

    def drop(self, key: str) -> None:
        self.size -= len(self.kept.pop(key, self.NONE).text)


class PlainReads:
    """A connection of its own to the database, for reading; used by the thread of the event loop alone."""

    def __init__(self) -> None:
        self.reader = engine().open_reader()
        self.large: set[str] = set()
        self.texts = KeptTexts()
        always = guard_headers()
        self.read = [(b"content-type", b"application/json"), *always]
        self.unchanged = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"0"), *always]

    async def answer(self, scope: Scope) -> Answer | None:
        """The answer to a request, None for one that goes the usual way."""
        if scope["method"] not in ("GET", "HEAD") or not scope["path"].startswith(PREFIX + "/"):
            return None
        sent = self.read_headers(scope)
        try:
            return await self._answer(scope, sent) if sent else None
        except (Refusal, self.reader.Error, UnicodeError):
            return None

    def read_headers(self, scope: Scope) -> dict[bytes, bytes] | None:
        """The headers of a request to this server, None if it is not plain."""
        sent = dict(scope["headers"])
        is_plain = len(sent) == len(scope["headers"]) and LEFT.isdisjoint(sent)
        return sent if is_plain and is_known_host(sent.get(b"host", b"")) else None

    async def _answer(self, scope: Scope, sent: dict[bytes, bytes]) -> Answer | None:
        key, *tokens = parse_path(scope["raw_path"].decode("latin-1").partition("?")[0])
        large = texts.find(key) if key in self.large else None
        if key in self.large and not (large and large.text.places and tokens):
            return None
        kept = self.texts.find(key)
        ask = (texts.WHICH, [key]) if large else (READ, [kept.epoch, kept.revision, key])
        grant, row = await self.find_grant(sent, ask)
        if grant is None or row is None or not _may_read(grant, (key, *tokens)):
            return None
        found = _read_part(large, tuple(tokens), row) if large else self._read(Address(key, tuple(tokens)), row, kept)
        at = scope["query_string"]
        if found is None or (at and at != b"at=%d" % found.revision):
            return None
        text, revision = found
        asked = Conditions(_parse(sent.get(b"if-match")), _parse(sent.get(b"if-none-match")))
        number = (b"nola-revision", b"%d" % revision)
        try:
            tag = asked.check_read(text, revision, is_weak=bool(at))
        except NotModified as same:
            return Answer(304, [*self.unchanged, number, (b"etag", same.etag.encode())], b"")
        body = text.encode()
        told = [number, (b"etag", tag.encode()), (b"content-length", b"%d" % len(body))]
        return Answer(200, [*self.read, *told], body)

    def _read(self, address: Address, row: Row, kept: KeptText) -> Reading | None:
        text, revision, epoch, of_key = row
        if text is None:
            text = kept.text
        elif len(text) <= LARGE:
            self.texts.keep(address.key, KeptText(epoch, of_key, text))
        else:
            self.texts.drop(address.key)
            self.large = {address.key} | (self.large if len(self.large) < MOST_LARGE else set())
            return None
        return Reading(read_node_text(address, text), revision)

    async def find_grant(self, sent: dict[bytes, bytes], beside: Query) -> tuple[Grant | None, Row | None]:
        """What the key that is sent may do, and the first row of a query that is asked with it.

        It is looked up every time. Nothing may be done without a key, with one whose use is to be noted, or with one
        that was replaced.
        """
        scheme, _, token = sent.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None, None
        row, found = await self.reader.fetch(auth.ask_for_key(hash_key(token)), beside)
        key = row and auth.make_key_row(row)
        return (None if key is None or auth.is_stamp_due(key.id) else key.grant), found


def _may_read(grant: Grant, node: Tokens) -> bool:
    """Whether one may read a node; what a key with limits sees only in part, or not, is left to the usual way."""
    places = find_places(grant)
    return Right.READ_STATE in grant.rights and (places is None or places.hold_surely(node))


def _read_part(kept: texts.Kept, tokens: Tokens, row: Row) -> Reading | None:
    """A small part of a large document whose text is kept and was looked through by others."""
    if kept.name != row[:2]:
        return None
    text = kept.text.read_node(tokens)
    return Reading(text, row[2]) if len(text) <= LARGE else None


@lru_cache(64)
def is_known_host(host: bytes) -> bool:
    """Whether a Host header names this server, as Django judges it."""
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def _parse(header: bytes | None) -> str | list[str] | None:
    return conditions.parse(None if header is None else header.decode("latin-1"))
