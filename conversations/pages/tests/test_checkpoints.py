"""Conversations on the page of checkpoints, for those who may see and change them."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils.dateparse import parse_datetime

from conversations import delete, log
from conversations.log import NewConversation, NewMessage
from conversations.models import Message
from state import store
from state.address import Address
from state.checkpoints.files import read_checkpoints
from state.jsondoc.text import parse_json
from state.models import Revision
from state.revisions import Author, Source

ADA = Author("user:ada", Source.API)
PAGE = "/admin/checkpoints/"


@pytest.fixture
def mine(owner):
    """A signed-in owner, and a checkpoint with a conversation, which was then deleted."""
    store.put(Address("A"), parse_json("1"), ADA)
    said = NewMessage("user", "hello", parse_datetime("2026-01-10T09:00:00+01:00"))
    log.create(NewConversation("talk", "Tea"), ADA, [said])
    owner.post(f"{PAGE}create/", {"name": "mine", "part": "conversations"})
    delete.delete_conversations(["talk"], ADA)
    return owner


def texts():
    return [one.message for one in Message.objects.filter(deleted_revision=None, conversation__deleted_revision=None)]


def bring_back(client):
    return client.post(f"{PAGE}mine/restore/", {"mode": "replace", "parts": "yes", "seen": store.head()})


def test_a_checkpoint_with_conversations_brings_back_what_was_deleted(mine):
    store.put(Address("A"), parse_json("2"), ADA)

    missing = mine.get(f"{PAGE}mine/missing/").json()
    response = bring_back(mine)

    assert missing == {"conversations": 1, "messages": 1}
    assert [str(one) for one in response.wsgi_request._messages][-1].count("1 key, 1 conversation, 1 message restored")
    assert texts() == ["hello"]
    assert store.read(Address("A")).text == "1"


def test_all_of_it_is_undone_together(mine):
    store.put(Address("A"), parse_json("2"), ADA)
    said = str(list(bring_back(mine).wsgi_request._messages)[-1])

    mine.post(f"{PAGE}undo/", dict(re.findall(r'name="(batch|name)" value="([^"]*)"', said)))

    assert texts() == []
    assert store.read(Address("A")).text == "2"


def test_without_the_box_they_stay_away(mine):
    mine.post(f"{PAGE}mine/restore/", {"mode": "replace", "seen": store.head()})

    assert texts() == []


def test_nothing_comes_back_twice(mine):
    bring_back(mine)
    head = store.head()

    response = bring_back(mine)

    assert "nothing was changed" in str(list(response.wsgi_request._messages)[-1])
    assert (store.head(), Revision.objects.count()) == (head, head)


def test_who_may_not_see_conversations_gets_none_of_them(mine):
    reader = User.objects.create_user("bob", password="a-long-password", is_staff=True)
    names = ["view_stateentry", "add_stateentry", "change_stateentry", "delete_stateentry"]
    reader.user_permissions.add(*Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(reader)

    assert 'value="conversations"' not in client.get(PAGE).content.decode()
    for address in ("mine/file/", "mine/missing/"):
        assert client.get(PAGE + address).status_code == 403
    assert client.post(f"{PAGE}create/", {"part": "conversations"}).status_code == 403
    assert bring_back(client).status_code == 403
    assert texts() == []
    assert len([one for one in read_checkpoints() if not one.is_automatic]) == 1
