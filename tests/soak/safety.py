"""`make soak`: sudden deaths and damaged bytes, many times over. CI runs a tenth of each count (tests/test_safety.py).

Every figure that is printed is a promise kept so many times; the first one that is not stops the run with its seed.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.server import KEY, Server, manage, running

TABLES = ["state_revision", "state_change", "state_storage", "conversation", "conversation_history"]
KILLS, FLIPS = 100, 200
LEAVES = 50  # that a writer goes round


class Writers:
    """Threads that write until the server dies, and remember what was acknowledged."""

    def __init__(self, server: Server, count: int = 4) -> None:
        self.acknowledged: dict[str, int] = {}
        self.threads = [threading.Thread(target=self.write, args=(server, f"W{number}")) for number in range(count)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(timeout=60)
            assert not thread.is_alive()

    def write(self, server: Server, name: str) -> None:
        connection = server.connect()
        headers = {"Authorization": f"Bearer {KEY}"}
        for number in itertools.count(1):
            try:
                connection.request("PUT", f"/api/state/{name}/n{number % LEAVES}", str(number), headers)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                return  # the server has died
            if response.status in (200, 201):
                self.acknowledged[f"{name}/n{number % LEAVES}"] = number


def sudden_deaths(folder: Path, rounds: int, chance: random.Random, say: Callable[[str], None]) -> None:
    """SIGKILL at random moments while it writes and keeps: doctor is clean, and no acknowledged write is gone."""
    data = folder / "killed"
    with running(data) as server:
        for number in range(1, rounds + 1):
            writers = Writers(server)
            writers.start()
            while not writers.acknowledged:
                time.sleep(0.01)
            keeping = threading.Thread(target=keep, args=(server,))
            keeping.start()
            time.sleep(chance.uniform(0, 0.4))
            server.kill()
            writers.join()
            keeping.join(timeout=60)
            server.start()
            for address, at_least in writers.acknowledged.items():
                stored = int(server.request("GET", f"/api/state/{address}")[1])
                assert stored in (
                    at_least,
                    at_least + LEAVES,
                )  # the one in flight may have made it, (number, address, at_least, stored)
            result = manage(data, "doctor", "--json")
            assert result.returncode == 0, (number, result.stdout, result.stderr)
            say(f"{number} sudden deaths, {sum(map(bool, writers.acknowledged.values()))} leaves checked")


def keep(server: Server) -> None:
    with contextlib.suppress(Exception):  # the server dies in the middle of it
        server.request("POST", "/api/checkpoints", b"{}")


def contents(database: Path) -> dict[str, list[tuple]]:
    """Every row of the memory, or nothing where it cannot be read."""
    with contextlib.closing(sqlite3.connect(database)) as opened:
        return {table: opened.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES}


def store(folder: Path) -> Path:
    """A data directory of a server that was killed, so that its -wal holds much of the memory."""
    data = folder / "healthy"
    chats = folder / "chats" / "Stimuli" / "conversations"
    chats.mkdir(parents=True)
    turns = [
        {"timestamp": f"2026-01-10T09:00:{n:02}", "user": f"hello {n}", "assistant": "good morning"} for n in range(20)
    ]
    chat = {"session_id": "talk", "channel": "x", "started": "2026-01-10T09:00:00", "turns": turns}
    (chats / "one.json").write_text(json.dumps(chat))
    with running(data) as server:
        assert manage(data, "importlegacy", str(folder / "chats")).returncode == 0
        for number in range(60):
            server.request("PUT", f"/api/state/Log/n{number}", json.dumps({"text": "x" * 50, "n": number}).encode())
        assert manage(data, "checkpoint", "create", "mine").returncode == 0
        assert manage(data, "backup").returncode == 0
        server.stop()
        server.start()
        for number in range(30):
            server.request("PUT", f"/api/state/Later/n{number}", str(number).encode())
        server.kill()
    return data


def damage(path: Path, chance: random.Random) -> str:
    """Flip a bit of a file, or cut it off. Returns what was done."""
    whole = path.read_bytes()
    if chance.random() < 0.25:
        length = chance.randrange(len(whole))
        path.write_bytes(whole[:length])
        return f"{path.name} cut to {length}"
    place, bit = chance.randrange(len(whole)), chance.randrange(8)
    path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
    return f"{path.name} bit {bit} of byte {place}"


def damaged_bytes(folder: Path, rounds: int, chance: random.Random, say: Callable[[str], None]) -> None:
    """A changed byte, or a cut, in database, -wal, checkpoint or backup: found, or nothing of the memory differs."""
    healthy = store(folder)
    whole = shutil.copytree(healthy, folder / "whole")
    manage(whole, "doctor")  # opens and closes it: the -wal goes into the database
    expected = contents(whole / "db" / "nola.sqlite3")
    found = {"database": 0, "wal": 0, "checkpoint": 0, "backup": 0}
    rounds_of = dict.fromkeys(found, 0)
    for number in range(1, rounds + 1):
        data = folder / "damaged"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(healthy, data)
        kind = list(found)[number % 4]
        what = damage(file_of(data, kind), chance)
        rounds_of[kind] += 1
        noticed = manage(data, "doctor").returncode != 0
        found[kind] += noticed
        if not noticed:
            assert is_whole(data, kind, expected, "cut" in what), f"{what}: not noticed, and the memory is another one"
        say(f"{number} damaged files, noticed {found} of {rounds_of}; in the others nothing of the memory differed")


def file_of(data: Path, kind: str) -> Path:
    if kind == "checkpoint":
        return data / "checkpoints" / "mine.json"
    if kind == "backup":
        return next((data / "backups").glob("*.sqlite3"))
    return data / "db" / ("nola.sqlite3-wal" if kind == "wal" else "nola.sqlite3")


def is_whole(data: Path, kind: str, expected: dict[str, list[tuple]], was_cut: bool) -> bool:
    if kind in ("checkpoint", "backup"):
        return True  # doctor has verified it whole; the memory itself was not touched
    now = contents(data / "db" / "nola.sqlite3")
    missing = len(expected["state_revision"]) - len(now["state_revision"])
    # The last transaction of a -wal may be one that a power cut broke off; a -wal that is cut short is a shorter -wal.
    return now == expected or (kind == "wal" and (missing == 1 or was_cut) and is_beginning(now, expected))


def is_beginning(now: dict[str, list[tuple]], expected: dict[str, list[tuple]]) -> bool:
    """Whether the memory is as it was at some revision."""
    revisions = now["state_revision"]
    return expected["state_revision"][: len(revisions)] == revisions


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Sudden deaths and damaged bytes, many times over.")
    parser.add_argument("--part", type=int, default=1, help="do one n-th of it")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(argv)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    sys.stdout.write(f"seed {seed}\n")
    with tempfile.TemporaryDirectory(prefix="nola-soak-") as folder:
        damaged_bytes(Path(folder), FLIPS // options.part, chance, progress)
        sys.stdout.write("\n")
        sudden_deaths(Path(folder), KILLS // options.part, chance, progress)
    sys.stdout.write("\nAll kept.\n")


def progress(text: str) -> None:
    sys.stdout.write(f"\r\033[K{text}" if sys.stdout.isatty() else f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
