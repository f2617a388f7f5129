"""A long history in little time: `python -m tests.bench.fill FOLDER REVISIONS` adds so many edits of one leaf each.

Rows and snapshots are as the store would have left them, except for the hashes of most documents on the way. A process
of its own, on a data directory that no server uses.
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

from tests.bench.load import document

KEY = "Past"
SALT = "s" * 22
AT_ONCE = 500  # edits, and then the store looks whether it wants a snapshot


def main(folder: str, count: int) -> None:
    os.environ["NOLA_DATA_DIR"] = folder
    from nola_site import ready

    ready()
    from nola_site.safety import first_run
    from state import store
    from state.jsondoc.text import make_document
    from state.models import StateEntry
    from state.revisions import Author, Source

    first_run.prepare()
    author = Author("key:default", Source.API)
    if not StateEntry.objects.filter(pk=KEY).exists():
        store.put_keys({KEY: make_document(json.loads(document(18)))}, author)
    for done in range(0, count, AT_ONCE):
        add(min(AT_ONCE, count - done))


def add(count: int) -> None:
    """So many edits, in one transaction."""
    from django.db import connection

    from state import chain
    from state.history.replay import keep_snapshot
    from state.jsondoc.text import dump_json
    from state.models import Revision, StateEntry, StoreMeta
    from state.write_lock import write_transaction

    with write_transaction():
        entry, meta = StateEntry.objects.get(pk=KEY), StoreMeta.objects.get()
        value, at, link = entry.value_json, meta.last_at, meta.last_chain
        result = chain.hash_text("")
        revisions, changes = [], []
        for seq in range(meta.last_seq + 1, meta.last_seq + 1 + count):
            leaf, at = f"k{seq * 7 % len(value):05}", at + timedelta(milliseconds=1)
            forward, inverse = (
                dump_json([{"op": "replace", "path": f"/{leaf}/n", "value": n}]) for n in (seq, value[leaf]["n"])
            )
            value[leaf]["n"] = seq
            if len(changes) == count - 1:
                result = chain.hash_text(dump_json(value))
            digest = chain.digest_change(SALT, "state", KEY, forward, inverse, result)
            row = Revision(seq=seq, at=at, actor="key:default", source="api", reason="", info={})
            link = chain.link_revision(link, row, [digest])
            revisions.append((seq, at.replace(tzinfo=None), link))
            changes.append((seq, forward, inverse, result, digest))
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO state_revision (seq, at, actor, source, reason, info, chain)"
                " VALUES (%s, %s, 'key:default', 'api', '', '{}', %s)", revisions,
            )  # fmt: skip
            cursor.executemany(
                "INSERT INTO state_change (revision, kind, key, forward, inverse, result_hash, salt, digest)"
                f" VALUES (%s, 'state', '{KEY}', %s, %s, %s, '{SALT}', %s)", changes,
            )  # fmt: skip
        entry.value_json, entry.revision, entry.updated_at = value, seq, at
        entry.save()
        meta.last_seq, meta.last_at, meta.last_chain = seq, at, link
        meta.save()
        text = json.dumps(value)
        keep_snapshot(KEY, len(text), 100 * count)


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()), int(sys.argv[2]))
