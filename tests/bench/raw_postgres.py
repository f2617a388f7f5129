"""The floor under every write on PostgreSQL: pgbench, with the statements and bytes of a `PUT` of a leaf."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from state.database.postgres.engine import WRITERS
from tests.bench import databases, servers
from tests.bench.load import Load, document
from tests.bench.raw_sqlite import HASH, PATCH, SALT
from tests.postgres import Cluster

PUT = f"""
SELECT id, name, scopes, places, user_id FROM access_apikey
    WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AND sha256 = '{HASH}';
SELECT value_json, revision FROM state_storage WHERE key_name = 'Doc' || :client_id;
BEGIN;
SELECT pg_advisory_xact_lock({WRITERS});
SELECT key_name, revision FROM state_storage WHERE key_name IN ('Doc' || :client_id) ORDER BY key_name;
SELECT last_seq + 1 AS seq, last_at, last_chain, (SELECT value_json FROM state_storage
    WHERE key_name = 'ProtectedPaths') AS protected FROM state_meta \\gset
UPDATE state_storage SET value_json = '<document>', updated_at = now(), revision = :seq
    WHERE key_name = 'Doc' || :client_id;
INSERT INTO state_revision (seq, at, actor, source, reason, info, chain)
    VALUES (:seq, now(), 'key:default', 'api', '', '{{}}', '{HASH}');
INSERT INTO state_change (revision, kind, key, forward, inverse, result_hash, salt, digest)
    VALUES (:seq, 'state', 'Doc' || :client_id, '{PATCH}', '{PATCH}', '{HASH}', '{SALT}', '{HASH}');
UPDATE state_meta SET last_seq = :seq, last_at = now(), last_chain = '{HASH}', keys = keys + 0, bytes = bytes + 0,
    characters = characters + 0 WHERE id = 1;
COMMIT;
"""


class RawPostgres:
    """pgbench on a database of Nola that nobody else uses."""

    def __init__(self, cluster: Cluster, database: str, script: Path) -> None:
        self.cluster, self.database, self.script = cluster, database, script

    def put(self, clients: int, seconds: float) -> Load:
        """What so many clients commit, one after the other each; without latencies, and without its CPU."""
        options = ("-n", "-c", str(clients), "-T", str(max(1, round(seconds))), "-f", str(self.script))
        told = subprocess.run(
            [self.cluster.tools / "pgbench", *options, self.database], capture_output=True, text=True, check=True
        )
        found = re.search(r"processed: (\d+)", told.stdout)
        rate = re.search(r"tps = ([\d.]+) \(without", told.stdout)
        failed = re.search(r"failed transactions: (\d+)", told.stdout)
        if not found or not rate or not failed or int(failed[1]):
            raise SystemExit(f"pgbench failed: {told.stdout}{told.stderr}")
        return Load(int(found[1]), int(found[1]) / float(rate[1]), [], 0)


@contextmanager
def raw_postgres(kilobytes: float, keys: int) -> Iterator[RawPostgres]:
    """On a database with that many keys of that size."""
    cluster = databases.clusters[-1]
    with databases.new() as settings, TemporaryDirectory(prefix="nola-bench-raw-") as folder:
        text = document(kilobytes)
        with servers.nola(**settings) as (nola, _):
            for n in range(keys):
                nola.ask(nola.request("PUT", f"/api/state/Doc{n}", text))
        script = Path(folder) / "put.sql"
        script.write_text(PUT.replace("<document>", text.decode()))
        yield RawPostgres(cluster, settings["DATABASE_URL"], script)
