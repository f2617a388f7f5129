"""How PostgreSQL goes about the statements of Nola."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from conversations.append import LAST
from state.database.url import find_database
from state.history.replay import FIND_MOMENT
from tests.postgres import find_tools, running_cluster

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(find_tools() is None, reason="POSTGRESQL IS NOT INSTALLED: apt install postgresql"),
]
TEMPTING = ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size", "jit_above_cost")


@pytest.fixture(scope="module")
def database() -> Iterator[psycopg.Connection]:
    """As Nola connects, where workers and compiled code look as cheap as they can."""
    with running_cluster() as cluster:
        options = find_database(cluster.url(), Path())["OPTIONS"]["options"]
        with psycopg.connect(cluster.url(), options=options) as connection:
            for name in TEMPTING:
                connection.execute(f"SET {name} = 0")
            connection.execute("CREATE TABLE one AS SELECT n FROM generate_series(1, 1000) n")
            yield connection


COUNT = "SELECT count(*) FROM one"


def explain(database: psycopg.Connection, statement: str, parameters: Sequence[object] = ()) -> str:
    found = database.execute(f"EXPLAIN ANALYZE {statement}", parameters or None)  # type: ignore[arg-type]
    return "\n".join(line for (line,) in found)


def test_a_time_long_past_is_found_without_a_look_at_all_since(database):
    database.execute("CREATE TABLE state_revision (seq bigint PRIMARY KEY, at timestamptz NOT NULL)")
    times = "timestamptz '2026-01-01T00:00:00Z' + n * interval '1 hour'"
    database.execute(f"INSERT INTO state_revision SELECT n, {times} FROM generate_series(1, 20000) n")
    database.execute("ANALYZE state_revision")

    plan = explain(database, FIND_MOMENT, ["2026-01-31T00:00:00Z"])

    assert database.execute(FIND_MOMENT, ["2026-01-31T00:00:00Z"]).fetchone() == (720,)
    assert plan.count("on state_revision") == plan.count("Limit") == 2
    assert plan.count("Backward using state_revision_pkey") == 2


def test_the_last_message_of_a_new_conversation_is_found_without_a_look_at_the_others(database):
    columns = "conversation_id bigint, place bigint, timestamp timestamptz, deleted_revision bigint"
    database.execute(f"CREATE TABLE conversation_history (id bigint PRIMARY KEY, {columns})")
    database.execute("CREATE INDEX in_order ON conversation_history (conversation_id, place, timestamp, id)")
    database.execute("INSERT INTO conversation_history SELECT n, n % 2, n, now() FROM generate_series(1, 20000) n")

    plan = explain(database, LAST, [1])

    assert database.execute(LAST, [1]).fetchone() == (19_999, 19_999)
    assert "Backward using in_order" in plan
    assert "Sort" not in plan


def test_no_statement_waits_for_workers_or_a_compiler(database):
    plan = explain(database, COUNT)

    assert "Gather" not in plan
    assert "JIT" not in plan


@pytest.mark.parametrize(("setting", "sign"), [("max_parallel_workers_per_gather = 2", "Gather"), ("jit = on", "JIT")])
def test_else_it_would(database, setting, sign):
    if sign == "JIT" and not database.execute("SELECT pg_jit_available()").fetchone()[0]:
        pytest.skip("THIS POSTGRESQL HAS NO COMPILER")
    with database.transaction(force_rollback=True):
        database.execute(f"SET LOCAL {setting}")

        assert sign in explain(database, COUNT)
