import pytest
from django.utils import timezone

from conversations import log
from conversations.drafts import NewConversation, NewMessage
from conversations.models import Conversation
from state.revisions import Author, Source


@pytest.fixture
def talk(db: None) -> Conversation:
    """A conversation of two messages, one of them hostile."""
    messages = [
        NewMessage("user", "Hello <b>there</b> {{x}} </script>", timezone.now()),
        NewMessage("assistant", "It failed", timezone.now(), status="error"),
    ]
    return log.create(
        NewConversation("s/1", title="First talk", channel="cli"), Author("key:agent", Source.API), messages
    )
