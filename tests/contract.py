"""The contract between the databases: what a test asks over HTTP in this process, each of them answers alike.

With TEST_TAPES a run records, test by test, each request and its answer in that folder; with TEST_TAPES_TO_COMPARE a
run compares its own with what was recorded there, and a test whose answers differ fails; `make test` does both. Where
the two runs take other numbers of examples, as in CI, tests of Hypothesis are not compared: there their laws alone
hold, on each database.

Alike is equal to the byte, but for what no two runs have in common: a time may be another one in the same form, what is
drawn by lot another one that stands wherever the first stood; a disk and a database may be of another size, a page of
another second; receipts are kept compressed, in about as many bytes; classes of HTML and some headers are in no order.
How far a request comes before it is too costly depends on the machine, so that the tests of that are not compared.
"""

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from django.http import StreamingHttpResponse
from django.test import Client
from hypothesis import is_hypothesis_test
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from tests.postgres import find_tools

FOLDER, OTHER = os.environ.get("TEST_TAPES"), os.environ.get("TEST_TAPES_TO_COMPARE")
OF_COSTS = "nola_site/tests/test_costs.py"
LARGE = 1 << 16  # characters; of a longer body a hash is kept, with what may differ left out
SHOWN = 200  # characters on both sides of a difference

_HTTP_DATE = r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
_COLON = "(?:[:-]|%3A)?"
_CLOCK = rf"[T ]\d\d{_COLON}\d\d(?:{_COLON}\d\d(?:[.,]\d+)?)?"
MAY_DIFFER = re.compile(
    r"(?P<free>(?<=<dt>Database</dt><dd>)[^<]*|(?<=<dt>Free on this disk</dt><dd>)[^<]*"
    r"|(?<=data-since=\")[0-9.]*|(?<=\"bytes\":)\d+(?=,\"erased_by\":)|(?<=\"seconds\":\[)[\d,]+"
    # Django numbers permissions and groups anew when tables were emptied
    r"|(?<=permissions\" value=\")\d+|(?<=permissions\"\r\n\r\n)\d+"
    r"|(?<=\"groups\" value=\")\d+|(?<=\"groups\"\r\n\r\n)\d+"
    r"|(?<=Select a valid choice. )\d+(?= is not one))"
    rf"|(?P<time>{_HTTP_DATE}|\d{{4}}-\d\d-\d\d(?:{_CLOCK})?|\b\d{{1,2}}:\d\d(?::\d\d)?\b)"
    r"|(?P<lot>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|(?<![0-9A-Za-z])[0-9a-f]{8,}(?![0-9A-Za-z])"
    r"|[0-9A-Za-z_-]{16,}={0,2}|\bnola_[0-9A-Za-z_-]{4}(?![0-9A-Za-z_-])"
    r"|(?<=Mcp-Session-Id: )[0-9A-Za-z_-]{12}|(?<=HTTP_MCP_SESSION_ID: )[0-9A-Za-z_-]{12})"
)
UNORDERED = {"Content-Security-Policy": "; ", "Allow": ", "}  # headers whose parts stand in any order, and between them
CLASSES = re.compile(r'\bclass="([^"<>]+)"')  # of HTML, in any order too
FORM = re.compile(r"\d|[A-Z][a-z]{2}")

tape: list[list[Any]] | None = None  # of the test that runs
told = {"tests": 0, "answers": 0, "without a tape": 0, "with other examples": 0}
ask: Any


def request_on_tape(self: Client, **environ: Any) -> Any:
    """Ask, and write down what was asked and answered. The order of what other threads ask is no one's promise."""
    if tape is None or threading.current_thread() is not threading.main_thread():
        return ask(self, **environ)
    entry: list[Any] = [list(describe_request(environ)), "nothing: it raised an error"]
    tape.append(entry)
    response = ask(self, **environ)
    entry[1] = [f"{response.status_code}", *describe_headers(response)]
    if not isinstance(response, StreamingHttpResponse):
        entry[1].append(keep(response.content))
    elif not response.is_async:
        entry[1].append(parts := [])
        response.streaming_content = listen(response.streaming_content, parts)
    return response


def describe_headers(response: Any) -> Iterator[str]:
    for name, value in sorted(response.headers.items()):
        comma = UNORDERED.get(name)
        if name == "Content-Length" and not response.streaming and value == str(len(response.content)):
            value = "that of the body"
        yield f"{name}: {comma.join(sorted(value.split(comma))) if comma else value}"


def listen(stream: Any, parts: list[str]) -> Iterator[bytes]:
    """A stream as it is read, kept as one text."""
    whole = b""
    for part in stream:
        whole += part
        parts[:] = [keep(whole)]
        yield part


def describe_request(environ: dict[str, Any]) -> Iterator[str]:
    query = environ.get("QUERY_STRING", "")
    yield f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{'?' if query else ''}{query}"
    for name, value in sorted(environ.items()):
        if name.startswith(("HTTP_", "CONTENT_")) and name not in ("HTTP_COOKIE", "CONTENT_LENGTH"):
            yield f"{name}: {value}"
    body = environ.get("wsgi.input")
    content = getattr(body, "_FakePayload__content", None)
    yield keep(content.getvalue()) if content else ""


def keep(body: bytes) -> str:
    """A body as text; of a long one its length and a hash that leaves out what may differ."""
    text = CLASSES.sub(sort_classes, body.decode("utf-8", "surrogateescape"))
    if len(text) <= LARGE:
        return text
    rest = MAY_DIFFER.sub(lambda found: found.lastgroup or "", text)
    return f"{text[:SHOWN]}... {hashlib.sha256(rest.encode('utf-8', 'surrogateescape')).hexdigest()[:7]}"


def sort_classes(found: re.Match[str]) -> str:
    return f'class="{" ".join(sorted(found[1].split(" ")))}"'


class Unlike(AssertionError):
    """Two texts that do not say the same; shows both."""


class Comparison:
    """Says whether texts of two runs agree: who stands for whom among what was drawn by lot, from its first use on."""

    def __init__(self) -> None:
        self.there: dict[str, str] = {}
        self.back: dict[str, str] = {}

    def check(self, mine: Any, recorded: Any) -> None:
        """Raises Unlike."""
        if isinstance(mine, list) and isinstance(recorded, list):
            for one, other in zip_longest(mine, recorded, fillvalue="(nothing)"):
                self.check(one, other)
        else:
            self.check_texts(str(mine), str(recorded))

    def check_texts(self, mine: str, recorded: str) -> None:
        at = 0
        for one, other in zip_longest(split(mine), split(recorded), fillvalue=("", "(nothing)")):
            if not self.agree(one, other):
                if one[0] == other[0] == "":
                    at += next(index for index, (a, b) in enumerate(zip_longest(one[1], other[1])) if a != b)
                shown = [text[max(0, at - SHOWN) : at + SHOWN] for text in (mine, recorded)]
                raise Unlike(f"here:     {shown[0]!r}\nrecorded: {shown[1]!r}")
            at += len(one[1])

    def agree(self, one: tuple[str, str], other: tuple[str, str]) -> bool:
        (kind, here), (other_kind, recorded) = one, other
        if kind != other_kind or not kind:
            return one == other
        if kind == "time":
            return FORM.sub("0", here) == FORM.sub("0", recorded)
        if kind == "free":
            return True
        return self.there.setdefault(here, recorded) == recorded and self.back.setdefault(recorded, here) == here


def split(text: str) -> Iterator[tuple[str, str]]:
    """A text in parts, each with the kind of what may differ, "" for what may not."""
    end = 0
    for found in MAY_DIFFER.finditer(text):
        if end < found.start():
            yield "", text[end : found.start()]
        yield found.lastgroup or "", found[0]
        end = found.end()
    if end < len(text):
        yield "", text[end:]


def compare(mine: list[list[Any]], recorded: list[list[Any]]) -> str:
    """Raises Unlike where an answer differs; returns what is asked otherwise, "" for nothing."""
    comparison = Comparison()
    for number, (one, other) in enumerate(zip_longest(mine, recorded), 1):
        if one is None or other is None:
            return f"{len(mine)} requests, and {len(recorded)} recorded"
        try:
            comparison.check(one[0], other[0])
        except Unlike as error:
            return f"request {number}:\n{error}"
        try:
            comparison.check(one[1], other[1])
        except Unlike as error:
            raise Unlike(f"answer {number}, to {one[0][0]!r}:\n{error}") from None
        told["answers"] += 1
    return ""


# In the run


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    global ask
    if FOLDER or OTHER:
        providers._get_local_constants = Constants  # else the examples depend on which of our modules are imported
        ask = Client.request
        Client.request = request_on_tape  # type: ignore[method-assign]


def find_tape(folder: str, item: pytest.Item) -> Path:
    return Path(folder) / f"{hashlib.sha256(item.nodeid.encode()).hexdigest()[:32]}.json"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    global tape
    tape = [] if FOLDER or OTHER else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    result = yield
    if item.nodeid.startswith(OF_COSTS):
        return result
    if FOLDER and tape:
        path = find_tape(FOLDER, item)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"test": item.nodeid, "examples": count_examples(item), "tape": tape}))
    if OTHER and find_tape(OTHER, item).exists():
        recorded = json.loads(find_tape(OTHER, item).read_text())
        if recorded["examples"] != count_examples(item):
            told["with other examples"] += 1
        elif asked := compare(tape or [], recorded["tape"]):
            raise Unlike(f"it does not ask as it did when it was recorded: {asked}")
        else:
            told["tests"] += 1
    elif OTHER and tape:
        told["without a tape"] += 1
    return result


def count_examples(item: Any) -> int:
    """How many examples a test of Hypothesis takes at most; 0 for other tests."""
    return item.obj._hypothesis_internal_use_settings.max_examples if is_hypothesis_test(item.obj) else 0


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["contract"] = told
    elif compares_nothing():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def compares_nothing() -> bool:
    """Whether it was to compare with what ran on PostgreSQL, and compared nothing."""
    return bool(OTHER) and find_tools() is not None and not told["tests"]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for name, count in getattr(node, "workeroutput", {}).get("contract", {}).items():
        told[name] += count


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if compares_nothing():
        terminalreporter.write_line(f"CONTRACT: NOTHING WAS COMPARED with the tapes in {OTHER}", red=True)
    elif OTHER:
        counts = ", ".join(f"{count:,} {name}" for name, count in told.items())
        terminalreporter.write_line(f"contract between the databases, alike: {counts}")
