"""The names of conversations that scripts ask for by session ids."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from conversations import delete, log
from conversations.drafts import NewConversation, NewMessage
from conversations.pages.names import MOST
from state.revisions import Author, Source

NAMES = "/admin/conversations/names/"
AGENT = Author("key:agent", Source.API)


@pytest.fixture
def talks(talk):
    said = [NewMessage("user", "Plan **my** week", timezone.now())]
    log.create(NewConversation("talk-13"), AGENT, said)
    log.create(NewConversation("gone", title="Gone"), AGENT, said)
    delete.delete_conversations(["gone"], AGENT)


def test_conversations_are_called_by_title_or_first_words(owner, talks):
    response = owner.get(NAMES, {"session": ["s/1", "talk-13", "gone", "never there", "talk-13"]})

    assert response.json() == {"names": {"s/1": "First talk", "talk-13": "Plan my week"}}
    assert "no-store" in response["Cache-Control"]


def test_nothing_asked_is_nothing_told(owner, talks):
    assert owner.get(NAMES).json() == {"names": {}}


def test_so_many_at_once_and_no_more(owner, talks):
    assert owner.get(NAMES, {"session": [f"talk-{n}" for n in range(MOST)]}).status_code == 200

    refused = owner.get(NAMES, {"session": [f"talk-{n}" for n in range(MOST + 1)]})

    assert (refused.status_code, refused.json()) == (
        400,
        {"detail": "ask for the names of 100 conversations at most at once"},
    )


@pytest.mark.parametrize(
    ("permissions", "status"),
    [(["view_conversation", "view_message"], 200), (["view_stateentry", "view_revision"], 403), ([], 403)],
)
def test_names_are_told_to_who_reads_conversations(talks, permissions, status):
    eve = User.objects.create_user("eve", is_staff=True)
    eve.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(eve)

    assert client.get(NAMES, {"session": "s/1"}).status_code == status


def test_a_hundred_names_cost_as_many_queries_as_one(owner, db, django_assert_num_queries):
    for n in range(MOST):
        log.create(NewConversation(f"talk-{n}"), AGENT, [NewMessage("user", f"word {n}", timezone.now())])
    owner.get(NAMES, {"session": "talk-0"})

    for asked in (["talk-0"], [f"talk-{n}" for n in range(MOST)]):
        with django_assert_num_queries(4):  # the session, who it is, the conversations, their first words
            names = owner.get(NAMES, {"session": asked}).json()["names"]
        assert names == {session: session.replace("talk-", "word ") for session in asked}
