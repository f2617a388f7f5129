"""The page of checkpoints: what is kept and whether it is sound; make one, bring one, fetch, verify and delete it.

The permissions on keys hold: who may change them may make and restore checkpoints. `state.admin_restore` restores.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from access.rights import Right, may
from state import clock, edits, registry, store, undo
from state.checkpoints.files import (
    BadCheckpointName,
    Checkpoint,
    UnknownCheckpoint,
    accept_edit,
    find_checkpoint,
    judge_checkpoints,
    list_seeds,
    read_checkpoints,
    remove_checkpoint,
    save_checkpoint,
    sort_age,
)
from state.checkpoints.header import ALL, EDITED
from state.checkpoints.restore import BadCheckpoint
from state.checkpoints.rows import PARTS
from state.checkpoints.upload import keep_upload, suggest_name
from state.checkpoints.verify import DamagedCheckpoint, EditedCheckpoint, find_problem
from state.files.atomic import CannotWrite, NoRoom
from state.jsondoc.pointer import BadPointer, Blocked

PATIENCE = 0.15  # seconds that the list takes to judge files; the page asks for the verdicts of the others
REFUSALS = (
    UnknownCheckpoint,
    BadCheckpointName,
    DamagedCheckpoint,
    BadCheckpoint,
    edits.TooLarge,
    edits.TooDeep,
    NoRoom,
    CannotWrite,
    registry.ConflictError,
    BadPointer,
    Blocked,
    store.BadKey,
    store.Overtaken,
    undo.CannotUndo,
)
MOST_AUTOMATIC = 8  # automatic ones that are shown before a person asks for the older ones
AUTOMATIC = "Kept automatically"
COLUMNS = [  # what the list says: (words, kind in list.css, what the address calls it where it sorts)
    ("Name", "ui-list-name", "name"),
    ("Taken", "ui-list-when", "taken"),
    ("Size", "ui-list-number", "size"),
    ("Why", "cp-why", ""),
    ("Verdict", "ui-list-main", ""),
]
SORTS: dict[str, Callable[[Checkpoint], Any]] = {
    "name": lambda one: one.name.casefold(),
    "taken": sort_age,
    "size": lambda one: one.size,
}
NEWEST = "-taken"
View = Callable[..., HttpResponseBase]


def guard_view(view: View, *, changes: bool = False, asks: bool = False) -> View:
    """The view, where a refusal is said on the page of checkpoints. What `changes` something is asked for by POST.

    `asks`: a GET is answered too, with the question whether to do it.
    """

    def checked(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if changes and not asks and request.method != "POST":
            return HttpResponseRedirect(reverse("checkpoints:index"))
        try:
            return view(request, **kwargs)
        except REFUSALS as error:
            messages.error(request, make_sentence(error))
            return HttpResponseRedirect(reverse("checkpoints:index"))

    return admin.site.admin_view(checked)


def make_sentence(error: object) -> str:
    return f"{str(error)[:1].upper()}{str(error)[1:].rstrip('.')}."


def render_page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})


# The list


def list_checkpoints(request: HttpRequest) -> HttpResponse:
    kept, seeds = read_checkpoints(), list_seeds()
    verdicts = judge_checkpoints([*kept, *seeds], PATIENCE)
    asked = request.GET.get("sort", NEWEST)
    sort = asked if asked.removeprefix("-") in SORTS else NEWEST
    groups = [_group(title, rows_of(_sort(some, sort), verdicts)) for title, some in _groups(kept, seeds) if some]
    context = {
        "title": "Checkpoints",
        "columns": _columns(sort),
        "groups": groups,
        "limit": settings.NOLA_MAX_BODY_MB,
        "may_change": may(request.user, Right.WRITE_STATE),
        "parts": [name for name, part in PARTS.items() if may(request.user, part.reads)],
        "today": f"{timezone.localtime():%Y-%m-%d}",
    }
    return render_page(request, "state/checkpoints.html", context)


def _sort(some: list[Checkpoint], sort: str) -> list[Checkpoint]:
    """They come the newest first, and the seeds by name."""
    return some if sort == NEWEST else sorted(some, key=SORTS[sort.removeprefix("-")], reverse=sort.startswith("-"))


def _columns(sort: str) -> list[dict[str, str]]:
    order = {sort: "descending" if sort.startswith("-") else "ascending"}
    return [
        {
            "text": text,
            "kind": kind,
            "query": name and f"?sort={'-' if name in order else ''}{name}",
            "sorted": name and (order.get(name) or order.get(f"-{name}") or ""),
        }
        for text, kind, name in COLUMNS
    ]


def _groups(kept: list[Checkpoint], seeds: list[Checkpoint]) -> list[tuple[str, list[Checkpoint]]]:
    return [
        ("Kept by you", [one for one in kept if not one.is_automatic]),
        (AUTOMATIC, [one for one in kept if one.is_automatic]),
        ("What a new memory begins with", seeds),
    ]


def _group(title: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    most = MOST_AUTOMATIC if title == AUTOMATIC else len(rows)
    return {"title": title, "count": len(rows), "rows": rows[:most], "older": rows[most:]}


def rows_of(some: list[Checkpoint], verdicts: dict[Any, str]) -> list[dict[str, Any]]:
    now = clock.read()
    return [row_of(one, verdicts.get(one.path), now.store if now else "") for one in some]


def row_of(one: Checkpoint, problem: str | None, ours: str) -> dict[str, Any]:
    """A checkpoint as pages show it; without a `problem`, which may be "", it has not been judged."""
    said = one.header
    return {
        "name": one.name,
        "at": None if one.is_seed else one.at,
        "size": one.size,
        "why": said.why if said else "",
        "revision": said.revision if said and said.store == ours else None,
        "is_seed": one.is_seed,
        "is_plain": said is None and not one.is_seed,
        "is_partial": bool(said and said.scope != ALL),
        "is_foreign": bool(said and said.store not in ("", ours)),
        "parts": [name for name in said.contents if name != "state"] if said else [],
        "is_judged": problem is not None,
        "problem": problem or "",
        "is_edited": problem == EDITED,
    }


def judge_checkpoint(request: HttpRequest, name: str) -> JsonResponse:
    """Whether it is sound, for the list: a file that has not changed is read once."""
    return JsonResponse({"problem": find_checkpoint(name).problem})


# One more


def create_checkpoint(request: HttpRequest) -> HttpResponse:
    wanted = request.POST.getlist("part")
    for name in wanted:
        _check_part(request, name)
    name = request.POST.get("name", "").strip() or _dated()
    why = request.POST.get("why", "").strip()[:200] or "by hand"
    made = save_checkpoint(name, why=why, contents=("state", *wanted))
    messages.success(request, f"{made.name} is kept, and sound.")
    return HttpResponseRedirect(reverse("checkpoints:index"))


def _check_part(request: HttpRequest, name: str) -> None:
    """Raises PermissionDenied for what is no part of the memory, or none for this person."""
    if name not in PARTS or not may(request.user, PARTS[name].reads):
        raise PermissionDenied


def _dated() -> str:
    """A name by the day, which is free."""
    taken = {one.name for one in read_checkpoints()}
    day = f"{timezone.localtime():%Y-%m-%d}"
    return next(name for name in (day, *(f"{day}-{n}" for n in range(2, 10_000))) if name not in taken)


def upload_checkpoint(request: HttpRequest) -> JsonResponse:
    """Add a file that a person brings; refused, with the reason, if it cannot be restored from."""
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        return JsonResponse({"detail": "Choose a file first."}, status=422)
    name = request.POST.get("name", "").strip() or suggest_name(file.name or "")
    as_it_stands = request.POST.get("as_it_stands") == "yes"
    try:
        made = keep_upload(name, file.read(), as_it_stands=as_it_stands)
    except EditedCheckpoint:
        detail = "This file was edited or damaged since it was written: its check sum does not fit what is in it."
        return JsonResponse({"detail": detail, "edited": True}, status=422)
    except REFUSALS as error:
        return JsonResponse({"detail": make_sentence(error)}, status=422)
    messages.success(
        request, f"{made.name} is added, and sound. Nothing is restored yet: look at what it would change."
    )
    return JsonResponse({"name": made.name, "href": reverse("checkpoints:one", args=[made.name])}, status=201)


# One of them


def verify_checkpoint_view(request: HttpRequest, name: str) -> HttpResponse:
    problem = find_problem(find_checkpoint(name).path)
    if problem:
        messages.error(request, f"{name} cannot be restored: {problem}.")
    else:
        messages.success(request, f"{name} is sound: all of it came out of a scratch database as it went in.")
    return HttpResponseRedirect(reverse("checkpoints:index"))


def download_checkpoint(request: HttpRequest, name: str) -> FileResponse:
    found = find_checkpoint(name)
    for part in found.header.contents if found.header else ():
        if part != "state":
            _check_part(request, part)
    return FileResponse(found.path.open("rb"), as_attachment=True, filename=found.path.name)


def delete_checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    found = find_checkpoint(name)
    if found.is_seed:
        raise BadCheckpointName(f"{name!r} is a seed, which belongs to the program and stays")
    held = found.header.contents if found.header else ()
    if not all(may(request.user, part.writes) for part_name, part in PARTS.items() if part_name in held):
        raise PermissionDenied
    if request.method == "POST":
        remove_checkpoint(found)
        messages.success(request, f"{name} is deleted. What the memory holds is as it was.")
        return HttpResponseRedirect(reverse("checkpoints:index"))
    return _ask(request, found, "delete")


def accept_checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    """Let a file that was edited on purpose count as it stands."""
    found = find_checkpoint(name)
    if found.is_seed or found.problem != EDITED:
        raise BadCheckpointName(f"{name!r} was not edited, so there is nothing to accept")
    if request.method == "POST":
        accept_edit(found.path)
        messages.success(request, f"{name} counts as it stands now, and is sound.")
        return HttpResponseRedirect(reverse("checkpoints:one", args=[name]))
    return _ask(request, found, "accept")


def _ask(request: HttpRequest, found: Checkpoint, what: str) -> HttpResponse:
    [row] = rows_of([found], {found.path: found.problem})
    title = {"delete": f"Delete {found.name}?", "accept": f"Take {found.name} as it stands?"}[what]
    return render_page(request, "state/checkpoint_ask.html", {"title": title, "checkpoint": row, "what": what})
