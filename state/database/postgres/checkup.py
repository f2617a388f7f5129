"""What is to be known of a PostgreSQL beyond its tables: its version, its size, how it keeps what is written."""

from collections.abc import Iterator
from typing import Any

KEEPING = {  # settings that make a power cut lose what was acknowledged, and where they are good
    "fsync": "on",
    "full_page_writes": "on",
}
LOSING = "off"  # of synchronous_commit


def measure(connection: Any) -> int:
    """The bytes that it takes on its disk."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def find_notable(connection: Any) -> Iterator[tuple[str, str]]:
    """Sentences, each with what to do; "" where nothing is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings")
        settings = dict(cursor.fetchall())
    yield f"PostgreSQL {settings['server_version']}, {measure(connection):,} bytes", ""
    for name, wanted in KEEPING.items():
        if settings[name] != wanted:
            yield (
                f"{name} is {settings[name]}: a power cut may damage the database",
                f"set it {wanted} in postgresql.conf",
            )
    if settings["synchronous_commit"] == LOSING:
        text = "synchronous_commit is off: a power cut loses what was acknowledged right before"
        yield text, "set it on, in postgresql.conf or by ALTER DATABASE"
    if settings["data_checksums"] == "off":
        text = "pages have no checksums, so that the server does not notice one that the disk has damaged"
        yield text, "stop it once and run pg_checksums --enable"
    yield "not looked at from here: its pages (pg_amcheck does), its replicas, and what its log says", ""
