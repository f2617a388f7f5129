"""The floor under every write: SQLite by itself, with the bytes that a write of ours has, from one loop."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.load import Load, document

TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE entry (key TEXT PRIMARY KEY, value TEXT, created TEXT, updated TEXT, revision INTEGER);
CREATE TABLE revision (seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT, actor TEXT, source TEXT, reason TEXT,
    info TEXT, chain TEXT);
CREATE TABLE change (id INTEGER PRIMARY KEY AUTOINCREMENT, revision INTEGER, kind TEXT, key TEXT, forward TEXT,
    inverse TEXT, result_hash TEXT, salt TEXT, digest TEXT);
CREATE INDEX change_revision ON change (revision);
CREATE INDEX change_key ON change (kind, key, revision);
CREATE TABLE meta (id INTEGER PRIMARY KEY, last_seq INTEGER, last_at TEXT, last_chain TEXT);
INSERT INTO meta VALUES (1, 0, '', '');
"""
NOW, HASH, SALT = "2026-01-31 12:00:00.000000", "0" * 64, "s" * 22
PATCH = '[{"op":"replace","path":"/k00070/n","value":1000000000000000}]'


class RawSQLite:
    """One connection that commits like a `PUT` of a leaf: the entry, its change, its revision and the clock."""

    def __init__(self, folder: Path, kilobytes: float) -> None:
        self.database = sqlite3.connect(folder / "raw.sqlite3", isolation_level=None)
        self.database.executescript(TABLES)
        self.text = document(kilobytes).decode()
        self.seq = 0
        self.database.execute("INSERT INTO entry VALUES ('Doc0', ?, ?, ?, 0)", [self.text, NOW, NOW])

    def put(self) -> None:
        self.seq += 1
        run = self.database.execute
        run("BEGIN IMMEDIATE")
        run("UPDATE entry SET value = ?, updated = ?, revision = ? WHERE key = 'Doc0'", [self.text, NOW, self.seq])
        run("INSERT INTO revision VALUES (?, ?, 'key:default', 'api', '', '{}', ?)", [self.seq, NOW, HASH])
        row = [self.seq, "state", "Doc0", PATCH, PATCH, HASH, SALT, HASH]
        run("INSERT INTO change VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        run("UPDATE meta SET last_seq = ?, last_at = ?, last_chain = ? WHERE id = 1", [self.seq, NOW, HASH])
        run("COMMIT")

    def get(self) -> None:
        self.database.execute("SELECT value FROM entry WHERE key = 'Doc0'").fetchone()

    def drive(self, act: str, seconds: float) -> Load:
        """`put` or `get`, again and again for so long."""
        call, latencies = getattr(self, act), []
        used, started = time.process_time(), time.perf_counter()
        now = started
        while now - started < seconds or not latencies:
            call()
            latencies.append((time.perf_counter() - now) * 1000)
            now = time.perf_counter()
        return Load(len(latencies), now - started, sorted(latencies), time.process_time() - used)


@contextmanager
def raw_sqlite(kilobytes: float) -> Iterator[RawSQLite]:
    with TemporaryDirectory(prefix="nola-bench-raw-") as folder:
        raw = RawSQLite(Path(folder), kilobytes)
        with closing(raw.database):
            yield raw
