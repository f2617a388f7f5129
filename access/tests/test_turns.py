"""What depends on rows that were read is written before another can change them, whatever the database."""

import threading
from contextlib import suppress

import pytest
from django.db import connection
from django.db.models.signals import post_init, pre_init

from access import delays, keys
from access.models import ApiKey, FailedSignIns
from state import clock, store
from state.address import Address
from state.jsondoc.text import make_document
from state.models import StoreMeta
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 0.3  # seconds that one waits, between reading and writing, for the other to have read the same
ADA = Author("user:ada", Source.API)


def do_twice(signal, model, function):
    """Do it in two threads; between reading and writing, each waits for the other. Returns what they raised."""
    both, raised = threading.Barrier(2), []

    def meet(**_):
        with suppress(threading.BrokenBarrierError):
            both.wait(PATIENCE)

    def run():
        try:
            function()
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    signal.connect(meet, sender=model)
    try:
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        signal.disconnect(meet, sender=model)
    return raised


def test_no_wrong_password_is_lost_among_others():
    raised = do_twice(pre_init, FailedSignIns, lambda: delays.count_failure("ada", "192.0.2.1"))

    assert raised == []
    assert {row.count for row in FailedSignIns.objects.all()} == {2}


def test_a_name_is_given_to_one_key():
    settings = keys.KeySettings(["read:state"])

    [error] = do_twice(pre_init, ApiKey, lambda: keys.create_key("planner", settings, "user:ada"))

    assert str(error).startswith("the name 'planner' is taken")
    assert ApiKey.objects.count() == 1


def test_each_new_epoch_has_revisions_of_its_own():
    store.put(Address("Task"), make_document({"a": 1}), ADA)

    raised = do_twice(post_init, StoreMeta, lambda: clock.continue_above(10, ADA))

    assert (raised, store.head()) == ([], 12)
