"""The page where a context is tried out. All that it reads and keeps goes through the API."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from access.rights import Right, grant_person
from state.context.weights import WEIGHTS


@require_safe
@ensure_csrf_cookie
def show_page(request: HttpRequest) -> HttpResponse:
    """What a prompt would get."""
    rights = grant_person(request.user).rights
    more = {
        "title": "Context",
        "is_fullwidth": "1",
        "weights": WEIGHTS,
        "in_state": Right.READ_STATE in rights,
        "in_conversations": Right.READ_CONVERSATIONS in rights,
        "may_keep": Right.WRITE_CONVERSATIONS in rights,
        "may_weigh": Right.WRITE_STATE in rights,
    }
    return TemplateResponse(request, "conversations/context.html", {**admin.site.each_context(request), **more})
