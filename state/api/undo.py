"""`/api/undo`: taking revisions back, with a preview."""

from typing import Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field, StrictInt, StrictStr

from access.rights import Grant, NotAllowed
from state import store, undo
from state.api.addresses import read_grant, read_places
from state.api.idempotency import idempotent
from state.api.parameters import FromQuery, WasQuery
from state.api.writes import commit_or_preview, repeat_summary, request_author
from state.history import replay
from state.history.sight import find_places, see_by
from state.revisions import Source

router = Router(tags=["history"])


class Undo(Schema):
    """What to undo: one revision or several, all of one import, or all that an actor did in a time."""

    model_config = ConfigDict(extra="forbid")

    revision: int | None = Field(default=None, strict=True)
    revisions: list[int] | None = Field(default=None, min_length=1, description="Several, which become one undo")
    batch: str | None = Field(default=None, description="All revisions of an import, which carry this batch")
    actor: str | None = Field(default=None, description="All revisions of key:<name>, user:<name> ...")
    since: StrictInt | StrictStr = Field(default=0, description="... after this revision or time")
    until: StrictInt | StrictStr | None = Field(default=None, description="... up to this one; now, if left out")
    prefer: Literal["mine", "theirs"] | None = Field(
        default=None, description="Where later changes are in the way: mine lets the undo win, theirs what came later"
    )
    dry_run: bool = Field(default=False, strict=True, description="Answer with the patches and change nothing")


@router.post("", summary="Take revisions back")
@idempotent(repeat_summary)
def undo_revisions(request: HttpRequest, query: FromQuery[WasQuery], body: Undo) -> HttpResponse:
    """Take back what revisions did, as a new revision; later unrelated changes stay. Undo of an undo is a redo."""
    grant, places = read_grant(request), read_places(request)
    if grant.is_limited and body.revision is None and body.revisions is None:
        raise NotAllowed(
            f"{grant.who} is limited to a part of the memory, and may undo revisions by their numbers only"
        )
    revisions = chosen(body)
    if grant.is_limited and not undo.lie_within(revisions, see_by(grant)):
        raise NotAllowed(f"{grant.who} may take back nothing but what was done {_limits(grant)} alone")
    grant.require(*undo.find_rights(revisions))
    author = request_author(request, Source.UNDO, undoes=revisions)
    plan = undo.plan(revisions, body.prefer, places)
    return commit_or_preview(plan, author, body.dry_run, with_was=query.was, places=places)


def _limits(grant: Grant) -> str:
    return f"at or below {find_places(grant)}" if grant.places else f"in conversations of {grant.user_id}"


def chosen(body: Undo) -> list[int]:
    """The revisions to undo, newest first. Raises CannotUndo."""
    if [body.revision, body.revisions, body.batch, body.actor].count(None) != 3:
        raise undo.CannotUndo("say what to undo: a revision, revisions, a batch, or an actor with since and until")
    if body.actor is None and (str(body.since) != "0" or body.until is not None):
        raise undo.CannotUndo("since and until go with an actor; a revision and a batch stand for themselves")
    if body.revision is not None:
        return undo.find_revision(body.revision)
    if body.revisions is not None:
        return undo.find_revisions(body.revisions)
    if body.batch is not None:
        return undo.find_batch(body.batch)
    last = store.head() if body.until in (None, "") else replay.revision_at(str(body.until))
    return undo.find_by_actor(body.actor or "", replay.revision_at(str(body.since)), last)
