"""The page that searches, without a browser."""

import pytest

from conversations.models import Message
from state import store
from state.revisions import Author, Source

AGENT = Author("key:agent", Source.API)
CONVERSATIONS = "/admin/conversations/conversation/"
SEARCH = "/admin/conversations/message/"


def test_the_search_shows_hits_with_the_match_marked(owner, talk):
    store.put_keys({}, AGENT)
    page = owner.get(f"{SEARCH}?q=hello")

    hit = Message.objects.get(speaker="user")
    assert "<mark>Hello</mark> &lt;b&gt;there&lt;/b&gt;" in page.content.decode()
    assert f"{CONVERSATIONS}{talk.pk}/change/?message={hit.pk}&amp;q=hello" in page.content.decode()


def test_the_search_shows_leaves_of_the_state(owner, agent):
    agent.put("/api/state/a~1b", '{"theme":"violet"}', content_type="application/json")

    page = owner.get(f"{SEARCH}?q=viol").content.decode()

    assert "<mark>violet</mark>" in page
    assert "/admin/state/stateentry/a_2Fb/change/" in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("q=!!!", "The search names no word"),
        ("q=x&since=never", "Since: &#x27;never&#x27; is no time"),
        ("q=nothing", "No message has these words"),
        ("q=it&speaker=user", "No message has these words"),
        ("", "Everything that was said"),
    ],
)
def test_the_search_says_what_is_wrong(owner, talk, query, said):
    assert said in owner.get(f"{SEARCH}?{query}").content.decode()


def test_a_message_is_read_where_it_was_said(owner, talk):
    pk = Message.objects.first().pk

    response = owner.get(f"{SEARCH}{pk}/change/")

    assert response.url == f"{CONVERSATIONS}{talk.pk}/change/?message={pk}"
