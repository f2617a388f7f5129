"""Each process keeps texts; whoever has written, and through whichever, what is read is what is stored."""

import json
import threading

import pytest

from tests.server import Server

ROUNDS = 40
WRITERS = 4


@pytest.fixture
def large(server: Server) -> Server:
    document = {f"writer{n}": {"n": 0, "list": list(range(3000)), "text": "ä" * 5000} for n in range(WRITERS)}
    assert server.request("PUT", "/api/state/Large", json.dumps(document).encode())[0] == 201
    return server


def test_what_was_written_through_one_process_is_read_through_any(large):
    problems: list[str] = []

    def write_and_read(number: int) -> None:
        seen = 0
        for n in range(1, ROUNDS):
            path = f"/api/state/Large/writer{number}/n"
            status, _, headers = large.request("PUT", path, b"%d" % n)
            written = int(headers["nola-revision"])
            if status != 200:
                problems.append(f"{path} {n}: {status}")
            for other in range(WRITERS):  # each over a connection of its own, so by any process
                _, body, headers = large.request("GET", f"/api/state/Large/writer{other}/n")
                revision = int(headers["nola-revision"])
                if other == number and (int(body), revision >= written) != (n, True):
                    problems.append(f"{path}: {body!r} at {revision}, after {n} in {written}")
                if revision < seen:
                    problems.append(f"{path}: {revision} after {seen}")
                seen = max(seen, revision)
            _, item, _ = large.request("GET", f"/api/state/Large/writer{number}/list/2999")
            if item != b"2999":
                problems.append(f"{path}: item {item!r}")

    threads = [threading.Thread(target=write_and_read, args=[number]) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    body = json.loads(large.request("GET", "/api/state/Large")[1])
    assert [body[f"writer{n}"]["n"] for n in range(WRITERS)] == [ROUNDS - 1] * WRITERS
