"""Small writes beside what a request is about, which must not make it wait."""

from collections.abc import Callable

from django.db import connection, transaction


def write_without_waiting(write: Callable[[], object]) -> None:
    """Write now or not at all. Raises DatabaseError where another writes, or the database is read-only."""
    if connection.vendor != "sqlite":
        write()
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            with transaction.atomic():  # in a transaction of the request, only this is taken back
                write()
        finally:
            cursor.execute("PRAGMA busy_timeout = 5000")
