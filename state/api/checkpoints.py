"""`/api/checkpoints`: the files that keys can be restored from. `POST /api/state/restore` restores them."""

from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from state import store
from state.address import Address, NotFound
from state.api.addresses import read_one, read_query
from state.api.history import answer_json, describe_parameters
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


@router.get("", summary="List checkpoints")
def list_checkpoints(request: HttpRequest) -> HttpResponse:
    """All checkpoints, newest first, and the seeds. `sound` is null where there was no time to read the file."""
    read_query(request, ())
    found = [*read_checkpoints(), *list_seeds()]
    verdicts = judge_checkpoints(found, PATIENCE)
    return answer_json({"checkpoints": [described(each, verdicts.get(each.path)) for each in found]})


@router.post("", summary="Take a checkpoint")
def create_checkpoint(request: HttpRequest, body: NewCheckpoint) -> HttpResponse:
    """Write the state as it is now to a file, and verify it by loading it into a scratch database."""
    read_query(request, ())
    for key in body.keys or []:
        store.read(Address(key))
    contents = ("state", "conversations") if body.conversations else ("state",)
    made = save_checkpoint(body.name, why=body.why, keys=body.keys, contents=contents)
    response = answer_json(described(made, ""))
    response.status_code = 201
    response["Location"] = f"{request.path.rstrip('/')}/{made.name}"
    return response


@router.get("/{name}", summary="Fetch a checkpoint")
def read_checkpoint(request: HttpRequest, name: str) -> FileResponse:
    """The file, a Django fixture with a header in front."""
    read_query(request, ())
    found = _named(name)
    return FileResponse(found.path.open("rb"), as_attachment=True, filename=found.path.name)


@router.delete("/{name}", summary="Delete a checkpoint")
def delete_checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    """Remove the file. Seeds belong to the program and stay."""
    read_query(request, ())
    remove_checkpoint(_named(name))
    return HttpResponse(status=204)


@router.get("/{name}/verify", summary="Verify a checkpoint")
def verify_checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    """Load it into a scratch database, now, and say whether the same comes out, and what is wrong if not."""
    read_query(request, ())
    found = _named(name)
    return answer_json(described(found, find_problem(found.path)))


@router.get("/{name}/diff", summary="Compare a checkpoint", openapi_extra=describe_parameters("to"))
def diff_checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    """For each key that differs, the JSON Patch from the checkpoint to what is stored now, or to another checkpoint."""
    other = read_one(read_query(request, ("to",)), "to")
    contents = read_fixture(_named(name).path)
    if other is None:
        return answer_json({"from": name, "to": None, "patches": diff_since(contents)})
    there = read_fixture(find_checkpoint(other).path)
    return answer_json({"from": name, "to": other, "patches": compare_documents(contents.documents, there.documents)})


def described(found: Checkpoint, problem: str | None) -> dict[str, Any]:
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
