"""The page of all that happened, newest first. What it shows, and what it takes back, goes through the API."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from access.rights import Right, may
from state.history import journal
from state.models import StateEntry

MOST_KEYS = 500  # that are proposed for the filter


@require_safe
@ensure_csrf_cookie
def show_activity(request: HttpRequest) -> HttpResponse:
    """All changes; with undo for those who may write."""
    sees_state = may(request.user, Right.READ_STATE)
    context = {
        "title": "Activity",
        "is_fullwidth": "1",
        "actors": journal.list_actors(),
        "keys": [*StateEntry.objects.values_list("key_name", flat=True)[:MOST_KEYS]] if sees_state else [],
        "may_undo": may(request.user, Right.WRITE_STATE),
    }
    return TemplateResponse(request, "admin/state/activity.html", {**admin.site.each_context(request), **context})
