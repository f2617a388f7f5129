"""The pages on which files of chats are brought: upload, a look at what would come, the import, and its undo."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.csrf import ensure_csrf_cookie

from access.rights import Right, may
from conversations.imports import uploads
from conversations.imports.uploads import Upload
from state import undo
from state.admin import author_of
from state.errors import Refusal
from state.models import Revision
from state.revisions import Source

View = Callable[..., HttpResponseBase]
DONE = ("done", "stopped", "failed")
WORDS = {
    "uploading": "did not arrive", "waiting": "waits for its turn", "looking": "being looked at",
    "ready": "ready to be imported", "importing": "being imported", "undoing": "being taken back",
    "done": "imported", "stopped": "ended early",
    "failed": "ended early",
}  # fmt: skip


def list_urls() -> list[URLPattern]:
    return [
        path("", _guard(show_start, "GET"), name="index"),
        path("new", _guard(begin), name="begin"),
        path("<str:token>/", _guard(show_upload, "GET"), name="one"),
        path("<str:token>/state", _guard(read_state, "GET"), name="state"),
        path("<str:token>/files/<int:number>", _guard(add_piece), name="piece"),
        path("<str:token>/look", _guard(look), name="look"),
        path("<str:token>/import", _guard(bring), name="import"),
        path("<str:token>/undo", _guard(take_back), name="undo"),
        path("<str:token>/stop", _guard(stop), name="stop"),
        path("<str:token>/remove", _guard(remove), name="remove"),
    ]


def _guard(view: View, method: str = "POST") -> View:
    """The view, for one method; a refusal is answered as JSON with the reason, and who has no such upload gets 404."""

    @wraps(view)
    def checked(request: HttpRequest, token: str = "", **kwargs: Any) -> HttpResponseBase:
        if request.method != method and (request.method, method) != ("HEAD", "GET"):
            return HttpResponseNotAllowed([method])
        if token:
            found = uploads.find_upload(token, author_of(request).actor)
            if found is None:
                raise Http404
            kwargs["upload"] = found
        try:
            return view(request, **kwargs)
        except Refusal as error:
            return JsonResponse(
                {"detail": f"{str(error)[:1].upper()}{str(error)[1:].rstrip('.')}."}, status=error.status
            )

    return ensure_csrf_cookie(admin.site.admin_view(checked))


# Pages


def show_start(request: HttpRequest) -> HttpResponse:
    """Where files are chosen, with what was begun before."""
    uploads.sweep()
    begun = [one | {"href": reverse("imports:one", args=[one["token"]])} for one in _list_begun(request)]
    return _render(request, {"begun": begun, "data": _describe(request)})


def _list_begun(request: HttpRequest) -> list[dict[str, Any]]:
    found = []
    for one in uploads.list_uploads(author_of(request).actor):
        names = ", ".join(file.name for file in one.files[:3]) + (" …" if len(one.files) > 3 else "")
        found.append({"token": one.token, "names": names, "words": WORDS[one.read_state()["stage"]]})
    return found


def show_upload(request: HttpRequest, upload: Upload) -> HttpResponse:
    """Where one upload is, and what may be done with it."""
    return _render(request, {"data": _describe(request) | {"state": _read(request, upload), "upload": upload.token}})


def _render(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    more = {"title": "Import", **context}
    return TemplateResponse(request, "conversations/import.html", {**admin.site.each_context(request), **more})


def _describe(request: HttpRequest) -> dict[str, Any]:
    """What the script of the page needs to know."""
    return {
        "index": reverse("imports:index"),
        "list": reverse("admin:conversations_conversation_changelist"),
        "most_files": uploads.MOST_FILES,
        "most_bytes": uploads.MOST_BYTES,
        "may_state": may(request.user, Right.WRITE_STATE),
        "may_undo": may(request.user, Right.READ_HISTORY),
    }


# What is done


def begin(request: HttpRequest) -> JsonResponse:
    with_state = may(request.user, Right.WRITE_STATE)
    upload = uploads.begin_upload(author_of(request).actor, _read_body(request).get("files", []), with_state=with_state)
    return JsonResponse({"href": reverse("imports:one", args=[upload.token])}, status=201)


def add_piece(request: HttpRequest, upload: Upload, number: int) -> JsonResponse:
    at = request.GET.get("at", "")
    if not (at.isascii() and at.isdigit() and len(at) < 16):
        raise uploads.BadUpload("say with at= where the piece begins")
    return JsonResponse({"size": uploads.add_piece(upload, number, int(at), request.body)})


def look(request: HttpRequest, upload: Upload) -> JsonResponse:
    """Look at what would come; nothing is written."""
    uploads.start_work(upload, "looking")
    return _answer(request, upload)


def bring(request: HttpRequest, upload: Upload) -> JsonResponse:
    """Import what was looked at, or go on with an import that has stopped."""
    before, asked = upload.read_state(), _read_body(request)
    if before["stage"] not in ("ready", "stopped", "failed"):
        raise uploads.WrongTurn("look first at what would come")
    chosen = asked.get("files")
    if not isinstance(chosen, list) or not chosen or not set(chosen) <= set(range(len(upload.files))):
        raise uploads.BadUpload("choose at least one of the files")
    batch = {"batch": before["batch"]} if before.get("batch") else {}
    uploads.start_work(
        upload, "importing", files_asked=sorted(set(chosen)), replace=asked.get("replace") is True,
        with_state=upload.with_state and may(request.user, Right.WRITE_STATE) and asked.get("state") is True, **batch,
    )  # fmt: skip
    return _answer(request, upload)


def take_back(request: HttpRequest, upload: Upload) -> JsonResponse:
    """Undo a large import, for which a request has not the time."""
    state = _read(request, upload)
    revisions = find_batch(state.get("batch", ""))
    if state["stage"] not in DONE or not revisions or state["is_undone"]:
        raise uploads.WrongTurn("there is nothing to take back")
    if not all(may(request.user, right) for right in undo.find_rights(revisions) | {Right.READ_HISTORY}):
        raise PermissionDenied
    uploads.start_work(upload, "undoing", batch=state["batch"], files=state.get("files", []))
    return _answer(request, upload)


def stop(request: HttpRequest, upload: Upload) -> JsonResponse:
    uploads.stop_work(upload)
    return _answer(request, upload)


def remove(request: HttpRequest, upload: Upload) -> JsonResponse:
    """Put an upload away with its files; what was imported of it stays."""
    uploads.remove_upload(upload)
    return JsonResponse({"href": reverse("imports:index")})


def read_state(request: HttpRequest, upload: Upload) -> JsonResponse:
    return _answer(request, upload)


def _answer(request: HttpRequest, upload: Upload) -> JsonResponse:
    return JsonResponse(_read(request, upload))


def _read(request: HttpRequest, upload: Upload) -> dict[str, Any]:
    """Where an upload is; of an import that has ended, what is in the memory of it."""
    state = upload.read_state()
    state |= {"files_sent": [{"name": one.name, "size": one.size} for one in upload.files], "is_here": upload.is_here}
    if state["stage"] in DONE and (batch := state.get("batch")):
        revisions = list(find_batch(batch))
        state |= {"revisions": len(revisions), "is_undone": _is_undone(revisions)}
    return state


def find_batch(batch: str) -> list[int]:
    """The revisions of an import; none if it has made none."""
    try:
        return undo.find_batch(batch)
    except undo.CannotUndo:
        return []


def _is_undone(revisions: list[int]) -> bool:
    if not revisions:
        return False
    later = Revision.objects.filter(source=Source.UNDO.value, seq__gt=revisions[0]).values_list("info", flat=True)
    return any(revisions[-1] in info.get("undoes", ()) for info in later[:1000])


def _read_body(request: HttpRequest) -> dict[str, Any]:
    """Raises BadUpload."""
    try:
        found = json.loads(request.body or b"{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise uploads.BadUpload("the body is no JSON object")
    return found
