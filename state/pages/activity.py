"""The page of all that happened, newest first. What it shows, and what it takes back, goes through the API."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from state.history import journal
from state.models import StateEntry
from state.pages.checkpoints import CHANGE

VIEW = ("state.view_stateentry", "state.view_revision")
MOST_KEYS = 500  # that are proposed for the filter


@require_safe
@ensure_csrf_cookie
def show_activity(request: HttpRequest) -> HttpResponse:
    """For those who may see keys and their history; with undo for those who may change them."""
    if not request.user.has_perms(VIEW):
        raise PermissionDenied
    context = {
        "title": "Activity",
        "is_fullwidth": "1",
        "actors": journal.list_actors(),
        "keys": [*StateEntry.objects.values_list("key_name", flat=True)[:MOST_KEYS]],
        "may_undo": request.user.has_perms(CHANGE),
    }
    return TemplateResponse(request, "admin/state/activity.html", {**admin.site.each_context(request), **context})
