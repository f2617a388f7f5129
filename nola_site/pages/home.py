"""The first screen: whether all is well, what waits, what is new, what is kept, and who is connected.

Everything on it is cheap to read, however long the history is: no query looks at all of it.
"""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from access.auth import KeyCredential
from access.database import engine, find_folder
from access.models import ApiKey
from access.moments import short_time
from access.rights import grant_person
from nola_site.pages import recent
from nola_site.pages.decisions import list_decisions
from nola_site.pages.figures import list_charts
from nola_site.pages.news import read_news
from nola_site.safety import files, growth, recovery, schedule
from nola_site.serving import stream_slots
from state import clock, store
from state.admin import ByteLength
from state.backups.files import list_backups
from state.checkpoints.files import list_whole
from state.entries import read_totals
from state.jsondoc.pointer import escape_token
from state.models import Revision, StateEntry

KEYS, AGENTS = 8, 6  # that are listed
GRACE = timedelta(minutes=10)  # after which what is due counts as late
UNASKED = timedelta(days=7)  # after which changes should be kept where nothing is made by itself
VIEW = "state.view_stateentry"


@dataclass(frozen=True)
class SafetyCopy:
    """The last checkpoint or backup: when it was made, and what is wrong with that."""

    what: str
    at: datetime | None
    is_current: bool  # nothing has changed since
    problem: str


@dataclass(frozen=True)
class Problem:
    """Something that is not well: in words, and where it is settled, if that is a page."""

    text: str
    link: str = ""
    label: str = ""


def show_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the theme's first screen shows to this person."""
    user, now = request.user, clock.read()
    context["head"] = head = now.seq if now else 0
    grown, is_all = growth.read_latest(now)
    if user.has_perm(VIEW):
        context |= _safety(head) | _keys() | {"storage": _storage(grown), "is_new": head <= 1}
    if head > 1:
        context["charts"] = list_charts(user, grant_person(user).rights, grown, is_all=is_all)
    context |= _live(user, head)
    context["agents"] = _agents() if user.has_perm("access.view_apikey") else None
    context["address"] = settings.NOLA_PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
    context["may_write"] = user.has_perms(("state.add_stateentry", "state.change_stateentry"))
    return context


def show_latest(request: HttpRequest) -> HttpResponse:
    """The parts of the first screen that change with every write, for a page that is open."""
    context = _live(request.user, store.head())
    if request.user.has_perm(VIEW):
        context |= _keys()
    return TemplateResponse(request, "admin/home_live.html", context)


def _live(user: Any, head: int) -> dict[str, Any]:
    return {"decisions": list_decisions(user), "news": read_news(user, head), "recent": recent.read_events(user)}


# What is kept


def _keys() -> dict[str, Any]:
    """The keys that changed last."""
    names = list(StateEntry.objects.order_by("-revision", "pk").values_list("pk", flat=True)[:KEYS])
    rows = StateEntry.objects.filter(pk__in=names).order_by("-revision", "pk")
    found = rows.annotate(size=ByteLength("value_json")).values("pk", "size", "updated_at")
    keys = [row | {"place": quote(escape_token(row["pk"]), safe="~")} for row in found]
    return {"keys": keys, "more_keys": read_totals(connection).keys - len(keys)}


def _storage(grown: growth.HistoryGrowth) -> dict[str, Any]:
    today = timezone.localdate()
    return {
        "database": engine().measure(),
        "history": grown.size if grown.first_day else None,
        "a_day": round(grown.a_day(today)),
        "fastest": grown.fastest(today),
        "free": _free(),
    }


def _free() -> int:
    """Free bytes where the database lies."""
    return shutil.disk_usage(find_folder()).free


# Whether it is safe


def _safety(head: int) -> dict[str, Any]:
    copies = [_checkpoint(head), _backup(head)]
    checkpoints = reverse("checkpoints:index")
    problems = [
        Problem(one.problem, *((checkpoints, "Take a checkpoint") if one.what == "checkpoint" else ()))
        for one in copies
        if one.problem
    ]
    if recovered := recovery.read_recovery():
        problems.append(Problem(recovered["text"], checkpoints, "Checkpoints"))
    if _free() < files.LEAST_FREE:
        problems.append(Problem("The disk is nearly full."))
    return {"copies": copies, "problems": problems}


def _checkpoint(head: int) -> SafetyCopy:
    newest = next(iter(list_whole()), None)
    revision = newest.header.revision if newest and newest.header else 0
    every = timedelta(minutes=settings.NOLA_CHECKPOINT_MINUTES)
    return _copy("checkpoint", newest.at if newest else None, revision, head, every)


def _backup(head: int) -> SafetyCopy:
    newest = next(iter(list_backups()), None)
    every = timedelta(hours=settings.NOLA_BACKUP_HOURS)
    return _copy("backup", newest.at if newest else None, newest.revision if newest else 0, head, every)


def _copy(what: str, at: datetime | None, revision: int, head: int, every: timedelta) -> SafetyCopy:
    """Late is what should have been made some time ago: after so long, if something has changed since the last."""
    failed = schedule.read_record().get(what, {}).get("failed")
    if failed:
        return SafetyCopy(what, at, False, f"The last {what} failed: {failed}.")
    changed = Revision.objects.filter(seq__gt=revision).order_by("seq").values_list("at", flat=True).first()
    if changed is None or revision >= head:
        return SafetyCopy(what, at, True, "")
    since = changed + (every or UNASKED)
    due = max(changed, at + every) if at and every else since
    late = timezone.now() - due
    if late < GRACE:
        return SafetyCopy(what, at, False, "")
    if not every:
        return SafetyCopy(
            what, at, False, f"What changed since {short_time(changed)} is in no {what}; none is made by itself."
        )
    return SafetyCopy(
        what, at, False, f"The {what} is late: one was due {_long(late)} ago. Is the server running all the time?"
    )


def _long(span: timedelta) -> str:
    for seconds, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if (count := int(span.total_seconds() // seconds)) > 0:
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "a moment"


# Who is connected


def _agents() -> dict[str, Any]:
    """The API keys that came in last, and how many streams each has open now, over all processes of the server."""
    keys = ApiKey.objects.filter(revoked_at=None)
    some = list(keys.order_by(F("last_used_at").desc(nulls_last=True), "name")[:AGENTS])
    open_now = stream_slots.count_streams(stream_slots.find_table())
    rows = [
        {
            "name": key.name,
            "used": key.last_used_at,
            "open": open_now[stream_slots.hash_credential(KeyCredential(key.pk, key.sha256))],
        }
        for key in some
    ]
    return {"rows": rows, "more": keys.count() - len(rows), "none_yet": not any(row["used"] for row in rows)}
