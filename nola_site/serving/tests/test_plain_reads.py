"""A plain read is answered as the usual way would answer it, to the byte; and it is plain only where it may be."""

import json

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.models import ApiKey, hash_key, new_key
from nola_site.serving import bridge
from nola_site.serving.plain_reads import LARGE, PlainReads
from state import store
from state.address import Address
from state.jsondoc.text import make_document
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Author("user:ada", Source.ADMIN)
DOCUMENT = {"a": [1, {"b": None}, "ä"], "": {"~": 1.50}, "a/b": [], "x y": True, ".": "dot", "é": {}}
PATHS = [
    "/Task", "/Task/a", "/Task/a/1/b", "/Task/a/2", "/Task/a~1b", "/Task/x%20y", "/Task/%C3%A9", "/Task/%2E", "/Tasks",
    "/Task/", "/Task//~0", "/Task/a/9", "/Task/a%2Fb", "/Task/%ff", "/Task/%zz", "", "/", "/restore", "/%54ask",
    "/No%00",
]  # fmt: skip
HEADERS = [
    (b"if-none-match", b"*"), (b"if-none-match", b'"no"'), (b"if-match", b"*"), (b"if-match", b'"no"'),
    (b"if-match", b"no"), (b"accept", b"text/html"), (b"prefer", b"return=minimal"), (b"cookie", b"nola_session=x"),
    (b"x-forwarded-host", b"evil.example"), (b"content-length", b"0"), (b"range", b"bytes=0-1"),
]  # fmt: skip
LIMITS = {"whole": ["/Task", "/restore"], "part": ["/Task/a", "/Task/x y", "/Task/more"], "item": ["/Task/a/1", "/No"]}
HOSTS = [b"127.0.0.1:8000", b"localhost", b"evil.example", b"", b"[::1]:1", b"a b"]
QUERIES = [b"", b"at=1", b"at=2", b"at=01", b"at=99", b"at=2&at=2", b"level=1", b"pointer=/a", b"x=1", b"at="]


@pytest.fixture
def keys():
    """The texts of keys, by what they may."""
    made = {name: new_key() for name in ("read", "read write", "write", "gone", *LIMITS)}
    for name, key in made.items():
        revoked = timezone.now() if name == "gone" else None
        places = json.dumps(LIMITS.get(name, []))
        scopes = "read" if name in LIMITS else name
        ApiKey.objects.create(
            name=name, prefix=key[:8], sha256=hash_key(key), scopes=scopes, revoked_at=revoked, places=places
        )
    for key, document in (("Task", DOCUMENT), ("Task", {**DOCUMENT, "more": 1}), ("restore", 1)):
        store.put(Address(key), make_document(document), ADA)
    for key in made.values():
        ask_usual_way(make_scope("/api/state/Task", bearer(key)))  # which notes its use
    return made


@pytest.fixture
def reads():
    made = PlainReads()
    yield made
    made.reader.close()


def make_scope(path, key, *, method="GET", query=b"", host=b"localhost", headers=()):
    sent = [(b"host", host)] if host else []
    if key is not None:
        sent.append((b"authorization", key))
    return {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query,
        "http_version": "1.1", "headers": [*sent, *headers], "server": ("localhost", 8000), "client": ("127.0.0.1", 1),
    }  # fmt: skip


def ask_usual_way(scope):
    answer = bridge.Bridge(WSGIHandler(), 1)._run(bridge.make_environ(scope, b""), None, None)
    return answer._replace(headers=sorted(answer.headers))


def bearer(key):
    return b"Bearer " + key.encode()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_whatever_is_answered_at_once_is_what_the_usual_way_answers(keys, reads, data):
    key = data.draw(st.sampled_from([*map(bearer, keys.values()), None, b"Bearer ", b"bearer x", b"Basic eDp5"]))
    scope = make_scope(
        "/api/state" + data.draw(st.sampled_from(PATHS)),
        key,
        method=data.draw(st.sampled_from(["GET", "GET", "HEAD", "PUT", "OPTIONS"])),
        query=data.draw(st.sampled_from(QUERIES)),
        host=data.draw(st.sampled_from(HOSTS)),
        headers=data.draw(st.lists(st.sampled_from(HEADERS), max_size=2)),
    )
    at_once = reads.answer(scope)

    if at_once:
        usual = ask_usual_way(scope)
        body = b"" if scope["method"] == "HEAD" else at_once.body
        assert (at_once.status, sorted(at_once.headers), body) == usual


def test_what_is_plain_is_answered_at_once(keys, reads):
    key = bearer(keys["read"])

    whole = reads.answer(make_scope("/api/state/Task", key))
    tag = dict(whole.headers)[b"etag"]
    leaf = reads.answer(make_scope("/api/state/Task/a/2", key))
    same = reads.answer(make_scope("/api/state/Task", key, headers=[(b"if-none-match", tag)]))
    then = reads.answer(make_scope("/api/state/Task", key, query=b"at=3"))

    assert (whole.status, json.loads(whole.body)) == (200, {**DOCUMENT, "more": 1})
    assert (leaf.body, same.status, same.body, then.body) == ('"ä"'.encode(), 304, b"", whole.body)


def test_a_key_with_limits_is_answered_at_once_within_its_places(keys, reads):
    asked = ["/Task", "/Task/a", "/Task/a/1/b", "/Task/x%20y", "/Task/a/1", "/Tasks"]

    answered = {
        name: [path for path in asked if reads.answer(make_scope("/api/state" + path, bearer(keys[name])))]
        for name in LIMITS
    }

    assert answered == {
        "whole": ["/Task", "/Task/a", "/Task/a/1/b", "/Task/x%20y", "/Task/a/1"],
        "part": ["/Task/a", "/Task/a/1/b", "/Task/x%20y", "/Task/a/1"],
        "item": [],
    }


def test_a_key_is_looked_up_on_every_call(keys, reads):
    scope = make_scope("/api/state/Task", bearer(keys["read"]))
    assert reads.answer(scope)

    ApiKey.objects.filter(name="read").update(revoked_at=timezone.now())

    assert reads.answer(scope) is None
    assert ask_usual_way(scope).status == 401


def test_a_large_document_is_left_to_a_thread(keys, reads):
    scope = make_scope("/api/state/Large/n", bearer(keys["read"]))
    store.put(Address("Large"), make_document({"n": 1, "text": "x" * LARGE}), ADA)

    assert reads.answer(scope) is None
    assert reads.large == {"Large"}


def test_it_cannot_write(keys, reads):
    reads.answer(make_scope("/api/state/Task", bearer(keys["read"])))

    with pytest.raises(Exception, match="readonly"):
        reads.fetch("DELETE FROM state_meta")
