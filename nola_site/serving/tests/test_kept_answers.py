"""What is given again is what would be worked out, to whoever may ask, whatever was written meanwhile and by whom."""

import asyncio
import threading

import pytest
from django.utils import timezone

from access.models import ApiKey
from nola_site.safety import reads as counts
from nola_site.serving import kept_answers
from nola_site.serving.kept_answers import KeptAnswers
from nola_site.serving.site import Site
from nola_site.serving.tests.test_plain_reads import ADA, ask_usual_way, bearer, keys, make_scope, reads
from state import store
from state.address import Address
from state.jsondoc.text import make_document
from tests.server import running

__all__ = ["keys", "reads"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept(reads):
    return KeptAnswers(reads)


def find(kept, scope):
    return asyncio.run(kept.find(scope))


def ask(kept, scope):
    """As the site does; whether it was kept, and the answer."""
    found = find(kept, scope)
    if found is None:
        asyncio.run(kept.keep(scope, answer := ask_usual_way(scope)))
        return False, answer
    return True, found


def context_of(key, **more):
    return make_scope("/api/context", bearer(key), query=b"budget=500", **more)


def test_a_context_is_worked_out_once_until_something_is_written(keys, kept):
    scope = context_of(keys["read"])
    first, again = ask(kept, scope), ask(kept, scope)
    store.put(Address("Task"), make_document("another"), ADA)
    after = ask(kept, scope)

    assert (first[0], again, after[0]) == (False, (True, first[1]), False)
    assert b"another" in after[1].body
    assert after == (False, ask_usual_way(scope))


def test_an_answer_is_for_who_asked_and_for_what_was_asked(keys, kept):
    ask(kept, context_of(keys["read"]))

    others = [
        context_of(keys["read write"]),
        context_of(keys["gone"]),
        context_of(keys["read"], headers=[(b"accept", b"text/markdown")]),
        context_of(keys["read"], headers=[(b"if-none-match", b"*")]),
        context_of(keys["read"], headers=[(b"cookie", b"a"), (b"cookie", b"b")]),
        context_of(keys["read"], host=b"evil.example"),
        context_of(keys["read"], method="HEAD"),
        make_scope("/api/context", None, query=b"budget=500"),
        make_scope("/api/context", bearer(keys["read"]), query=b"budget=501"),
        make_scope("/api/context/receipts", bearer(keys["read"]), query=b"budget=500"),
    ]

    assert [find(kept, one) for one in others] == [None] * len(others)


def test_who_has_lost_a_key_or_a_right_gets_nothing_that_was_kept(keys, kept):
    scope = context_of(keys["read"])
    ask(kept, scope)
    assert find(kept, scope)

    ApiKey.objects.filter(name="read").update(scopes="read:state")
    assert find(kept, scope) is None
    ApiKey.objects.filter(name="read").update(scopes="read", revoked_at=timezone.now())
    assert find(kept, scope) is None


def test_refusals_and_large_answers_are_not_kept_and_the_room_is_bounded(keys, kept, monkeypatch):
    wrong = make_scope("/api/context", bearer(keys["read"]), query=b"budget=x")
    assert [ask(kept, wrong)[1].status, find(kept, wrong)] == [422, None]

    size = len(ask(kept, context_of(keys["read"]))[1].body)
    monkeypatch.setattr(kept_answers, "ROOM", 3 * size)
    for number in range(10):
        ask(kept, make_scope("/api/context", bearer(keys["read"]), query=b"budget=50%d" % number))
    assert kept.size == sum(len(one.answer.body) for one in kept.kept.values()) <= 3 * size

    monkeypatch.setattr(kept_answers, "MOST", size - 1)
    large = make_scope("/api/context", bearer(keys["read"]), query=b"budget=600")
    assert [ask(kept, large)[0], find(kept, large)] == [False, None]


@pytest.mark.process
def test_no_worker_gives_an_answer_from_before_a_write_that_was_answered(tmp_path):
    question, writes, stale, at_once = "/api/context?budget=400&key=Count&format=markdown", 200, [], []
    with running(tmp_path / "data", NOLA_WORKERS="2") as server:
        server.request("PUT", "/api/state/Count", b"0")
        written, done = [0], threading.Event()

        def read():
            while not done.is_set():
                least = written[0]
                said = int(server.request("GET", question)[1].split()[-1])
                if said < least:
                    stale.append((least, said))
                at_once.append(said)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(1, writes + 1):
            server.request("PUT", "/api/state/Count", b"%d" % number)
            written[0] = number
        done.set()
        for reader in readers:
            reader.join()

    assert stale == []
    assert at_once


def test_what_is_answered_at_once_is_counted_as_read_once(keys, monkeypatch):
    monkeypatch.setattr(counts, "_counts", found := {})
    site, sent = Site(), []
    site.streams = object()  # it has begun
    site.reads.reader.open()
    context = context_of(keys["read"])
    asyncio.run(site.kept.keep(context, ask_usual_way(context)))
    found.clear()

    async def send(message):
        sent.append(message.get("status"))

    async def ask_all():
        for method in ("GET", "GET", "HEAD"):
            await site.answer(make_scope("/api/state/Task/a", bearer(keys["read"]), method=method), None, send)
        await site.answer(context, None, send)

    asyncio.run(ask_all())
    site.reads.reader.close()

    assert [one for one in sent if one] == [200] * 4
    assert found == {"Task": 2, counts.WHOLE: 1}
