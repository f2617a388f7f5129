"""Bodies of at most 16 MB that are meant to cost as much as they can, for every call that takes one.

`CASES` has, by name, the requests of each: the first ones lay what the last one is about. Those of `LONG` are as
costly, of a kind that another one stands for: they are for `make soak`.
"""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

MB = 1 << 20
SIZE = 16 * MB - 64
JSON, JSON_PATCH, MERGE_PATCH = "application/json", "application/json-patch+json", "application/merge-patch+json"
KEY, MESSAGES, IMPORT = "/api/state/K", "/api/conversations/talk/messages", "/api/conversations/import"
MOST = 999_990  # values, of what is to be taken


class Sent(NamedTuple):
    method: str
    path: str
    body: bytes = b""
    media_type: str = JSON


def array(item: str, count: int | None = None) -> bytes:
    count = SIZE // (len(item) + 1) if count is None else count
    return ("[" + ",".join([item] * count) + "]").encode()


def wide(count: int, value: str = "0") -> bytes:
    return ("{" + ",".join(f'"{n:x}":{value}' for n in range(count)) + "}").encode()


def nest(mark: str, end: str, depth: int, core: str = "0") -> str:
    return mark * depth + core + end * depth


def text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def put(body: bytes) -> Sent:
    return Sent("PUT", KEY, body)


def patch(*ops: dict[str, Any]) -> Sent:
    return Sent("PATCH", KEY, text(ops), JSON_PATCH)


def post(path: str, body: bytes) -> Sent:
    return Sent("POST", path, body)


def query(path: str) -> Sent:
    return Sent("GET", f"/api/query?path={quote(path)}")


def transaction(*operations: dict[str, Any]) -> Sent:
    return post("/api/transactions", text({"operations": operations}))


def zipped(*members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, member in enumerate(members):
            archive.writestr(f"conversations-{number}.json", member)
    return out.getvalue()


def lines(count: int, **more: Any) -> bytes:
    return b"\n".join(text({"role": "user", "text": "x", "id": n, **more}) for n in range(count))


def moves(count: int, **members: Any) -> list[dict[str, Any]]:
    return [{"op": "move", "from": "/1", "path": "/0", **members}] * count


def chain_of_empty_nodes() -> bytes:
    said = {"message": {"author": {"role": "user"}, "content": {"parts": ["x"]}}, "parent": "9999"}
    silent = {str(n): {"parent": str(n - 1)} for n in range(10_000)}
    return text([{"mapping": silent | {f"m{n}": said for n in range(50_000)}}])


ROW = {"model": "state.stateentry", "fields": {"value_json": 0}}
SAID = {"role": "user", "content": "x"}
MESSAGE = {"speaker": "user", "message": "x"}

CASES: dict[str, Callable[[], list[Sent]]] = {
    # One body
    "many empty arrays": lambda: [put(array("[]"))],
    "many empty texts": lambda: [put(array('""'))],
    "many deep arrays": lambda: [put(array(nest("[", "]", 98, "")))],
    "as many values as are taken": lambda: [put(array("[]", MOST))],
    "as many members as are taken": lambda: [put(wide(MOST))],
    "one array without an end": lambda: [put(b"[" * SIZE)],
    "an integer without an end": lambda: [put(b"9" * SIZE)],
    "integers of 4,300 digits": lambda: [put(array("9" * 4300))],
    "numbers with many places": lambda: [put(array("0.1234567890123456"))],
    "numbers with an exponent": lambda: [put(array("1e-300", MOST))],
    "a zero of many places": lambda: [put(b"0." + b"0" * SIZE)],
    "a text of escapes": lambda: [put(b'"' + rb"\u0041" * (SIZE // 6 - 1) + b'"')],
    "a text of quotes and commas": lambda: [put(b'["' + rb"\"," * (SIZE // 3 - 3) + b'"]')],
    "one name again and again": lambda: [put(b"{" + b'"a":0,' * 900_000 + b'"a":0}')],
    "wrong at the very end": lambda: [put(array("0", 900_000)[:-1] + b",NaN]")],
    "a text without a space, and a search of it": lambda: [
        put(text("中文记忆和上下文" * 200_000)),
        Sent("GET", f"/api/search?q={quote('下*')}&limit=50"),
    ],
    "a message without a space, and a search of it": lambda: [
        post("/api/conversations/long/messages", text({**MESSAGE, "message": 'q"\\\x01é😀' * 100_000})),
        Sent("GET", "/api/search?q=q*&limit=50"),
    ],
    # Patches
    "a copy into itself": lambda: [put(b'{"a":[]}'), patch(*[{"op": "copy", "from": "/a", "path": "/a/-"}] * 30)],
    "copies that are removed again": lambda: [
        put(b'{"a":' + array("[]", 400_000) + b"}"),
        patch(*[{"op": "copy", "from": "/a", "path": "/b"}, {"op": "remove", "path": "/b"}] * 2000),
    ],
    "tests of a large array": lambda: [
        put(array("0", 300_000)),
        patch(*[{"op": "test", "path": "/0", "value": 0}] * 10_000),
    ],
    "moves in a large array": lambda: [put(array("0", MOST)), patch(*moves(64))],
    "moves in a large object": lambda: [put(wide(MOST)), patch(*moves(64, position=9))],
    "a value that moves out of its parents": lambda: [
        put((nest('{"a":', "}", 90, array("[]", 160_000).decode())).encode()),
        patch(*[{"op": "move", "from": "/a/a", "path": "/a"}] * 85),
    ],
    "a document that grows by operations": lambda: [
        put(b"[]"),
        patch(*[{"op": "add", "path": "/-", "value": "x" * 1500}] * 10_000),
    ],
    "a merge patch of all members": lambda: [put(wide(900_000)), Sent("PATCH", KEY, wide(900_000, "1"), MERGE_PATCH)],
    "a merge patch that removes": lambda: [
        put(wide(MOST)),
        Sent("PATCH", KEY, text({f"{n:x}": None for n in range(16)}), MERGE_PATCH),
    ],
    # What is compared with what is stored
    "an object in place of another": lambda: [put(wide(MOST)), put(text({f"{n:012x}": 0 for n in range(900_000)}))],
    "deep objects in place of many members": lambda: [put(wide(MOST)), put(array(nest('{"a":', "}", 97), 10_000))],
    "lists of which every item has moved": lambda: [
        put(text({str(n): [i * 3 for i in range(1000)] for n in range(900)})),
        put(text({str(n): [i * 7 % 3000 for i in range(1000)] for n in range(900)})),
    ],
    # Other calls
    "operations of a transaction": lambda: [
        transaction(
            {"op": "put", "pointer": "/K", "value": [0] * 900_000}, *[{"op": "delete", "pointer": "/K/0"}] * 127
        )
    ],
    "patches of a transaction": lambda: [
        transaction(
            {"op": "put", "pointer": "/K", "value": [0] * 900_000},
            *[{"op": "patch", "pointer": "/K", "patch": [{"op": "replace", "path": "/9", "value": 1}] * 60}] * 127,
        )
    ],
    "a restore of many keys": lambda: [
        post("/api/state/restore", text([ROW | {"pk": f"k{n}"} for n in range(150_000)]))
    ],
    "an undo of revisions that cannot be": lambda: [post("/api/undo", text({"revisions": [10**4000] * 3000}))],
    "sections of a context": lambda: [post("/api/context", text({"pointers": ["/" * 4000] * 4000}))],
    "a context of deep objects": lambda: [
        put(array(nest('{"a":', "}", 97), 10_000)),
        post("/api/context", text({"budget": 1_000_000, "format": "markdown"})),
    ],
    "messages of one letter": lambda: [post(MESSAGES, text([MESSAGE] * 330_000))],
    "messages with metadata": lambda: [
        post(MESSAGES, text([MESSAGE | {"metadata": {"a": [[]] * 900}} for _ in range(1000)]))
    ],
    "a conversation with many messages": lambda: [
        post("/api/conversations", text({"session_id": "talk", "messages": [MESSAGE] * 330_000}))
    ],
    "a checkpoint of one key": lambda: [put(b"1"), post("/api/checkpoints", text({"keys": ["K"] * 900_000}))],
    "a query for everything of everything": lambda: [put(array('{"a":0}', 300_000)), query("$..[?count($..*)>1]")],
    "a query that compares the whole": lambda: [put(wide(600_000)), query("$..[?@==$]")],
    "a regular expression": lambda: [put(text(["a" * 5000] * 1000)), query("$..[?search(@,'(a|a)*(a|a)*(a|a)*b')]")],
    "search for many words": lambda: [Sent("GET", "/api/search?q=" + "a*%20" * 12_000)],
    # Imports of chats
    "lines of messages": lambda: [post(IMPORT, lines(300_000))],
    "lines that are no JSON": lambda: [post(IMPORT, b'{"role":"user","text":"x"}\n' + b"{\n" * (7 * MB))],
    "lines that nest": lambda: [post(IMPORT, lines(3, a=json.loads(nest("[", "]", 900))))],
    "a line that nests without end": lambda: [post(IMPORT, b'{"a":' + b"[" * (SIZE - 5))],
    "a message of many values": lambda: [post(IMPORT, b'{"role":"user","text":"x","a":' + array("[]")[: 15 * MB])],
    "an array of empty arrays": lambda: [post(IMPORT, array("[]"))],
    "nothing but blanks": lambda: [post(IMPORT, b"[" + b" " * SIZE + b"]")],
    "a chat of ChatGPT with a long chain": lambda: [post(IMPORT, chain_of_empty_nodes())],
    "a chat with many messages": lambda: [post(IMPORT, text([{"messages": [SAID] * 300_000}]))],
    "turns of the predecessor": lambda: [post(IMPORT, text([{"turns": [{"user": "x", "assistant": "y"}] * 150_000}]))],
    "many chats of one message": lambda: [
        post(
            IMPORT, text([{"session_id": str(n), "messages": [{"role": "user", "content": "x"}]} for n in range(9000)])
        )
    ],
    "a zip of eight": lambda: [post(IMPORT, zipped(*[array("[]", 4 * MB)] * 8))],
    "a zip of lines": lambda: [post(IMPORT, zipped(*[lines(12_000)] * 4))],
}

LONG = {
    "many deep arrays",
    "as many values as are taken",
    "numbers with an exponent",
    "moves in a large object",
    "a value that moves out of its parents",
    "a document that grows by operations",
    "a merge patch of all members",
    "an object in place of another",
    "operations of a transaction",
    "a context of deep objects",
    "a query that compares the whole",
    "lines of messages",
    "lines that are no JSON",
    "a chat with many messages",
    "many chats of one message",
}
