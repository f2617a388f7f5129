"""Plain reads: a value that is asked for by key and path alone, answered at once on the event loop, without Django.

An agent reads its memory before each answer, and half of such a call would be Django. What is not plain (a query, a
refusal, a large document, a session) is left to the usual way, which answers a plain read the same to the byte.
"""

from functools import lru_cache

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from access import auth
from access.database import engine
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


class PlainReads:
    """A connection of its own to the database, for reading; used by the thread of the event loop alone."""

    def __init__(self) -> None:
        self.reader = engine().open_reader()
        self.fetch = self.reader.fetch
        self.large: set[str] = set()
        always = guard_headers()
        self.read = [(b"content-type", b"application/json"), *always]
        self.unchanged = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"0"), *always]

    def answer(self, scope: Scope) -> Answer | None:
        """The answer to a request, None for one that goes the usual way."""
        if scope["method"] not in ("GET", "HEAD") or not scope["path"].startswith(PREFIX + "/"):
            return None
        sent = self.read_headers(scope)
        try:
            return self._answer(scope, sent) if sent else None
        except (Refusal, self.reader.Error, UnicodeError):
            return None

    def read_headers(self, scope: Scope) -> dict[bytes, bytes] | None:
        """The headers of a request to this server, None if it is not plain."""
        sent = dict(scope["headers"])
        is_plain = len(sent) == len(scope["headers"]) and LEFT.isdisjoint(sent)
        return sent if is_plain and is_known_host(sent.get(b"host", b"")) else None

    def _answer(self, scope: Scope, sent: dict[bytes, bytes]) -> Answer | None:
        key, *tokens = parse_path(scope["raw_path"].decode("latin-1").partition("?")[0])
        grant = self.find_grant(sent)
        if grant is None or not _may_read(grant, (key, *tokens)):
            return None
        found = self._read_large(key, tuple(tokens)) if key in self.large else self._read(key, tuple(tokens))
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

    def _read(self, key: str, tokens: Tokens) -> Reading | None:
        row = self.fetch(store.READ, [key])
        if row is None:
            return None
        text, revision = row[:2]
        if len(text) > LARGE:
            self.large = {key} | (self.large if len(self.large) < MOST_LARGE else set())
            return None
        return Reading(read_node_text(Address(key, tokens), text), revision)

    def _read_large(self, key: str, tokens: Tokens) -> Reading | None:
        """A small part of a large document whose text is kept and was looked through by others."""
        kept = texts.find(key)
        row = self.fetch(texts.WHICH, [key]) if kept and kept.text.places and tokens else None
        if kept is None or row is None or kept.name != row[:2]:
            return None
        text = kept.text.read_node(tokens)
        return Reading(text, row[2]) if len(text) <= LARGE else None

    def find_grant(self, sent: dict[bytes, bytes]) -> Grant | None:
        """What the key that is sent may do; None without one, or where its use is to be noted. Looked up every time."""
        scheme, _, token = sent.get(b"authorization", b"").decode("latin-1").partition(" ")
        key = auth.find_key(self.fetch, hash_key(token)) if scheme.lower() == "bearer" and token else None
        return None if key is None or auth.is_stamp_due(key.id) else key.grant


def _may_read(grant: Grant, node: Tokens) -> bool:
    """Whether one may read a node; what a key with limits sees only in part, or not, is left to the usual way."""
    places = find_places(grant)
    return Right.READ_STATE in grant.rights and (places is None or places.hold_surely(node))


@lru_cache(64)
def is_known_host(host: bytes) -> bool:
    """Whether a Host header names this server, as Django judges it."""
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def _parse(header: bytes | None) -> str | list[str] | None:
    return conditions.parse(None if header is None else header.decode("latin-1"))
