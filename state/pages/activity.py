"""The page of all that happened, newest first, and that of one change. What is taken back goes through the API."""

import json
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.contrib import admin
from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Cast, Length, Substr
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from access.rights import Right, grant_person, may
from state.history import audit, journal
from state.history.sight import Sight, see_by
from state.jsondoc.names import show_name
from state.jsondoc.text import dump_json, format_json
from state.models import Change, Idempotency, Revision, StateEntry

MOST_KEYS = 500  # that are proposed for the filter
MOST_CHANGES = 50  # of a revision, whose patches are shown
MOST_SHOWN = 20_000  # characters of a patch
MOST_NAMED = 20  # revisions that an undo took back
MOST_SAID = 300  # characters of what else is known of a revision
TOLD = {"undoes", "client", "batch", "proposal", "accepted_by"}  # of its info, in lines of their own
OLD_FILTERS = {"changes__key": "key", "source__exact": "source", "q": "reason"}
AROUND = timedelta(minutes=10)  # between the time of a revision and that of its request


@require_safe
@ensure_csrf_cookie
def show_activity(request: HttpRequest) -> HttpResponse:
    """All changes; with undo for those who may write."""
    sees_state = may(request.user, Right.READ_STATE)
    context = {
        "title": "Activity",
        "actors": journal.list_actors(),
        "keys": [*StateEntry.objects.values_list("key_name", flat=True)[:MOST_KEYS]] if sees_state else [],
    }
    return _render(request, "admin/state/activity.html", context)


@require_safe
@ensure_csrf_cookie
def show_change(request: HttpRequest, seq: int) -> HttpResponse:
    """One revision: who made it, when, how and why, what it did, and whether it still is as it was written."""
    sight = see_by(grant_person(request.user))
    one = None if seq >= 2**63 else Revision.objects.filter(seq=seq).first()
    patches = _read_patches(seq, sight) if one else []
    if one is None or not (patches or sight.is_whole):
        raise Http404(f"there is no change {seq}")
    wanted = journal.JournalFilter(sight=None if sight.is_whole else sight)
    undoes = one.info.get("undoes", [])
    context = {
        "title": f"Change {seq}",
        "one": one,
        "event": journal.read_page(wanted, seq - 1, seq + 1, 1, with_was=True).items[0],
        "patches": patches[:MOST_CHANGES],
        "has_more": len(patches) > MOST_CHANGES,
        "undoes": undoes[:MOST_NAMED],
        "more_undone": max(0, len(undoes) - MOST_NAMED),
        "undone_by": journal.list_undos(seq),
        "more": [_tell(name, value) for name, value in one.info.items() if name not in TOLD],
        "request_key": _find_request(one),
        "flaw": audit.find_revision_flaw(connection, seq),
    }
    return _render(request, "admin/state/change.html", context)


def lead_to_activity(request: HttpRequest, seq: int | None = None, rest: str = "") -> HttpResponse:
    """From the addresses of earlier releases to these pages, where the list with its filters."""
    if seq is not None:
        return HttpResponseRedirect(reverse("change", args=[seq]))
    given = {name: request.GET[old] for old, name in OLD_FILTERS.items() if old in request.GET}
    return HttpResponseRedirect(reverse("activity") + (f"#{urlencode(given)}" if given else ""))


def _render(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    seen = {
        "is_fullwidth": "1",
        "may_undo": may(request.user, Right.WRITE_STATE),
        "sees_state": may(request.user, Right.READ_STATE),
    }
    return TemplateResponse(request, template, {**admin.site.each_context(request), **seen, **context})


class Patch(NamedTuple):
    """What a revision did to one thing, as text, the beginning of it where it is long."""

    kind: str
    key: str
    name: str
    text: str
    left: int  # characters that are not shown
    redacted_by: int | None


def _read_patches(seq: int, sight: Sight) -> list[Patch]:
    text = Cast("forward", TextField())
    rows = (
        Change.objects.filter(revision=seq, kind__in=sight.kinds)
        .annotate(shown=Substr(text, 1, MOST_SHOWN), length=Length(text))
        .values_list("kind", "key", "shown", "length", "redacted_by")
    )
    return [
        Patch(kind, key, show_name(key), _lay_out(shown, length), max(0, length - MOST_SHOWN), redacted_by)
        for kind, key, shown, length, redacted_by in rows[: MOST_CHANGES + 1]
    ]


def _lay_out(text: str, length: int) -> str:
    return text if length > MOST_SHOWN else format_json(json.loads(text))


def _tell(name: str, value: Any) -> tuple[str, str]:
    """Something else that is known of a revision: a label and a text."""
    some = value if isinstance(value, list) else [value]
    text = ", ".join(one if isinstance(one, str) else dump_json(one) for one in some)
    return name.replace("_", " ").capitalize(), text if len(text) <= MOST_SAID else f"{text[:MOST_SAID]} …"


def _find_request(one: Revision) -> str | None:
    """The Idempotency-Key of the request that made a revision, for the day that it is kept."""
    around = (one.at - AROUND, one.at + AROUND)  # by its index
    rows = Idempotency.objects.filter(at__range=around, revision=one.seq, changed=True)
    return rows.values_list("key", flat=True).first()
