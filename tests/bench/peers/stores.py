"""Three ways in which state is kept without us: a table, a folder of JSON files, TinyDB. None keeps a history."""

import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Change = Callable[[dict[str, Any]], dict[str, Any]]


class SQLite:
    """A connection for each call; WAL, and each commit is synced as ours are."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "peer.sqlite3"
        self.kept_open = self._connect()  # else the last one to close takes the WAL into the file, nearly each time
        self.kept_open.execute("PRAGMA journal_mode = WAL")
        self.kept_open.execute("CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        self.kept_open.execute("CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, session TEXT, value TEXT)")

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        database.execute("PRAGMA synchronous = FULL")
        return database

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        database = self._connect()
        try:
            yield database
        finally:
            database.close()

    def get(self, key: str) -> str:
        with self._database() as database:
            return database.execute("SELECT value FROM kv WHERE key = ?", [key]).fetchone()[0]

    def put(self, key: str, text: str) -> None:
        with self._database() as database:
            database.execute("INSERT OR REPLACE INTO kv VALUES (?, ?)", [key, text])

    def change(self, key: str, change: Change) -> None:
        with self._database() as database:
            database.execute("BEGIN IMMEDIATE")
            text = database.execute("SELECT value FROM kv WHERE key = ?", [key]).fetchone()[0]
            database.execute("UPDATE kv SET value = ? WHERE key = ?", [json.dumps(change(json.loads(text))), key])
            database.execute("COMMIT")

    def append(self, session: str, message: dict[str, Any]) -> None:
        with self._database() as database:
            database.execute("INSERT INTO message (session, value) VALUES (?, ?)", [session, json.dumps(message)])

    def search(self, word: str) -> list[Any]:
        with self._database() as database:
            found = database.execute("SELECT value FROM message WHERE value LIKE ? LIMIT 20", [f"%{word}%"])
            return [json.loads(text) for (text,) in found]


class Files:
    """A file for each key, replaced by a synced new one; a conversation is a file of lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def get(self, key: str) -> str:
        return (self.folder / f"{key}.json").read_text()

    def put(self, key: str, text: str) -> None:
        new = self.folder / f"{key}.{threading.get_ident()}-{os.getpid()}.new"
        with new.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.folder / f"{key}.json")
        directory = os.open(self.folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    def change(self, key: str, change: Change) -> None:
        with self._lock(key):
            self.put(key, json.dumps(change(json.loads(self.get(key)))))

    def append(self, session: str, message: dict[str, Any]) -> None:
        with self._lock(session), (self.folder / f"{session}.lines").open("a") as file:
            file.write(json.dumps(message) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def search(self, word: str) -> list[Any]:
        found = []
        for path in self.folder.glob("*.lines"):
            with path.open() as lines:
                for line in lines:
                    if word in line:
                        found.append(json.loads(line))
                        if len(found) == 20:
                            return found
        return found


class Tiny:
    """TinyDB as it comes: one file with all of it, written anew by each write, not synced, and good for one process."""

    def __init__(self, folder: Path) -> None:
        from tinydb import TinyDB, where

        self.where, self.lock = where, threading.Lock()
        self.database = TinyDB(folder / "tiny.json")
        self.messages = self.database.table("messages")

    def get(self, key: str) -> str:
        with self.lock:
            return json.dumps(self.database.get(self.where("key") == key)["value"])

    def put(self, key: str, text: str) -> None:
        with self.lock:
            self.database.upsert({"key": key, "value": json.loads(text)}, self.where("key") == key)

    def change(self, key: str, change: Change) -> None:
        with self.lock:
            value = self.database.get(self.where("key") == key)["value"]
            self.database.update({"value": change(value)}, self.where("key") == key)

    def append(self, session: str, message: dict[str, Any]) -> None:
        with self.lock:
            self.messages.insert({"session": session, **message})

    def search(self, word: str) -> list[Any]:
        with self.lock:
            return self.messages.search(self.where("message").test(lambda text: word in text))[:20]
