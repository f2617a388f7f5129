"""Writers in processes of their own, all on one database file, some of them killed while they write.

`python -m tests.writers NAME FILE` writes until it is killed, and notes in FILE, line by line, what it was told is
stored. `storm` runs many of them; `lost` says what of it is not there.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tests.server import ROOT, environment, manage

WRITERS = 6


class Acknowledged(NamedTuple):
    """A write that a writer was told is stored."""

    revision: int
    name: str
    number: int
    how: str


def storm(data: Path, kills: int, seed: int = 0) -> list[Path]:
    """Let writers write while one after another is killed; the files with what they were told is stored."""
    chance = random.Random(seed)
    notes = data.parent / "notes"
    notes.mkdir(exist_ok=True)
    prepare(data)
    names = iter(f"w{number}" for number in range(WRITERS + kills))
    running = [start(data, next(names), notes) for _ in range(WRITERS)]
    try:
        for _ in range(kills):
            wait_for(running, notes)
            time.sleep(chance.uniform(0.01, 0.3))
            victim = running.pop(chance.randrange(len(running)))
            victim.kill()
            victim.wait()
            running.append(start(data, next(names), notes))
        wait_for(running, notes)
    finally:
        for writer in running:
            writer.kill()
            writer.wait()
    return sorted(notes.glob("*.txt"))


def prepare(data: Path) -> None:
    """A new database with the key that all writers share."""
    code = f"from nola_site.safety import first_run; first_run.prepare()\n{PREPARE}"
    output = manage(data, "shell", "-v", "0", "-c", code)
    if output.returncode:
        raise AssertionError(output.stderr)


PREPARE = """
from state import store
from state.jsondoc.text import make_document
from state.revisions import Author, Source
shared = {"list": [], "leaves": {}, "based": {}, "merged": {}, "pairs": {}}
documents = {"Shared": make_document(shared), "Twin": make_document({"pairs": {}})}
store.put_keys(documents, Author("system:test", Source.SEED))
"""


def start(data: Path, name: str, notes: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.soak.writers", name, str(notes / f"{name}.txt")]
    with (notes / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment(data, 8000), stdout=log, stderr=log)


def wait_for(running: list[subprocess.Popen[bytes]], notes: Path) -> None:
    """Until each of them has written something. Fails if one has ended by itself, because a write failed."""
    for writer in running:
        name = writer.args[3]
        while writer.poll() is None and not _has_written(notes / f"{name}.txt"):
            time.sleep(0.02)
        if writer.poll() is not None:
            raise AssertionError(f"{name} ended by itself:\n{(notes / f'{name}.log').read_text()}")


def _has_written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def acknowledged(notes: list[Path]) -> list[Acknowledged]:
    lines = [line for path in notes for line in path.read_text().split("\n")[:-1]]  # a last line may be cut off
    return [Acknowledged(*json.loads(line)) for line in lines]


def write_on(name: str, notes: Path) -> None:
    """Write in every way there is, as one of many: to a leaf of its own, to a list and an object that all share."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nola_site.settings")
    import django

    django.setup()
    from state import store, transactions
    from state.address import Address
    from state.jsondoc.text import make_document
    from state.revisions import Author, Source

    author = Author(f"key:{name}", Source.API)
    shared = Address("Shared")
    ways = {
        "put": lambda n, base: store.put(Address("Shared", ("leaves", name)), make_document(n), author),
        "based": lambda n, base: store.put(Address("Shared", ("based", name)), make_document(n), author, base=base),
        "append": lambda n, base: store.patch(
            shared, [{"op": "add", "path": "/list/-", "value": f"{name}-{n}"}], author
        ),
        "merge": lambda n, base: store.merge(shared, {"merged": {name: n}}, author),
        "own": lambda n, base: store.put(Address(f"Own-{name}", (str(n % 5),)), make_document(n), author),
        "both": lambda n, base: store.commit(transactions.plan(_both(transactions, name, n)), author),
    }
    seen = store.head()
    with notes.open("a", buffering=1) as file:
        for number in range(1, 10**9):
            how = list(ways)[number % len(ways)]
            seen = ways[how](number, seen).revision
            file.write(json.dumps([seen, name, number, how]) + "\n")


def _both(transactions, name, number):
    operations = [("Shared", "pairs"), ("Twin", "pairs")]
    pointers = [f"/{key}/{member}/{name}" for key, member in operations]
    return transactions.check([{"op": "put", "pointer": pointer, "value": number} for pointer in pointers])


CHECK = """
import json
from state import chain
from state.jsondoc.patch import NOTHING, replay_ops
from state.jsondoc.text import dump_json
from state.models import Change, Revision, StateEntry, StoreMeta
from django.db import connection
found, link, documents, last = [], "", {}, 0
changes = {}
for change in Change.objects.order_by("id"):
    changes.setdefault(change.revision_id, []).append(change)
for row in Revision.objects.order_by("seq"):
    mine = changes.pop(row.seq, [])
    if row.seq != last + 1:
        found.append(f"revision {last + 1} is missing")
    for c in mine:
        texts = dump_json(c.forward), dump_json(c.inverse)
        if not chain.is_same(c.digest, chain.digest_change(c.salt, c.kind, c.key, *texts, c.result_hash)):
            found.append(f"the digest of change {c.id} is wrong")
        documents[c.key] = replay_ops(documents.get(c.key, NOTHING), c.forward)
    if not chain.is_same(row.chain, chain.link_revision(link, row, [c.digest for c in mine])):
        found.append(f"the link of revision {row.seq} is wrong")
    link, last = row.chain, row.seq
meta = StoreMeta.objects.get()
if (meta.last_seq, meta.last_chain) != (last, link) or changes:
    found.append("the clock and the history differ")
for entry in StateEntry.objects.all():
    if dump_json(documents.pop(entry.pk)) != dump_json(entry.value_json):
        found.append(f"the history of {entry.pk} leads elsewhere")
found += [key for key, one in documents.items() if one is not NOTHING]
with connection.cursor() as cursor:
    cursor.execute("PRAGMA integrity_check")
    found += [row[0] for row in cursor.fetchall() if row[0] != "ok"]
writers = {row.seq: row.actor for row in Revision.objects.all()}
state = {entry.pk: entry.value_json for entry in StateEntry.objects.all()}
print(json.dumps([found, writers, state]))
"""


def lost(data: Path, told: list[Acknowledged]) -> list[str]:
    """What is wrong with the database, and what of the acknowledged is not there; nothing, if all is well."""
    output = manage(data, "shell", "-v", "0", "-c", CHECK)
    if output.returncode:
        raise AssertionError(output.stderr)
    found, writers, state = json.loads(output.stdout)
    shared = state["Shared"]
    found += [f"{one} is not in the history" for one in told if writers.get(str(one.revision)) != f"key:{one.name}"]
    for one in told:
        if one.how == "append" and shared["list"].count(f"{one.name}-{one.number}") != 1:
            found.append(f"{one} is {shared['list'].count(f'{one.name}-{one.number}')} times in the list")
    for member, how in [("leaves", "put"), ("based", "based"), ("merged", "merge"), ("pairs", "both")]:
        for name, number in {one.name: one.number for one in told if one.how == how}.items():
            if not shared[member].get(name, 0) >= number:  # the one in flight when it was killed may be there too
                found.append(f"{name} wrote {number} to {member}, and {shared[member].get(name)} is there")
    if shared["pairs"] != state["Twin"]["pairs"]:
        found.append("one of two keys was written without the other")
    return found


if __name__ == "__main__":
    write_on(sys.argv[1], Path(sys.argv[2]))
