"""The page of checkpoints: what is kept, whether it is sound, and bringing it back after a look at what would change.

The permissions on keys hold: who may change them may make and restore checkpoints.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from state import checkpoint_files, checkpoints, edits, files, header, jsontext, store
from state.admin import author_of
from state.checkpoint_files import Checkpoint
from state.checkpoints import Choice, Mode
from state.diffs import Op
from state.revisions import Author, Source

PATIENCE = 1.5  # seconds that the list takes to judge files
MOST = 100  # keys whose changes are shown
REFUSALS = (
    checkpoint_files.UnknownCheckpoint,
    checkpoint_files.BadName,
    checkpoint_files.Damaged,
    checkpoints.BadCheckpoint,
    edits.TooLarge,
    edits.TooDeep,
    files.NoRoom,
    files.CannotWrite,
    store.BadKey,
)
CHANGE = ("state.view_stateentry", "state.add_stateentry", "state.change_stateentry", "state.delete_stateentry")
View = Callable[..., HttpResponseBase]


def urls() -> list[URLPattern]:
    """The page's addresses, in the namespace `checkpoints`."""
    return [
        path("", _guarded(index), name="index"),
        path("create/", _guarded(create, changes=True), name="create"),
        path("<str:name>/", _guarded(compare), name="one"),
        path("<str:name>/file/", _guarded(download), name="file"),
        path("<str:name>/verify/", _guarded(verify, changes=True), name="verify"),
        path("<str:name>/restore/", _guarded(restore, changes=True), name="restore"),
    ]


def _guarded(view: View, changes: bool = False) -> View:
    """The view for those who may see keys, or change them, by POST; a refusal is said on the page of checkpoints."""

    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perms(CHANGE if changes else CHANGE[:1]):
            raise PermissionDenied
        if changes and request.method != "POST":
            return HttpResponseRedirect(reverse("checkpoints:index"))
        try:
            return view(request, **kwargs)
        except REFUSALS as error:
            messages.error(request, f"{str(error)[:1].upper()}{str(error)[1:]}.")
            return HttpResponseRedirect(reverse("checkpoints:index"))

    return admin.site.admin_view(guarded)


def index(request: HttpRequest) -> HttpResponse:
    kept, seeds = checkpoint_files.kept(), checkpoint_files.seeds()
    verdicts = checkpoint_files.judge([*kept, *seeds], PATIENCE)
    groups = [(title, [_row(one, verdicts) for one in some]) for title, some in _groups(kept, seeds) if some]
    context = {"title": "Checkpoints", "groups": groups, "may_change": request.user.has_perms(CHANGE)}
    return _page(request, "state/checkpoints.html", context)


def _groups(kept: list[Checkpoint], seeds: list[Checkpoint]) -> list[tuple[str, list[Checkpoint]]]:
    return [
        ("Kept by you", [one for one in kept if not one.is_automatic]),
        ("Kept automatically", [one for one in kept if one.is_automatic]),
        ("What a new memory begins with", seeds),
    ]


def _row(one: Checkpoint, verdicts: dict[Any, str]) -> dict[str, Any]:
    """A checkpoint as the list shows it."""
    said = one.header
    return {
        "name": one.name,
        "at": None if one.is_seed else one.at,
        "size": one.size,
        "about": (said.why if said else "") or ("" if said or one.is_seed else "without a header"),
        "revision": said.revision if said else None,
        "is_partial": bool(said and said.scope != header.ALL),
        "is_judged": one.path in verdicts,
        "problem": verdicts.get(one.path, ""),
    }


def create(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("name", "").strip() or None
    made = checkpoint_files.create(name, why=request.POST.get("why", "")[:200] or "by hand")
    messages.success(request, f"{made.name} is kept, and sound.")
    return HttpResponseRedirect(reverse("checkpoints:index"))


def verify(request: HttpRequest, name: str) -> HttpResponse:
    problem = checkpoint_files.problem_of(checkpoint_files.find(name).path)
    if problem:
        messages.error(request, f"{name} cannot be restored: {problem}.")
    else:
        messages.success(request, f"{name} is sound: all of it came out of a scratch database as it went in.")
    return HttpResponseRedirect(reverse("checkpoints:index"))


def download(request: HttpRequest, name: str) -> FileResponse:
    found = checkpoint_files.find(name)
    return FileResponse(found.path.open("rb"), as_attachment=True, filename=found.path.name)


def compare(request: HttpRequest, name: str) -> HttpResponse:
    """What has changed since, and what restoring would do: the page from which it is restored."""
    found = checkpoint_files.find(name)
    contents = checkpoints.read(found.path)
    mode = request.GET.get("mode") if contents.is_whole else None
    edits_planned = checkpoints.plan(contents, Choice("merge" if mode == "merge" else None))()
    would = {edit.key: edit.forward for edit in edits_planned if edit.forward}
    context = {
        "title": f"Checkpoint {name}",
        "checkpoint": _row(found, {found.path: ""}),
        "is_whole": contents.is_whole,
        "mode": "merge" if mode == "merge" or not contents.is_whole else "replace",
        "count": len(would),
        "changes": [_change(key, patch) for key, patch in list(would.items())[:MOST]],
        "more": max(0, len(would) - MOST),
        "head": store.head(),
        "may_change": request.user.has_perms(CHANGE),
    }
    return _page(request, "state/checkpoint.html", context)


def _change(key: str, patch: list[Op]) -> dict[str, Any]:
    """What restoring does to one key, in words and as a patch."""
    whole = patch[0] if len(patch) == 1 and patch[0]["path"] == "" else None
    words = {"remove": "goes: it was not there then", "add": "comes back", "replace": "is replaced as a whole"}
    places = "1 place changes" if len(patch) == 1 else f"{len(patch)} places change"
    lines = "\n".join(jsontext.dump(op) for op in patch)
    return {
        "key": key,
        "what": words[whole["op"]] if whole else places,
        "kind": whole["op"] if whole else "change",
        "patch": shown_lines(lines),
    }


def shown_lines(text: str, most: int = 6000) -> str:
    return text if len(text) <= most else f"{text[:most]}\n… {len(text) - most:,} more characters"


def restore(request: HttpRequest, name: str) -> HttpResponse:
    found = checkpoint_files.find(name)
    contents = checkpoints.read(found.path)
    keys = request.POST.getlist("key") or None
    mode: Mode | None = "merge" if request.POST.get("mode") == "merge" else None
    if keys and contents.is_whole and mode is None:
        mode = "replace"
    plan = checkpoints.plan(contents, Choice(mode, keys))
    by = author_of(request, request.POST.get("reason", "")[:1000])
    written = checkpoints.restore(plan, Author(by.actor, Source.RESTORE, by.reason, {"checkpoint": name}))
    if not written.changed:
        messages.info(request, f"All is as in {name} already; nothing was changed.")
        return HttpResponseRedirect(reverse("checkpoints:index"))
    count = "1 key" if len(written.changed) == 1 else f"{len(written.changed)} keys"
    messages.success(request, f"{count} restored from {name}. What was there before is kept in a checkpoint.")
    return HttpResponseRedirect(reverse("admin:state_revision_change", args=[written.revision]))


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})
