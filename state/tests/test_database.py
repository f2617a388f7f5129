"""The cursor that all statements go through is Django's in all but its cost."""

import resource

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError

from state.database.sql import stream_rows

pytestmark = pytest.mark.django_db


def test_it_is_used_and_queries_are_counted_all_the_same(django_assert_num_queries):
    with connection.cursor() as cursor:
        assert type(cursor).__module__ == f"{connection.settings_dict['ENGINE']}.base"
        with pytest.raises(Exception, match="closed"):
            cursor.close()
            cursor.fetchone()
    with django_assert_num_queries(2), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute("SELECT 2")


def test_a_number_that_no_column_holds_is_refused_before_it_is_asked_for():
    with connection.cursor() as cursor:
        for number in (2**63 - 1, -(2**63), 2**31, 0):
            cursor.execute("SELECT last_seq FROM state_meta WHERE last_seq > %s", [number])
            cursor.fetchall()
        for number in (2**63, -(2**63) - 1, 10**30):
            with pytest.raises(OverflowError, match="int too large to convert to"):
                cursor.execute("SELECT last_seq FROM state_meta WHERE last_seq > %s", [number])


@pytest.mark.parametrize(
    ("statement", "parameters", "row"),
    [
        ("SELECT %s, %s", ["a", 2], ("a", 2)),
        ("SELECT %(one)s, %(two)s, %(one)s", {"one": 1, "two": "%s"}, (1, "%s", 1)),
        ("SELECT %s LIKE '%%b%%', '%%s'", ["abc"], (1, "%s")),
        ("SELECT 'a' LIKE 'a%', '%s'", None, (1, "%s")),
        ("SELECT %s", (None,), (None,)),
    ],
)
def test_parameters_are_marked_as_django_does(statement, parameters, row):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.fetchone() == row
        assert cursor.fetchone() is None
        assert cursor.fetchmany() == cursor.fetchall() == list(cursor) == []


@pytest.mark.sqlite
def test_errors_are_djangos_also_those_of_a_later_row():
    with connection.cursor() as cursor:
        with pytest.raises(OperationalError):
            cursor.execute("SELECT nothing")
        cursor.execute(
            "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3)"
            " SELECT CASE WHEN i < 3 THEN i ELSE json('{') END FROM n"
        )
        assert cursor.fetchone() == (1,)
        with pytest.raises(OperationalError):
            cursor.fetchone()
        cursor.execute("CREATE TEMP TABLE once (n INTEGER PRIMARY KEY)")
        with pytest.raises(IntegrityError), transaction.atomic():
            cursor.executemany("INSERT INTO once VALUES (%s)", [[1], [2], [1]])
        cursor.execute("SELECT count(*) FROM once")
        assert cursor.fetchone() == (0,)


def test_nothing_runs_in_a_broken_transaction():
    with transaction.atomic(), connection.cursor() as cursor:
        connection.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            cursor.execute("SELECT 1")
        connection.set_rollback(False)


def test_what_is_read_some_at_a_time_is_not_held_at_once():
    many = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        f" SELECT i, '{'x' * 2000}' || i FROM n"
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    count = sum(1 for _ in stream_rows(connection, many))

    assert count == 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # of 200,000 kB


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite compresses no text")
@pytest.mark.parametrize(("said", "used"), [("", "lz4"), (" -c default_toast_compression=pglz", "pglz")])
def test_large_texts_are_compressed_fast_unless_another_way_is_set(said, used):
    other = connection.copy()
    options = other.settings_dict["OPTIONS"]
    other.settings_dict["OPTIONS"] = {**options, "options": options["options"] + said}
    try:
        with other.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE large AS SELECT repeat('a text ', 100000) AS text")
            cursor.execute("SELECT pg_column_compression(text) FROM large")
            assert cursor.fetchone() == (used,)
    finally:
        other.close()
