"""`/api/conversations/import`: an export of chats as the body of a request."""

import tempfile
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from access.rights import Grant, NotAllowed, Right
from conversations.api.conversations import answer, change_conversation, delete_conversation, read_conversation
from conversations.imports.chats import STATE, FileImport, import_file
from conversations.imports.summary import summarize
from state.api.parameters import Flag, FromQuery, Parameters
from state.api.routes import add_read_route, bind_path, describe_body
from state.report import make_printable

MOST_TOLD = 500  # findings, and conversations, in an answer

router = Router(tags=["conversations"])


FILES = describe_body("application/json", "application/x-ndjson", "application/zip")


class ImportQuery(Parameters):
    """How to import."""

    dry_run: Flag = Field(False, description="Report what would happen, and change nothing")
    replace: Flag = Field(False, description="The file wins over what was changed or deleted in Nola")
    all_or_nothing: Flag = Field(False, description="Write nothing if anything is wrong")
    name: str = Field("", description="The file's name: in the report, and of a conversation that has no id")
    state: str = Field(STATE, description="How the keys begin that get what is no talk; empty leaves that out")


@router.post("/import", summary="Import chats", openapi_extra=FILES)
def import_conversations(request: HttpRequest, query: FromQuery[ImportQuery]) -> HttpResponse:
    """Bring over chats of a service or program, or JSON lines of messages: the file, plain or zipped, as it is.

    What is there already is not added twice. `dry_run=true` reports what would happen; `all_or_nothing=true` writes
    nothing if anything is wrong; `replace=true` lets the file win over what was changed or deleted in Nola.
    """
    grant: Grant = request.grant  # type: ignore[attr-defined]
    with tempfile.NamedTemporaryFile(prefix="nola-import-") as file:
        file.write(request.body)
        file.flush()
        actor: str = request.auth  # type: ignore[attr-defined]
        name = make_printable(query.name or "upload")[:200]
        wanted = FileImport(actor, Path(file.name), query.replace, query.dry_run, query.all_or_nothing, bounded=True,
                            name=name, state=_read_state(query, grant), user_id=grant.user_id)  # fmt: skip
        return answer(summarize(import_file(wanted), MOST_TOLD))


def _read_state(query: ImportQuery, grant: Grant) -> str:
    """How the keys begin that get what is no talk; "" for those who may not write them. Raises NotAllowed."""
    if Right.WRITE_STATE in grant.rights and not grant.places:
        return query.state
    if query.state and "state" in query.texts:
        grant.require(Right.WRITE_STATE)
        raise NotAllowed(f"{grant.who} is limited to a part of the state, and an import goes beyond it; send state=")
    return ""


# `import` is an ordinary session id as well: only POST means the call
add_read_route(router, "/import", include_in_schema=False)(bind_path(read_conversation, session_id="import"))
router.patch("/import", include_in_schema=False)(bind_path(change_conversation, session_id="import"))
router.delete("/import", include_in_schema=False)(bind_path(delete_conversation, session_id="import"))
