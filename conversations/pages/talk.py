"""The page on which a conversation reads like a chat. What is done there goes through the API."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from access.rights import Right, grant_person
from conversations import log, read
from conversations.api import schemas
from conversations.api.conversations import format_segment, show_page
from conversations.models import Conversation
from conversations.names import name_conversation
from conversations.search.tokenize import MOST_CHARACTERS
from state import store

FIRST = 100  # messages that come with the page


def show_talk(request: HttpRequest, row: Conversation, context: dict[str, Any]) -> HttpResponse:
    """A conversation, at the message that is asked for or at its end."""
    wanted = request.GET.get("message", "")
    rights, name = grant_person(request.user).rights, name_conversation(row)
    page = _read_page(row, int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None)
    data = {
        "conversation": schemas.show_conversation(row, read.read_numbers([row])[row.pk], name),
        "page": show_page(row, page, branch=True),
        "revision": store.head(),
        "target": int(wanted) if page.messages and wanted in {str(one.pk) for one in page.messages} else None,
        "question": request.GET.get("q", "")[:MOST_CHARACTERS],
        "may_write": Right.WRITE_CONVERSATIONS in rights,
        "may_undo": rights >= {Right.WRITE_CONVERSATIONS, Right.READ_HISTORY},
        "may_follow": Right.READ_HISTORY in rights,
    }
    address = f"/api/conversations/{format_segment(row.session_id)}"
    more = {"title": name, "row": row, "data": data, "api": address, "is_fullwidth": "1"}
    return TemplateResponse(request, "conversations/talk.html", {**context, **more})


def _read_page(row: Conversation, wanted: int | None) -> read.MessagePage:
    """The newest messages of the current branch, or those around a wanted one, on whatever branch it is."""
    if wanted is not None:
        try:
            in_branch = row.current_leaf_id is None or wanted in read.read_branch(row)
            return read.read_around(row, wanted, FIRST, branch=in_branch)
        except log.UnknownTalk:
            pass
    return read.read_page(row, "newest", FIRST, branch=True)
