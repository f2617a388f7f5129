"""The pages of proposals: what agents suggest, and a person accepts, in part or whole, or rejects."""

import json
from contextlib import suppress
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.csrf import ensure_csrf_cookie

from state import store
from state.admin import author_of
from state.errors import Refusal
from state.jsondoc.pointer import parse_pointer
from state.models import Proposal
from state.pages.checkpoints import make_sentence, render_page
from state.proposals.decisions import accept_proposal, reject_proposal
from state.proposals.plan import count_left, look_ahead
from state.proposals.records import UnknownProposal, find_proposal, list_proposals
from state.registry import Prefer

MOST_WAITING, MOST_DECIDED = 500, 50  # that are listed
MOST_ANSWER = 1000  # characters
SHOWN = 3  # places of each


def list_urls() -> list[URLPattern]:
    """The addresses of both pages, in the namespace `proposals`."""
    return [
        path("", admin.site.admin_view(show_list), name="index"),
        path("<int:number>/", admin.site.admin_view(show_one), name="one"),
    ]


def show_list(request: HttpRequest) -> HttpResponse:
    """What waits, the oldest first, and what was decided lately."""
    found = list_proposals()
    waiting = found.filter(state=Proposal.WAITING)
    decided = found.exclude(state=Proposal.WAITING).order_by("-decided_at", "-id")
    context = {
        "title": "Proposals",
        "waiting": [_row(one) for one in waiting.order_by("id")[:MOST_WAITING]],
        "decided": [_row(one) for one in decided[:MOST_DECIDED]],
    }
    return render_page(request, "state/proposals.html", context)


def _row(one: Proposal) -> dict[str, Any]:
    places = [" › ".join(name or "(empty name)" for name in parse_pointer(place)) for place in one.places[:SHOWN]]
    return {"one": one, "places": places, "more": one.operations - len(places)}


@ensure_csrf_cookie
def show_one(request: HttpRequest, number: int) -> HttpResponse:
    """One proposal; by POST it is decided."""
    try:
        proposal = find_proposal(number)
    except (UnknownProposal, OverflowError):
        raise Http404 from None
    if request.method == "POST":
        return _decide(request, proposal)
    context = {"title": f"Proposal {number}", "head": store.head(), "left": _count_left(proposal), **_row(proposal)}
    return render_page(request, "state/proposal.html", context)


def _count_left(proposal: Proposal) -> int:
    """How many places it would change now; where that is to be decided first, or cannot be told, how many it was to."""
    left = None
    if proposal.state == Proposal.WAITING:
        with suppress(Refusal):
            left = count_left(look_ahead(proposal))
    return proposal.operations if left is None else left


def _decide(request: HttpRequest, proposal: Proposal) -> HttpResponse:
    by = author_of(request).actor
    try:
        if request.POST.get("decision") == "reject":
            reject_proposal(proposal, by, request.POST.get("reason", "").strip()[:MOST_ANSWER])
            messages.success(request, f"Proposal {proposal.pk} is rejected. What the memory holds is as it was.")
        else:
            written = accept_proposal(proposal, by, _pointers(request), _prefer(request))
            messages.success(request, _said(proposal, written))
    except Refusal as error:
        messages.error(request, make_sentence(error))
        return HttpResponseRedirect(reverse("proposals:one", args=[proposal.pk]))
    return HttpResponseRedirect(reverse("proposals:index"))


def _said(proposal: Proposal, written: store.Written) -> str:
    if not written.changed:
        return f"Proposal {proposal.pk} is accepted. All of it was there already."
    return f"Proposal {proposal.pk} is accepted, in revision {written.revision}. It can be undone, as any other."


def _pointers(request: HttpRequest) -> list[str] | None:
    """Which operations are accepted; None for all. Raises BadRequest."""
    if "pointers" not in request.POST:
        return None
    try:
        found = json.loads(request.POST["pointers"])
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BadRequest("pointers is a JSON array of pointers")
    return found


def _prefer(request: HttpRequest) -> Prefer:
    asked = request.POST.get("prefer")
    return asked if asked in ("mine", "theirs") else None  # type: ignore[return-value]
