import json

import pytest

from nola_site.api import api
from state import errors, transactions
from state.errors import Refusal
from state.history.feed import Cursor

BASES = [
    (errors.Malformed, 400),
    (errors.NotThere, 404),
    (errors.InTheWay, 409),
    (errors.Gone, 410),
    (errors.Oversized, 413),
    (errors.Unprocessable, 422),
    (errors.TooMany, 429),
    (errors.Unavailable, 503),
    (errors.StorageFull, 507),
]
ARGUMENTS = {
    "ConflictError": ("changed", [], "look"),
    "LostCursor": ("lost", Cursor("epoch", 7)),
    "MergeConflict": (3, []),
    "NotAcceptable": ("odd", 1, 2),
    "OperationFailed": (0, errors.Gone("gone")),
    "PatchFailed": (0, "/name", "differs"),
    "ProposalConflict": (3, []),
    "ProtectedPath": ("/Persona", "key:planner"),
    "PreconditionFailed": ("differs", None, 3),
    "UndoConflict": ([],),
}


def every_kind(base):
    return [base, *(found for kind in base.__subclasses__() for found in every_kind(kind))]


KINDS = {
    f"{kind.__module__}.{kind.__name__}": kind for kind in every_kind(Refusal)[1:] if ".tests." not in kind.__module__
}


def answered(rf, error):
    response = api.on_exception(rf.get("/api/state"), error)
    assert response["Content-Type"] == "application/problem+json"
    return response, json.loads(response.content)


@pytest.mark.parametrize(("base", "status"), BASES, ids=lambda given: getattr(given, "__name__", given))
def test_an_error_is_answered_as_its_base(rf, base, status):
    class New(base):
        """An error that nobody has told the site of."""

    response, body = answered(rf, New("it is new"))

    assert (response.status_code, body["status"], body["detail"]) == (status, status, "it is new")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_error_of_the_project_is_a_problem_document(rf, kind):
    error = kind(*ARGUMENTS.get(kind.__name__, ("it is so",)))

    response, body = answered(rf, error)

    assert 400 <= response.status_code < 600
    assert (response.status_code, body["status"]) == (error.status, error.status)
    assert body["detail"] == error.detail


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_error_has_the_status_of_its_base_or_one_of_its_own(kind):
    bases = [status for base, status in BASES if issubclass(kind, base)]

    assert kind is transactions.OperationFailed or kind.status in [*bases, 403, 405, 406, 412, 415]


def test_an_error_that_says_when_to_come_back_does_so_in_a_header(rf):
    response, _ = answered(rf, errors.Unavailable("busy", 5))

    assert response["Retry-After"] == "5"


def test_an_operation_is_refused_as_its_cause(rf):
    class New(errors.InTheWay):
        """An error that nobody has told the site of."""

    response, body = answered(rf, transactions.OperationFailed(3, New("it is new")))

    assert (response.status_code, body["detail"], body["op_index"]) == (409, "operation 3: it is new", 3)


@pytest.mark.parametrize(("base", "status"), BASES, ids=lambda given: getattr(given, "__name__", given))
def test_a_conflict_alone_says_not_to_send_it_again(rf, base, status):
    response, _ = answered(rf, base("it is so"))

    assert response.get("X-Should-Retry") == ("false" if status == 409 else None)
