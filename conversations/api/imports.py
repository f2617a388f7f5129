"""`/api/conversations/import`: an export of chats as the body of a request."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from ninja import Router

from conversations.api.conversations import answer, change_conversation, delete_conversation, read_conversation
from conversations.imports.chats import FileImport, import_file
from state.api.addresses import UnknownParameter, read_one, read_query
from state.api.history import describe_parameters
from state.jsondoc.text import JSONValue
from state.report import Category, Report, Unit

ASKED = ("dry_run", "replace", "all_or_nothing", "name")
MOST_TOLD = 500  # findings in an answer

router = Router(tags=["conversations"])


def import_conversations(request: HttpRequest) -> HttpResponse:
    """Bring over an export of ChatGPT, Claude or Nola, or JSON lines of messages: the file, plain or zipped, as it is.

    What is there already is not added twice. `dry_run=true` reports what would happen; `all_or_nothing=true` writes
    nothing if anything is wrong; `replace=true` lets the file win over what was changed or deleted in Nola.
    """
    query = read_query(request, ASKED)
    dry_run, replace, whole = (_flag(query, name) for name in ASKED[:3])
    with tempfile.NamedTemporaryFile(prefix="nola-import-") as file:
        file.write(request.body)
        file.flush()
        actor: str = request.auth  # type: ignore[attr-defined]
        name = (read_one(query, "name") or "upload")[:200]
        report = import_file(FileImport(actor, Path(file.name), replace, dry_run, whole, name=name))
    return answer(show_report(report))


def _flag(query: dict[str, list[str]], name: str) -> bool:
    text = read_one(query, name) or "false"
    if text not in ("true", "false"):
        raise UnknownParameter(f"{name} must be true or false")
    return text == "true"


def show_report(report: Report) -> dict[str, JSONValue]:
    """A report as JSON: counts by what became of it and of what, and what is to be told, at most MOST_TOLD lines."""
    counts: dict[str, JSONValue] = {}
    for category in Category:
        found: dict[str, JSONValue] = {unit.value: n for unit in Unit if (n := report.count(category, unit))}
        if found:
            counts[category.value] = found
    told = [one for one in report.findings if one.text and one.category not in (Category.ADDED, Category.DUPLICATE)]
    findings: list[JSONValue] = [
        {"category": one.category.value, "where": one.file, "what": one.text, "count": one.count}
        for one in told[:MOST_TOLD]
    ]
    return {
        "batch": report.batch if report.revisions else None,
        "revisions": report.revisions,
        "counts": counts,
        "findings": findings,
        "more_findings": max(0, len(told) - MOST_TOLD),
    }


FILES = ("application/json", "application/x-ndjson", "application/zip")
BODY = {"requestBody": {"required": True, "content": {kind: {"schema": {}} for kind in FILES}}}
router.post("/import", summary="Import chats", openapi_extra=describe_parameters(*ASKED) | BODY)(import_conversations)


def as_session(view: Callable[[HttpRequest, str], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """`import` is an ordinary session id as well: only POST means the call."""
    return lambda request: view(request, "import")


router.api_operation(["GET", "HEAD"], "/import", include_in_schema=False)(as_session(read_conversation))
router.patch("/import", include_in_schema=False)(as_session(change_conversation))
router.delete("/import", include_in_schema=False)(as_session(delete_conversation))
