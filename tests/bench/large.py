"""A large store on PostgreSQL: rows made by SQL as an agent would have left them, then what calls of the API cost.

`python -m tests.bench.large 10000 1000000 10000000` measures at so many messages, in conversations of 1,000 that are
ten days long and begin one after the other; ten messages are a revision. The chain of hashes is not that of the rows,
and their words are not indexed.
"""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

from tests.bench import databases, fill, servers
from tests.bench.growth import Figures, Growth, anywhere, costs, titles
from tests.bench.growth import cost as cost_of
from tests.bench.load import NUMBER
from tests.bench.table import progress, say
from tests.server import ROOT, environment

TALK, TOGETHER = 1000, 10  # messages in a conversation, and in a revision
BEGIN = "timestamptz '2024-01-01'"
PICK = "mod(abs(hashint8(n * 64 + w)), w * 250)"  # some words are in many messages, most in few
WORD = f"chr(97 + {PICK} / 676) || chr(97 + mod({PICK} / 26, 26)) || chr(97 + mod({PICK}, 26)) || 'er'"
FILL = f"""
INSERT INTO conversation (session_id, title, channel, source, started, started_text, archived, metadata, user_id,
    revision)
SELECT 'large-' || n, 'Talk ' || n, 'chat', '', {BEGIN} + n * interval '1 hour', '', false, '{{}}', 'user', 1
FROM generate_series(%(first)s / {TALK}, %(last)s / {TALK} - 1) n;
INSERT INTO conversation_history (conversation_id, user_id, message, speaker, timestamp, timestamp_text, place,
    stimuli_type, status, metadata, revision)
SELECT c.id, 'user', (SELECT string_agg({WORD}, ' ') || ' n' || n FROM generate_series(1, 8 + mod(n, 32)) w),
    CASE mod(n, 2) WHEN 0 THEN 'user' ELSE 'assistant' END, at, '', extract(epoch FROM at) * 1000000, '', 'ok', '{{}}',
    %(seq)s + 1 + (n - %(first)s) / {TOGETHER}
FROM generate_series(%(first)s, %(last)s - 1) n
    JOIN conversation c ON c.session_id = 'large-' || n / {TALK},
    LATERAL (SELECT c.started + mod(n, {TALK}) * interval '14 minutes' + interval '1 microsecond' AS at) moment;
INSERT INTO state_revision (seq, at, actor, source, reason, info, chain)
SELECT %(seq)s + 1 + n, last_at + n * interval '1 millisecond', 'key:default', 'api', '', '{{}}', repeat('c', 43)
FROM state_meta, generate_series(0, (%(last)s - %(first)s) / {TOGETHER} - 1) n;
INSERT INTO state_change (revision, kind, key, forward, inverse, result_hash, salt, digest)
SELECT seq, 'message', 'large-' || (seq - %(seq)s - 1) * {TOGETHER} / {TALK} + %(first)s / {TALK},
    '{{"add":' || ids || '}}', '{{"remove":' || ids || '}}', repeat('h', 43), repeat('s', 22), repeat('d', 43)
FROM state_revision, LATERAL (SELECT '[' || string_agg((seq * 10 + n)::text, ',') || ']' AS ids
    FROM generate_series(0, {TOGETHER} - 1) n) added
WHERE seq > %(seq)s;
UPDATE state_meta SET (last_seq, last_at, last_chain) =
    (SELECT seq, at, chain FROM state_revision ORDER BY seq DESC LIMIT 1);
"""
TABLES = ("conversation_history", "state_change", "state_revision", "state_snapshot", "conversation")


def grow(url: str, data: Path, first: int, last: int) -> None:
    """From so many messages to so many, and a tenth as many edits of one key."""
    progress(f"adding {last - first:,} messages")
    with psycopg.connect(url, autocommit=False, cursor_factory=psycopg.ClientCursor) as database:
        seq = database.execute("SELECT last_seq FROM state_meta").fetchone()
        assert seq
        database.execute("SET synchronous_commit = off")
        database.execute(FILL, {"first": first, "last": last, "seq": seq[0]})
    command = [sys.executable, "-m", "tests.bench.fill", str(data), str((last - first) // 10)]
    subprocess.run(command, cwd=ROOT, env=environment(data, 8000, DATABASE_URL=url), check=True)
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("VACUUM ANALYZE")
        database.execute("CHECKPOINT")


def tell_sizes(url: str) -> str:
    """What the tables take on the disk, each with its indexes apart."""
    found = []
    with psycopg.connect(url) as database:
        for table in TABLES:
            sizes = "pg_table_size(%(t)s::regclass), pg_indexes_size(%(t)s::regclass), (SELECT count(*) FROM " + table
            row = database.execute(f"SELECT {sizes})", {"t": table}).fetchone()  # type: ignore[arg-type]
            assert row
            found.append(f"{table}: {row[2]:,} rows, {row[0] / 1e6:,.0f} MB and {row[1] / 1e6:,.0f} MB of indexes")
    return "; ".join(found)


def measure(counts: Sequence[int]) -> None:
    sizes: list[str] = []

    def columns() -> Iterator[Figures]:
        with tempfile.TemporaryDirectory(prefix="nola-bench-") as folder, databases.new() as settings:
            data, url, last = Path(folder) / "data", settings["DATABASE_URL"], 0
            with servers.nola(data, **settings):  # which prepares it
                pass
            for count in counts:
                grow(url, data, last, count)
                last = count
                sizes.append(f"{count:,} messages: {tell_sizes(url)}")
                yield measure_calls(data, settings, count)

    table = Growth("Growth of a store on PostgreSQL with its messages", titles(counts), counts).show(columns())
    for size in sizes:
        table.note(size)


def measure_calls(data: Path, settings: dict[str, str], count: int) -> Figures:
    """CPU of Nola and of PostgreSQL together, a request."""
    with servers.nola(data, **settings) as (target, _):
        target = target._replace(pids=(*target.pids, *databases.find_pids()))
        key, talk = f"/api/state/{fill.KEY}", f"/api/conversations/large-{count // TALK // 2}"
        head = int(target.ask(target.request("GET", key))[0].headers["Nola-Revision"])
        moments = random.Random(1)
        pages = (
            target.request("GET", f"/api/changes?since={moments.randint(1, head - 200)}&limit=100")
            for _ in iter(int, 1)
        )
        found = costs(
            target,
            GET_of_a_key=("GET", key),
            GET_of_a_leaf=("GET", f"{key}/k00070/n"),
            PUT_of_a_leaf=("PUT", f"{key}/k00070/n", NUMBER),
            append_a_message=("POST", f"{talk}/messages", b'{"speaker":"user","message":"' + NUMBER + b' words"}'),
            last_100_messages=("GET", f"{talk}/messages?order=newest&limit=100"),
            list_of_100_conversations=("GET", "/api/conversations"),
            history_page_of_100=("GET", f"/api/history/{fill.KEY}"),
            blame=("GET", f"/api/blame/{fill.KEY}"),
        )
        at = anywhere(target, f"{key}?at={{at}}", head)
        return found | {"?at= anywhere": cost_of(target, at, (200, 404)), "feed page of 100": cost_of(target, pages)}


if __name__ == "__main__":
    with databases.on_postgres(autovacuum="off"):  # else it begins when it likes, and counts
        measure([int(count) for count in sys.argv[1:]] or [10_000, 100_000])
    say(f"measured on {os.cpu_count()} cores; read it along the rows")
