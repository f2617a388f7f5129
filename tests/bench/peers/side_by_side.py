"""Nola beside what one might take instead: the same operations, sizes and clients, in rounds that take turns.

A peer that has no leaves gets the whole key; one that lacks an operation is left out of that row.
"""

import contextlib
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import NamedTuple

from tests.bench import databases, servers
from tests.bench.load import NUMBER, Case, Load, document, drive, interleave, numbered
from tests.bench.peers import kinto
from tests.bench.raw_sqlite import RawSQLite, raw_sqlite
from tests.bench.servers import Target, repeat
from tests.bench.table import Table, number, progress, spread
from tests.bench.targets import Targets

CROWD = 64
MADE = (200, 201)
GET, PUT, PATCH, APPEND, SEARCH, UNCHANGED = "GET key", "PUT leaf", "PATCH", "append", "search", "304"
LEAF = "GET leaf"
FOUR = (GET, LEAF, PUT, PATCH)


class Group(NamedTuple):
    """Rows that are measured on the same stores: `keys` documents, and messages where there are any."""

    kilobytes: int
    keys: int
    rows: tuple[tuple[str, int], ...]  # operation, clients
    messages: int = 0


FULL = [
    Group(1, CROWD, tuple(product(FOUR, [8]))),
    Group(18, CROWD, (*product((GET, LEAF, PUT), [1, 8, CROWD]), (UNCHANGED, 8), (PATCH, 8))),
    Group(1_000, 1, tuple(product(FOUR, [1]))),
    Group(5_000, 1, tuple(product(FOUR, [1]))),
    Group(1, 1, ((APPEND, 8), (SEARCH, 8)), messages=2_000),
]
QUICK = [Group(18, 8, tuple(product((*FOUR, UNCHANGED, APPEND, SEARCH), [8])), messages=100)]

# Of each peer its calls: method, path and body. {n} is the number of a client's key, DOCUMENT what is stored first.
DOCUMENT = b"<document>"
VALUE = b'{"n":' + NUMBER + b"}"
MEMBER = b'{"k00003":' + VALUE + b"}"
MESSAGE = b'{"speaker":"user","message":"a few words about number ' + NUMBER + b'"}'
Calls = dict[str, tuple]
NOLA: Calls = {
    "store": ("PUT", "/api/state/Doc{n}", DOCUMENT),
    GET: ("GET", "/api/state/Doc{n}"),
    LEAF: ("GET", "/api/state/Doc{n}/k00003"),
    PUT: ("PUT", "/api/state/Doc{n}/k00003", VALUE),
    PATCH: ("PATCH", "/api/state/Doc{n}", MEMBER),
    APPEND: ("POST", "/api/conversations/talk-{n}/messages", MESSAGE),
    SEARCH: ("GET", "/api/search?in=messages&q=words&limit=20"),
}
FASTAPI: Calls = {
    "store": ("PUT", "/state/Doc{n}", DOCUMENT),
    GET: ("GET", "/state/Doc{n}"),
    LEAF: ("GET", "/state/Doc{n}/k00003"),
    PUT: ("PUT", "/state/Doc{n}/k00003", VALUE),
    PATCH: ("PATCH", "/state/Doc{n}", MEMBER),
    APPEND: ("POST", "/messages/talk-{n}", MESSAGE),
    SEARCH: ("GET", "/search?q=words"),
}
RECORD, TALK = f"{kinto.COLLECTIONS}/state{{n}}/records/Doc", f"{kinto.COLLECTIONS}/talk{{n}}/records"
KINTO: Calls = {
    "store": ("PUT", RECORD, b'{"data":' + DOCUMENT + b"}"),
    GET: ("GET", RECORD),
    LEAF: ("GET", RECORD),
    PUT: ("PATCH", RECORD, b'{"data":' + MEMBER + b"}"),
    PATCH: ("PATCH", RECORD, b'{"data":' + MEMBER + b"}"),
    APPEND: ("POST", TALK, b'{"data":' + MESSAGE + b"}"),
    SEARCH: ("GET", f"{TALK}?like_message=*words*&_limit=20"),
}
EMPTY: Calls = {GET: ("GET", "/")}

# Of each peer, why it is faster where it is: in reads, in writes, in search.
UNCHECKED = "It checks no API key"
UNRANKED = "Its search takes the first 20 texts with these letters in them: there are no words, and nothing is ranked."
ON_POSTGRES = "Nola on PostgreSQL"
WHY = {
    ON_POSTGRES: (
        "PostgreSQL reads in processes of its own.",
        "PostgreSQL writes in processes of its own.",
        "PostgreSQL searches in processes of its own.",
    ),
    "empty WSGI": ("It does nothing: no key is checked and nothing is read.", "", ""),
    "empty ASGI": ("It does nothing, in one event loop without threads.", "", ""),
    "FastAPI + sqlite3": (
        f"{UNCHECKED}, and its answers have no tag and no revision.",
        "It keeps no history: no revision, no patch, no author and no hashes; one statement where Nola has four.",
        UNRANKED,
    ),
    "JSON files": (
        f"{UNCHECKED}, and reads a file that the system has in memory.",
        "It keeps no history, and each file has a lock of its own, so that several are synced at once.",
        UNRANKED,
    ),
    "TinyDB": (
        f"{UNCHECKED}, and one process has all of it in one small file.",
        "It does not sync: what it has answered may be gone after a power cut. It keeps no history.",
        UNRANKED,
    ),
    "Kinto": (
        "PostgreSQL reads in processes of its own.",
        "PostgreSQL syncs what several clients write at once (group commit); Kinto's history is an option, and off.",
        f"It looks through the messages of one client. {UNRANKED}",
    ),
    "raw SQLite": (
        "It is in the process that asks: no request, no answer, no API key.",
        "It is one loop without requests, checks and patches: the floor under what Nola writes.",
        "",
    ),
}
NOTE = (
    "Requests a second, and by how much the rounds differ; in the second table CPU of all of the server's processes, in"
    " ms a request. **Bold** is faster than Nola in every round. FastAPI has two workers in front of a table, or of a"
    " folder of files that are replaced by synced new ones, and one in front of TinyDB, which syncs nothing. Kinto on"
    " the same PostgreSQL as Nola, under gunicorn with two workers, has no leaves: it answers with the key, and takes a"
    " leaf by PATCH. SQLite by itself is one loop in one process. Only Nola and Kinto check who asks, and only Nola"
    " keeps a history."
)


def run(groups: list[Group], rounds: int = 3, seconds: float = 0.6) -> list[Table]:
    """Requests a second, CPU a request, and what is held against Kinto."""
    titles = ("operation", "size", "clients", "Nola", *WHY)
    rates = Table("Side by side: requests a second", *titles, widths=(10, 10, 9, *[20] * len(titles)))
    found: list[tuple[tuple[str, str, str], dict[str, list[Load]]]] = []
    skipped: list[str] = []
    for group in groups:
        with contextlib.ExitStack() as stack:
            peers = dict(open_peers(stack, group, skipped))
            for operation, clients in group.rows:
                cases = [Case(name, run) for name, peer in peers.items() if (run := make(peer, operation, clients))]
                failed: dict[str, str] = {}
                loads = interleave(cases, rounds, seconds, failed)
                if "Nola" in failed:
                    raise SystemExit(failed["Nola"])
                labels = (operation, f"{group.kilobytes:,} kB" if operation in (*FOUR, UNCHANGED) else "", str(clients))
                found.append((labels, loads))
                rates.add(*labels, *(show_rate(loads.get(name), loads["Nola"]) for name in ("Nola", *WHY)))
                for name, why in failed.items():
                    skipped.append(f"{name} failed at {operation} with {clients} clients: {why.splitlines()[0]}.")
    cpu = Table("Side by side: CPU", *titles, widths=rates.widths)
    for labels, loads in found:
        cpu.add(*labels, *(show_cpu(loads.get(name)) for name in ("Nola", *WHY)))
    explain(rates, [(labels[0], loads) for labels, loads in found])
    beside = hold_beside_kinto(found)
    for why in dict.fromkeys(skipped):
        rates.note(why)
    return [rates, cpu, beside]


def hold_beside_kinto(found: list[tuple[tuple[str, str, str], dict[str, list[Load]]]]) -> Table:
    """Reads and writes of Nola beside those of Kinto, on the same PostgreSQL."""
    targets = Targets("Nola and Kinto on the same PostgreSQL")
    for (operation, size, clients), loads in found:
        if operation in (GET, LEAF, PUT) and {ON_POSTGRES, "Kinto"} <= loads.keys():
            ours, theirs = ([load.per_second for load in loads[name]] for name in (ON_POSTGRES, "Kinto"))
            name = f"{operation}, {size}, clients: {clients}"
            targets.hold(name, ours, "/s", 10, theirs, "Kinto", at_least=True)
    return targets.table


def show_rate(loads: list[Load] | None, nola: list[Load]) -> str:
    if not loads:
        return "-"
    middle, low, high = spread(load.per_second for load in loads)
    text = f"{number(middle)} ±{(high - low) / 2 / middle:.0%}"
    return f"**{text}**" if is_faster(loads, nola) else text


def show_cpu(loads: list[Load] | None) -> str:
    return str(spread(load.cpu_ms for load in loads)) if loads else "-"


def is_faster(loads: list[Load], nola: list[Load]) -> bool:
    """In every round: the slowest of these is faster than the fastest of Nola."""
    return loads is not nola and min(load.per_second for load in loads) > max(load.per_second for load in nola)


def explain(table: Table, found: list[tuple[str, dict[str, list[Load]]]]) -> None:
    """Say of each peer that is faster somewhere why it is so there."""
    table.note(NOTE)
    kinds = ((GET, LEAF, UNCHANGED), (PUT, PATCH, APPEND), (SEARCH,))
    for name, reasons in WHY.items():
        faster = {operation for operation, loads in found if name in loads and is_faster(loads[name], loads["Nola"])}
        why = [text for kind, text in zip(kinds, reasons, strict=True) if text and faster & {*kind}]
        if why:
            table.note(f"{name}, where it is faster: {' '.join(why)}")


# The peers


class Peer(NamedTuple):
    target: Target
    calls: Calls


def open_peers(stack: contextlib.ExitStack, group: Group, skipped: list[str]) -> Iterator[tuple[str, Peer | RawSQLite]]:
    """All of them, each with the documents and messages of the group; those that cannot be had are noted."""
    progress("starting the peers")
    yield "Nola", filled(Peer(stack.enter_context(servers.nola())[0], NOLA), group)
    yield "empty WSGI", Peer(stack.enter_context(servers.empty("wsgi")), EMPTY)
    yield "empty ASGI", Peer(stack.enter_context(servers.empty("asgi")), EMPTY)
    for name, store, workers in (("FastAPI + sqlite3", "SQLite", 2), ("JSON files", "Files", 2), ("TinyDB", "Tiny", 1)):
        yield name, filled(Peer(stack.enter_context(servers.fastapi(store, workers)), FASTAPI), group)
    try:
        stack.enter_context(databases.on_postgres())
        target = stack.enter_context(servers.nola())[0]
        yield ON_POSTGRES, filled(Peer(target._replace(pids=(*target.pids, *databases.find_pids())), NOLA), group)
        collections = [f"{kind}{n}" for kind in ("state", "talk") for n in range(CROWD)]
        yield "Kinto", filled(Peer(stack.enter_context(kinto.kinto(collections)), KINTO), group)
    except (RuntimeError, kinto.Missing) as missing:
        skipped.append(f"Left out: {missing}.")
    yield "raw SQLite", stack.enter_context(raw_sqlite(group.kilobytes))


def filled(peer: Peer, group: Group) -> Peer:
    progress(f"filling {peer.calls[GET][1]}")
    method, path, body = peer.calls["store"]
    text = document(group.kilobytes)
    for n in range(group.keys):
        peer.target.ask(peer.target.request(method, path.replace("{n}", str(n)), body.replace(DOCUMENT, text)))
    if group.messages:
        requests = [numbered(sent) for sent in build(peer, APPEND, 8)]
        drive(peer.target.port, (), requests, seconds=600, count=group.messages, expected=MADE)
    return peer


def build(peer: Peer, operation: str, clients: int) -> list[bytes]:
    """The request of each client; none where the peer has no such thing."""
    if operation == UNCHANGED:
        return unchanged(peer, clients)
    if operation not in peer.calls:
        return []
    method, path, *body = peer.calls[operation]
    headers = {"Content_Type": "application/merge-patch+json"} if method == "PATCH" and peer.calls is NOLA else {}
    return [peer.target.request(method, path.replace("{n}", str(n)), *body, **headers) for n in range(clients)]


def unchanged(peer: Peer, clients: int) -> list[bytes]:
    """Requests for the first key that are answered with 304, if it has a tag."""
    if peer.calls is EMPTY:
        return []
    path = peer.calls[GET][1].replace("{n}", "0")
    etag = peer.target.ask(peer.target.request("GET", path))[0].headers["ETag"]
    return [peer.target.request("GET", path, If_None_Match=etag)] * clients if etag else []


def make(peer: Peer | RawSQLite, operation: str, clients: int) -> partial[Load] | None:
    """What measures an operation for so many seconds; None where the peer has no such thing."""
    if isinstance(peer, RawSQLite):
        act = {GET: "get", PUT: "put"}.get(operation)
        return partial(peer.drive, act) if act else None
    requests = [numbered(sent) if NUMBER in sent else repeat(sent) for sent in build(peer, operation, clients)]
    expected = (304,) if operation == UNCHANGED else MADE

    def run(seconds: float) -> Load:
        return drive(peer.target.port, peer.target.pids, requests, seconds=seconds, expected=expected)

    return partial(run) if requests else None
