"""What conversations are called, for scripts of pages that know of them only their session ids."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from conversations.names import name_sessions

MOST = 100  # at once


@require_safe
def read_names(request: HttpRequest) -> JsonResponse:
    """The names of those of some sessions that are there, by session id."""
    sessions = request.GET.getlist("session")
    if len(sessions) > MOST:
        return JsonResponse({"detail": f"ask for the names of {MOST} conversations at most at once"}, status=400)
    return JsonResponse({"names": name_sessions(sessions)})
