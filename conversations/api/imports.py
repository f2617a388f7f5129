"""`/api/conversations/import`: an export of chats as the body of a request."""

import tempfile
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from conversations.api.conversations import answer, change_conversation, delete_conversation, read_conversation
from conversations.imports.chats import FileImport, import_file
from state.api.parameters import Flag, FromQuery, Parameters
from state.api.routes import add_read_route, bind_path, describe_body
from state.jsondoc.text import JSONValue
from state.report import Category, Report, Unit

MOST_TOLD = 500  # findings in an answer

router = Router(tags=["conversations"])


FILES = describe_body("application/json", "application/x-ndjson", "application/zip")


class ImportQuery(Parameters):
    """How to import."""

    dry_run: Flag = Field(False, description="Report what would happen, and change nothing")
    replace: Flag = Field(False, description="The file wins over what was changed or deleted in Nola")
    all_or_nothing: Flag = Field(False, description="Write nothing if anything is wrong")
    name: str = Field("", description="What the file is called in the report")


@router.post("/import", summary="Import chats", openapi_extra=FILES)
def import_conversations(request: HttpRequest, query: FromQuery[ImportQuery]) -> HttpResponse:
    """Bring over an export of ChatGPT, Claude or Nola, or JSON lines of messages: the file, plain or zipped, as it is.

    What is there already is not added twice. `dry_run=true` reports what would happen; `all_or_nothing=true` writes
    nothing if anything is wrong; `replace=true` lets the file win over what was changed or deleted in Nola.
    """
    with tempfile.NamedTemporaryFile(prefix="nola-import-") as file:
        file.write(request.body)
        file.flush()
        actor: str = request.auth  # type: ignore[attr-defined]
        name = (query.name or "upload")[:200]
        wanted = FileImport(
            actor, Path(file.name), query.replace, query.dry_run, query.all_or_nothing, bounded=True, name=name
        )
        return answer(show_report(import_file(wanted)))


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


# `import` is an ordinary session id as well: only POST means the call
add_read_route(router, "/import", include_in_schema=False)(bind_path(read_conversation, session_id="import"))
router.patch("/import", include_in_schema=False)(bind_path(change_conversation, session_id="import"))
router.delete("/import", include_in_schema=False)(bind_path(delete_conversation, session_id="import"))
