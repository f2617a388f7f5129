from types import SimpleNamespace

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import contract
from tests.contract import Unlike, compare


@pytest.fixture(autouse=True)
def told(monkeypatch):
    """What is told of these tests is not told of the run."""
    monkeypatch.setattr(contract, "told", dict.fromkeys(contract.told, 0))


def exchange(*answer, request="GET /api/state"):
    return [[request], list(answer)]


@pytest.mark.parametrize(
    ("here", "recorded"),
    [
        ('{"at":"2026-11-27T23:54:08.443294+00:00"}', '{"at":"2025-01-02T03:04:05.000001+00:00"}'),
        ("Date: Fri, 27 Nov 2026 23:54:08 GMT", "Date: Mon, 02 Feb 2026 03:04:05 GMT"),
        ("at=2026-11-27T23%3A54%3A08.443294%2B00%3A00", "at=2026-11-28T00%3A00%3A08.000000%2B00%3A00"),
        ('"0f8fad5b-d9cb-469f-a165-70867728950e" 0f8fad5b', '"7c9e6679-7425-40de-944b-e07fc1f90ae7" aaaabbbb'),
        ('"epoch":"0123456789abcdef", "0123456789abcdef-7"', '"epoch":"fedcba9876543210", "fedcba9876543210-7"'),
        ("<dt>Database</dt><dd>8.9\xa0MB</dd>", "<dt>Database</dt><dd>10\xa0MB</dd>"),
        ('data-since="1795828233.280453"', 'data-since="1795827872.8359"'),
        ('"bytes":311,"erased_by":null', '"bytes":9,"erased_by":null'),
        ('"seconds":[1795867746,1],"by"', '"seconds":[1795867470,0],"by"'),
        ('name="user_permissions" value="13"', 'name="user_permissions" value="25"'),
        ('name="permissions"\r\n\r\n13\r\n--', 'name="permissions"\r\n\r\n125\r\n--'),
    ],
)
def test_times_sizes_of_disks_and_what_is_drawn_by_lot_may_be_others(here, recorded):
    assert compare([exchange("200", here)], [exchange("200", recorded)]) == ""


@pytest.mark.parametrize(
    ("here", "recorded"),
    [
        ('{"a":1}', '{"a":2}'),
        ('{"a":1}', '{"a": 1}'),
        ('{"a":1}', '{"a":1}\n'),
        ('["a","b"]', '["b","a"]'),
        ("2026-11-27T23:54:08.443294+00:00", "2026-11-27T23:54:08.443294Z"),
        ("2026-11-27T23:54:08.443294+00:00", "2026-11-27T23:54:08+00:00"),
        ("0123456789abcdef 0123456789abcdef", "fedcba9876543210 0123456789abcdef"),
        ("0123456789abcdef 0123456789abcde0", "fedcba9876543210 fedcba9876543210"),
        ("2026-11-27", "0123456789abcdef"),
        ("\ufffd", "\x00"),
        ('"seconds":7', '"seconds":8'),
        ('name="channel" value="13"', 'name="channel" value="25"'),
        ("<dt>Values</dt><dd>8.9\xa0MB</dd>", "<dt>Values</dt><dd>10\xa0MB</dd>"),
    ],
)
def test_nothing_else_may(here, recorded):
    with pytest.raises(Unlike, match="answer 2, to 'GET /api/state'") as error:
        compare([exchange("200"), exchange("200", here)], [exchange("200"), exchange("200", recorded)])

    assert repr(here) in str(error.value) and repr(recorded) in str(error.value)


def test_a_long_text_is_shown_where_it_differs():
    long = "x " * 1000

    with pytest.raises(Unlike, match=r"here:     .*x here'\n.*x recorded'"):
        compare([exchange("200", f"{long}here")], [exchange("200", f"{long}recorded")])


def test_another_status_or_header_is_a_difference():
    with pytest.raises(Unlike):
        compare([exchange("200", "ETag: 1", "x")], [exchange("404", "ETag: 1", "x")])
    with pytest.raises(Unlike):
        compare([exchange("200", "ETag: 1", "x")], [exchange("200", "x")])


def test_who_asks_otherwise_is_told_from_who_is_answered_otherwise():
    one, other = exchange("200"), exchange("404", request="GET /api/search")

    assert compare([one, one], [one, other]).startswith("request 2:")
    assert compare([one], [one, one]) == "1 requests, and 2 recorded"


@pytest.mark.parametrize("kind", [HttpResponse, StreamingHttpResponse])
def test_requests_and_answers_are_kept_to_the_byte(monkeypatch, kind):
    def answer(self, **environ):
        return kind([b"one\xff", b"\x00two"], headers={"ETag": '"1"'})

    monkeypatch.setattr(contract, "tape", [])
    monkeypatch.setattr(contract, "ask", answer, raising=False)
    environ = RequestFactory()._base_environ(
        REQUEST_METHOD="PUT", PATH_INFO="/api/state/A", QUERY_STRING="base=1", HTTP_IF_MATCH='"0"'
    )

    response = contract.request_on_tape(Client(), **environ)
    b"".join(response)

    [[asked, answered]] = contract.tape
    assert asked[0] == "PUT /api/state/A?base=1" and 'HTTP_IF_MATCH: "0"' in asked
    assert [answered[0], answered[-1]] == [
        "200",
        ["one\udcff\x00two"] if kind is StreamingHttpResponse else "one\udcff\x00two",
    ]
    assert 'ETag: "1"' in answered


def test_of_a_long_body_everything_counts_but_what_may_differ():
    long = "x " * contract.LARGE

    assert contract.keep(f"{long}2026-11-27".encode()) == contract.keep(f"{long}2026-11-28".encode())
    assert contract.keep(f"{long}1".encode()) != contract.keep(f"{long}2".encode())


def test_classes_of_html_are_in_no_order():
    assert contract.keep(b'<li class="b a">b a') == contract.keep(b'<li class="a b">b a') == '<li class="a b">b a'


def ask_nothing():
    pass


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a test that gets an answer, recording it or comparing it."""

    def run(answer, test=ask_nothing, **folders):
        monkeypatch.setattr(contract, "FOLDER", folders.get("record"))
        monkeypatch.setattr(contract, "OTHER", folders.get("compare"))
        monkeypatch.setattr(contract, "tape", [exchange(*answer)] if answer else [])
        steps = contract.pytest_runtest_call(SimpleNamespace(nodeid="state/api/test_it.py::test_it", obj=test))
        next(steps)
        next(steps, None)
        return contract.told

    return run


def test_a_test_fails_where_its_answers_are_not_those_recorded(run, tmp_path):
    run(["200", "one"], record=tmp_path)

    with pytest.raises(Unlike, match="here:     'two'\nrecorded: 'one'"):
        run(["200", "two"], compare=tmp_path)
    with pytest.raises(Unlike, match="0 requests, and 1 recorded"):
        run([], compare=tmp_path)
    assert not any(run([], compare=tmp_path / "empty").values()) and run(["200", "one"], compare=tmp_path)["tests"] == 1


def test_of_other_examples_and_without_a_tape_nothing_is_compared_and_that_is_told(run, tmp_path, monkeypatch):
    few, more = (settings(max_examples=number)(given(st.none())(lambda drawn: None)) for number in (1, 2))
    monkeypatch.setattr(contract, "find_tools", lambda: tmp_path)
    run(["200", "one"], few, record=tmp_path)

    run(["200", "two"], more, compare=tmp_path)
    told = run(["200", "two"], compare=tmp_path / "empty")
    assert told == {"tests": 0, "answers": 0, "without a tape": 1, "with other examples": 1}
    assert contract.compares_nothing()
    with pytest.raises(Unlike):
        run(["200", "two"], few, compare=tmp_path)


def test_nothing_is_missed_where_postgresql_is_not_installed(run, monkeypatch, tmp_path):
    run(["200"], compare=tmp_path)
    monkeypatch.setattr(contract, "find_tools", lambda: None)

    assert not contract.compares_nothing()
