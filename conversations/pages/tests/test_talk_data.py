"""What the page of a conversation is given to show."""

import json

from django.utils import timezone

from conversations import log
from conversations.drafts import NewMessage
from conversations.models import Message
from state.revisions import Author, Source

AGENT = Author("key:agent", Source.API)
CONVERSATIONS = "/admin/conversations/conversation/"


def data_of(page):
    text = page.content.decode().partition('id="nola-talk-data" type="application/json">')[2].partition("</script>")[0]
    return json.loads(text)


def test_a_conversation_comes_with_its_newest_messages_as_inert_data(owner, talk):
    page = owner.get(f"{CONVERSATIONS}{talk.pk}/change/")

    data = data_of(page)
    assert [one["message"] for one in data["page"]["messages"]] == ["It failed", "Hello <b>there</b> {{x}} </script>"]
    assert data["conversation"]["session_id"] == "s/1"
    assert 'data-api="/api/conversations/s~11"' in page.content.decode()
    assert "<b>there" not in page.content.decode()


def test_a_hit_is_shown_among_its_neighbours(owner, talk):
    log.append("s/1", [NewMessage("user", f"more {n}", timezone.now()) for n in range(300)], AGENT)
    wanted = Message.objects.get(message="more 100")

    data = data_of(owner.get(f"{CONVERSATIONS}{talk.pk}/change/?message={wanted.pk}"))

    assert data["target"] == wanted.pk
    assert data["page"]["older"] and data["page"]["newer"]
    assert data_of(owner.get(f"{CONVERSATIONS}{talk.pk}/change/?message=999999"))["target"] is None
