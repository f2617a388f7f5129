"""A plain read is answered as the usual way would answer it, to the byte; and it is plain only where it may be."""

import asyncio
import json
import threading

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.models import ApiKey, hash_key, new_key
from nola_site.serving import bridge, plain_reads
from nola_site.serving.plain_reads import LARGE, PlainReads
from state import store
from state.address import Address
from state.jsondoc.text import make_document
from state.models import StoreMeta
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
    made.reader.open()
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


def answer(reads, scope):
    return asyncio.run(reads.answer(scope))


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
    if data.draw(st.booleans()):
        store.put(Address("Task"), make_document({**DOCUMENT, "more": data.draw(st.integers(0, 3))}), ADA)
    at_once = answer(reads, scope)

    if at_once:
        usual = ask_usual_way(scope)
        body = b"" if scope["method"] == "HEAD" else at_once.body
        assert (at_once.status, sorted(at_once.headers), body) == usual


def test_what_is_plain_is_answered_at_once(keys, reads):
    key = bearer(keys["read"])

    whole = answer(reads, make_scope("/api/state/Task", key))
    tag = dict(whole.headers)[b"etag"]
    leaf = answer(reads, make_scope("/api/state/Task/a/2", key))
    same = answer(reads, make_scope("/api/state/Task", key, headers=[(b"if-none-match", tag)]))
    then = answer(reads, make_scope("/api/state/Task", key, query=b"at=3"))

    assert (whole.status, json.loads(whole.body)) == (200, {**DOCUMENT, "more": 1})
    assert (leaf.body, same.status, same.body, then.body) == ('"ä"'.encode(), 304, b"", whole.body)


def test_a_key_with_limits_is_answered_at_once_within_its_places(keys, reads):
    asked = ["/Task", "/Task/a", "/Task/a/1/b", "/Task/x%20y", "/Task/a/1", "/Tasks"]

    answered = {
        name: [path for path in asked if answer(reads, make_scope("/api/state" + path, bearer(keys[name])))]
        for name in LIMITS
    }

    assert answered == {
        "whole": ["/Task", "/Task/a", "/Task/a/1/b", "/Task/x%20y", "/Task/a/1"],
        "part": ["/Task/a", "/Task/a/1/b", "/Task/x%20y", "/Task/a/1"],
        "item": [],
    }


def test_a_key_is_looked_up_on_every_call(keys, reads):
    scope = make_scope("/api/state/Task", bearer(keys["read"]))
    assert answer(reads, scope)

    ApiKey.objects.filter(name="read").update(revoked_at=timezone.now())

    assert answer(reads, scope) is None
    assert ask_usual_way(scope).status == 401


def test_a_large_document_is_left_to_a_thread(keys, reads):
    scope = make_scope("/api/state/Large/n", bearer(keys["read"]))
    store.put(Address("Large"), make_document({"n": 1, "text": "x" * LARGE}), ADA)

    assert answer(reads, scope) is None
    assert reads.large == {"Large"}


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite is asked by no messages")
def test_all_that_is_read_at_once_asks_the_database_in_one_message(keys, reads, monkeypatch):
    scopes = [make_scope(f"/api/state/Task{path}", bearer(keys[name])) for path in ("/a", "/nope") for name in LIMITS]
    alone = [answer(reads, scope) for scope in scopes]
    sent, send = [], reads.reader.session._send
    monkeypatch.setattr(reads.reader.session, "_send", lambda: sent.append(True) or send())

    async def ask_all():
        gone = asyncio.ensure_future(reads.answer(scopes[0]))
        asked = [asyncio.ensure_future(reads.answer(scope)) for scope in scopes]
        await asyncio.sleep(0)
        gone.cancel()
        return await asyncio.gather(*asked)

    assert asyncio.run(ask_all()) == alone
    assert len(sent) == 1
    assert [one and one.status for one in alone] == [200, 200, None, None, None, None]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite is asked by no messages")
def test_a_database_that_does_not_answer_is_given_up_by_all_who_wait(keys, reads):
    reader, scope = reads.reader, make_scope("/api/state/Task", bearer(keys["read"]))

    async def wait():
        slow = asyncio.ensure_future(reader.fetch(("SELECT pg_sleep(1)", ())))
        await asyncio.sleep(0.01)
        found = await asyncio.gather(slow, reader.fetch(("SELECT 1", ())), reads.answer(scope), return_exceptions=True)
        return [*found, await reads.answer(scope)]

    slow, behind, *answers = asyncio.run(wait())
    assert isinstance(slow, reader.Error)
    assert isinstance(behind, reader.Error)
    assert answers == [None, None]
    reader.open()
    assert answer(reads, scope).status == 200


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite is asked by no messages")
def test_who_waits_when_the_connection_is_lost_hears_of_it(keys, reads):
    reader = reads.reader

    async def ask_while_it_is_lost(seconds):
        await asyncio.to_thread(reader.open)
        lost = reader.session
        before = [asyncio.ensure_future(lost.ask([("SELECT 1", [])])) for _ in range(3)]
        await asyncio.gather(*before[: int(seconds * 10_000) % 4])
        ending = threading.Thread(target=end_session, args=[lost.database.info.backend_pid])
        ending.start()
        await asyncio.sleep(seconds)  # so that the loop has heard of it in part
        after = [asyncio.ensure_future(lost.ask([("SELECT 1", [])])) for _ in range(3)]
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*before, *after, return_exceptions=True)
        await asyncio.to_thread(ending.join)
        return answers

    for number in range(100):
        answers = asyncio.run(ask_while_it_is_lost(number % 25 / 10_000))
        assert all(one == [(1,)] or isinstance(one, reader.Error) for one in answers), answers
        reader.close()


def end_session(pid):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    connection.close()


def test_it_cannot_write(keys, reads):
    answer(reads, make_scope("/api/state/Task", bearer(keys["read"])))

    with pytest.raises(Exception, match=r"read-?only"):
        asyncio.run(reads.reader.fetch(("DELETE FROM state_meta", ())))


def test_documents_are_kept_in_bounded_room_and_none_of_an_old_epoch(keys, reads, monkeypatch):
    monkeypatch.setattr(plain_reads, "ROOM", 1000)
    scopes = [make_scope(f"/api/state/Key{number}", bearer(keys["read"])) for number in range(9)]
    for number in range(9):
        store.put(Address(f"Key{number}"), make_document("x" * 300), ADA)

    assert [answer(reads, scope).status for scope in scopes * 2] == [200] * 18
    assert list(reads.texts.kept) == ["Key6", "Key7", "Key8"]
    assert reads.texts.size == 3 * 302

    StoreMeta.objects.update(epoch="another")
    assert answer(reads, scopes[0]).status == 200
    assert list(reads.texts.kept) == ["Key0"]
    store.put(Address("Key0"), make_document("x" * 2 * LARGE), ADA)
    assert answer(reads, scopes[0]) is None
    assert (list(reads.texts.kept), reads.texts.size) == ([], 0)
