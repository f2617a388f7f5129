"""What the tree page asks for beside the API: the moments it can go back to, and how much there is at each level."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from access.rights import Right, grant_person
from state.entries import head
from state.history import past, replay
from state.jsondoc.levels import LEVELS
from state.jsondoc.text import JSONValue, dump_json
from state.models import Change, Revision

MOST_MOMENTS = 50_000
CHARACTERS = 4  # of JSON text, to a token


@require_safe
def list_moments(request: HttpRequest) -> HttpResponse:
    """The revisions that changed a key, or the one named `key`: the newest of them, or those up to `until`.

    `revisions` and `seconds` each count from the one before, `by` are places in `actors`; so 10,000 are 60 kB.
    """
    changes = Change.objects.filter(kind="state", revision_id=OuterRef("seq"))
    if key := request.GET.get("key"):
        changes = changes.filter(key=key)
    rows = Revision.objects.filter(Exists(changes)).order_by("-seq")
    until = request.GET.get("until", "")
    if until.isascii() and until.isdigit() and len(until) < 19:
        rows = rows.filter(seq__lte=int(until))
    found = list(rows.values_list("seq", "at", "actor")[: MOST_MOMENTS + 1])
    return _answer(_packed(found[:MOST_MOMENTS][::-1]) | {"more": len(found) > MOST_MOMENTS})


def _packed(rows: list[tuple[int, datetime, str]]) -> dict[str, JSONValue]:
    actors = list(dict.fromkeys(actor for _, _, actor in rows))
    place = {actor: number for number, actor in enumerate(actors)}
    return {
        "revisions": _steps(seq for seq, _, _ in rows),
        "seconds": _steps(int(at.timestamp()) for _, at, _ in rows),
        "by": [place[actor] for _, _, actor in rows],
        "actors": [*actors],
    }


def _steps(numbers: Iterable[int]) -> list[JSONValue]:
    found: list[JSONValue] = []
    last = 0
    for number in numbers:
        found.append(number - last)
        last = number
    return found


def _answer(value: JSONValue, status: int = 200) -> HttpResponse:
    response = HttpResponse(dump_json(value), status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def measure_sizes(request: HttpRequest) -> HttpResponse:
    """About how many tokens each key has, and all of them together: whole, and at each level. `at` as in the API."""
    try:
        found, revision = at_moment(request)
    except replay.UnknownMoment as error:
        return refuse(str(error))
    except replay.GoneRevision as error:
        return refuse(str(error), 410)
    counts = {one.name.key: [_characters(one, level) for level in (0, *LEVELS.values())] for one in found}
    keys: list[JSONValue] = [
        [key, [None if count is None else count_tokens(count) for count in of_key]] for key, of_key in counts.items()
    ]
    return _answer({"revision": revision, "all": _together(counts), "keys": keys})


def _characters(one: past.KeyText, level: int) -> int | None:
    """The length of a document at a level; None where nothing shows."""
    if not level:
        return len(one.text)
    seen = past.show_text(one, level)
    return None if seen is None else len(seen.text)


def _together(counts: dict[str, list[int | None]]) -> list[JSONValue]:
    """Of one object of all keys that show."""
    found: list[JSONValue] = []
    for column in range(1 + len(LEVELS)):
        shown = [len(dump_json(key)) + 2 + (one[column] or 0) for key, one in counts.items() if one[column]]
        found.append(count_tokens(2 + sum(shown) - bool(shown)))
    return found


def count_tokens(characters: int) -> int:
    return -(-characters // CHARACTERS)


def at_moment(request: HttpRequest, keys: Sequence[str] | None = None) -> tuple[list[past.KeyText], int]:
    """All keys, or some, as they are now, or were at the moment `at`. Raises UnknownMoment, Gone and NotAllowed."""
    if "at" not in request.GET:
        return past.read_texts(keys)
    revision = replay.revision_at(request.GET["at"])
    if revision != head():
        grant_person(request.user).require(Right.READ_HISTORY)
    return past.texts_at(revision, keys), revision


def refuse(detail: str, status: int = 422) -> HttpResponse:
    response = _answer({"status": status, "detail": detail}, status)
    response["Content-Type"] = "application/problem+json"
    return response
