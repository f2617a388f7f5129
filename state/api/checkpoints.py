"""`/api/checkpoints`: the files that keys can be restored from. `POST /api/state/restore` restores them."""

from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from state import store
from state.address import Address, NotFound
from state.api.answers import answer_json
from state.api.parameters import FromQuery, NoParameters, Parameters
from state.api.routes import add_read_route, answers
from state.checkpoints.files import (
    Checkpoint,
    UnknownCheckpoint,
    find_checkpoint,
    judge_checkpoints,
    list_seeds,
    read_checkpoints,
    remove_checkpoint,
    save_checkpoint,
)
from state.checkpoints.restore import compare_documents, diff_since, read_fixture
from state.checkpoints.rows import PARTS
from state.checkpoints.verify import find_problem

router = Router(tags=["checkpoints"])
PATIENCE = 1.5  # seconds that a list takes to judge files; the rest is shown without a verdict


class NewCheckpoint(Schema):
    """What to keep: the whole state, or some keys."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, description="Letters, digits, dots, dashes; without one it is named by time")
    keys: list[str] | None = Field(default=None, min_length=1, description="Only these keys")
    conversations: bool = Field(default=False, strict=True, description="Conversations and messages too")
    why: str = Field(default="", max_length=200, description="Kept in the file")


class ComparisonQuery(Parameters):
    """What to compare a checkpoint with."""

    to: str | None = Field(None, description="The name of another checkpoint; what is stored now, if left out")


@add_read_route(router, "", summary="List checkpoints")
@answers(headers=())
def list_checkpoints(request: HttpRequest, query: FromQuery[NoParameters]) -> HttpResponse:
    """All checkpoints, newest first, and the seeds. `sound` is null where there was no time to read the file."""
    found = [*read_checkpoints(), *list_seeds()]
    verdicts = judge_checkpoints(found, PATIENCE)
    return answer_json({"checkpoints": [describe_checkpoint(each, verdicts.get(each.path)) for each in found]})


@router.post("", summary="Take a checkpoint")
@answers(201, headers=("Location",))
def create_checkpoint(request: HttpRequest, query: FromQuery[NoParameters], body: NewCheckpoint) -> HttpResponse:
    """Write the state as it is now to a file, and verify it by loading it into a scratch database."""
    for key in dict.fromkeys(body.keys or []):
        store.read(Address(key))
    contents = ("state", *PARTS) if body.conversations else ("state",)
    request.grant.require(*(part.reads for name, part in PARTS.items() if name in contents))  # type: ignore[attr-defined]
    made = save_checkpoint(body.name, why=body.why, keys=body.keys, contents=contents)
    response = answer_json(describe_checkpoint(made, ""))
    response.status_code = 201
    response["Location"] = f"{request.path.rstrip('/')}/{made.name}"
    return response


@add_read_route(router, "/{name}", summary="Fetch a checkpoint")
@answers(headers=("Content-Disposition",))
def read_checkpoint(request: HttpRequest, name: str, query: FromQuery[NoParameters]) -> FileResponse:
    """The file, a Django fixture with a header in front."""
    found = _named(name)
    held = found.header.contents if found.header else PARTS
    request.grant.require(*(part.reads for name, part in PARTS.items() if name in held))  # type: ignore[attr-defined]
    return FileResponse(found.path.open("rb"), as_attachment=True, filename=found.path.name)


@router.delete("/{name}", summary="Delete a checkpoint")
@answers(headers=())
def delete_checkpoint(request: HttpRequest, name: str, query: FromQuery[NoParameters]) -> HttpResponse:
    """Remove the file. Seeds belong to the program and stay."""
    found = _named(name)
    held = found.header.contents if found.header else ()
    request.grant.require(*(part.writes for name, part in PARTS.items() if name in held))  # type: ignore[attr-defined]
    remove_checkpoint(found)
    return HttpResponse(status=204)


@add_read_route(router, "/{name}/verify", summary="Verify a checkpoint")
@answers(headers=())
def verify_checkpoint(request: HttpRequest, name: str, query: FromQuery[NoParameters]) -> HttpResponse:
    """Load it into a scratch database, now, and say whether the same comes out, and what is wrong if not."""
    found = _named(name)
    return answer_json(describe_checkpoint(found, find_problem(found.path)))


@add_read_route(router, "/{name}/diff", summary="Compare a checkpoint")
@answers(headers=())
def diff_checkpoint(request: HttpRequest, name: str, query: FromQuery[ComparisonQuery]) -> HttpResponse:
    """For each key that differs, the JSON Patch from the checkpoint to what is stored now, or to another checkpoint."""
    contents = read_fixture(_named(name).path)
    if query.to is None:
        return answer_json({"from": name, "to": None, "patches": diff_since(contents)})
    there = read_fixture(find_checkpoint(query.to).path)
    patches = compare_documents(contents.documents, there.documents)
    return answer_json({"from": name, "to": query.to, "patches": patches})


def describe_checkpoint(found: Checkpoint, problem: str | None) -> dict[str, Any]:
    """A checkpoint as the API shows it."""
    said = found.header.fields if found.header else {}
    return {
        "name": found.name,
        "kind": "seed" if found.is_seed else "checkpoint",
        "automatic": found.is_automatic,
        "at": said.get("at", found.at.isoformat(timespec="seconds")),
        "bytes": found.size,
        **{member: said.get(member) for member in ("store", "revision", "scope", "contents", "why", "sha256")},
        "sound": None if problem is None else not problem,
        **({"problem": problem} if problem else {}),
    }


def _named(name: str) -> Checkpoint:
    try:
        return find_checkpoint(name)
    except UnknownCheckpoint as error:
        raise NotFound(str(error)) from None
