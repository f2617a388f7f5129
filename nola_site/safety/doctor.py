"""What is wrong, or may soon be, with a data directory: findings that each say what to do, some can be set right."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from access import review
from access.database import engine
from nola_site.safety import files
from nola_site.safety.finding import ERROR, NOTE, OK, WARNING, DoctorFinding
from nola_site.safety.leaks import MOST, find_leaks
from state import clock, guards
from state.backups.contents import verify_contents
from state.backups.files import Backup, list_backups, verify_database
from state.backups.restore_backup import check_no_server, find_free_folder, set_aside
from state.checkpoints.files import find_newest_sound
from state.clock import Clock
from state.context import receipts
from state.database import unfinished
from state.database.sql import read_at_once, stream_rows
from state.database.sqlite.files import FAILURES
from state.database.sqlite.wal import unreplayed_transactions
from state.entries import recount_totals
from state.errors import DamagedDatabase, NewerDatabase, UnsupportedDatabase
from state.history import audit
from state.history.audit import OnProgress, show_nothing
from state.jsondoc.text import NotAcceptable, parse_json
from state.models import Snapshot
from state.write_lock import write_transaction

GROWING = 1024 * 1024  # bytes of history a day that are worth a word


def examine(progress: OnProgress = show_nothing, *, leaks: bool = True) -> Iterator[DoctorFinding]:
    """All findings, the database first; what cannot be looked at in a damaged one is left out.

    `leaks`: also what looks like a secret in what is remembered.
    """
    database = engine().find_file()
    broken = list(_file(database) if database else _server())
    yield from broken
    if all(one.check == "wal" for one in broken):
        with suppress(StopIteration):
            yield from _database(database, progress)
            if leaks:
                yield from _leaks(progress)
    yield from files.examine(database, progress)


# The database


def _file(database: Path) -> Iterator[DoctorFinding]:
    """What is so wrong with the file that nothing in it can be trusted."""
    if not database.exists() or not database.stat().st_size:
        what = "There is none yet" if not settings.NOLA_DB_DIR.joinpath("secret-key").exists() else "It is gone"
        yield DoctorFinding(
            "database", ERROR, f"{what}: {database}", "start the server (make run), or put a backup back"
        )
        return
    yield from _wal(database)
    try:
        verify_database(database, thorough=False)
    except NewerDatabase as error:
        yield DoctorFinding("database", ERROR, str(error), "the database was left as it is")
    except DamagedDatabase as error:
        yield DoctorFinding("database", ERROR, str(error), explain_way_back(database), lambda: _set_aside(database))


def _server() -> Iterator[DoctorFinding]:
    """The same of a database that is on a server."""
    name = f"the database {engine().describe()}"
    if obstacle := engine().find_obstacle():
        yield DoctorFinding("database", ERROR, obstacle.rstrip("."), "the database was left as it is")
    elif not connection.introspection.table_names():
        yield DoctorFinding("database", ERROR, f"There is none yet: {name} is empty", "start the server (make run)")
    elif unfinished.is_unfinished():
        text = f"a move into {name} is unfinished, so that a part of the memory may be missing"
        yield DoctorFinding("database", ERROR, text, "run the same ./nola move again")
    else:
        try:
            verify_contents(name, connection, thorough=False)
        except NewerDatabase as error:
            yield DoctorFinding("database", ERROR, str(error), "the database was left as it is")
        except (DamagedDatabase, ValueError) as error:
            yield DoctorFinding("database", ERROR, str(error), _explain_restore())


def _explain_restore() -> str:
    newest = find_newest_backup()
    return f"./nola restorebackup {newest.name}" if newest else "put back a dump of it, or to a point in time before"


def _wal(database: Path) -> Iterator[DoctorFinding]:
    """Whether what a server that died left is good."""
    copy = find_free_folder(database).with_suffix(".wal")
    with suppress(*FAILURES, OSError):
        count = unreplayed_transactions(database, copy)
        if count:
            text = f"{database.name}-wal was damaged: {count} transactions in it cannot be read; it is kept as {copy}"
            do = "compare with the newest checkpoint: ./nola checkpoint diff NAME"
            yield DoctorFinding("wal", ERROR, text, do)


def explain_way_back(database: Path) -> str:
    """What to do with a damaged database."""
    ways = []
    backup = find_newest_backup()
    checkpoint = find_newest_sound()
    if backup:
        ways.append(f"with all conversations and history: ./nola restorebackup {backup.name}")
    if checkpoint:
        ways.append(
            f"the state alone, from {checkpoint.name} ({checkpoint.at:%Y-%m-%d %H:%M} UTC): ./nola doctor --fix sets"
            " the database aside, and the next start restores that"
        )
    return (
        "; or ".join(ways) or f"no backup and no checkpoint was found. Keep {database.parent} for somebody to look at"
    )


def find_newest_backup() -> Backup | None:
    """The newest backup that is sound."""
    for one in list_backups():
        with suppress(DamagedDatabase, UnsupportedDatabase):
            verify_database(one.path, thorough=False)
            return one
    return None


def _set_aside(database: Path) -> str:
    check_no_server()
    folder = set_aside(database)
    return f"set aside in {folder}; the next start restores the newest checkpoint"


def _database(database: Path | None, progress: OnProgress) -> Iterator[DoctorFinding]:
    if database:
        yield DoctorFinding("database", OK, f"{database.name} is whole, {database.stat().st_size:,} bytes")
    for text, do in engine().find_notable():
        yield DoctorFinding("database", WARNING if do else OK, text, do)
    waiting = MigrationExecutor(connection)
    plan = waiting.migration_plan(waiting.loader.graph.leaf_nodes())
    if plan:
        yield DoctorFinding(
            "migrations", ERROR, f"{len(plan)} have not been applied", "restart the server, which applies them"
        )
        return
    yield from _guards()
    head = clock.read_head_file()  # first: the server writes it on meanwhile
    with read_at_once(connection):  # and nothing is set right before that is through
        found = [*_history(progress), *_texts(), *_head(head), *_growth(), *_receipts(), *_access()]
    yield from found


def _access() -> Iterator[DoctorFinding]:
    """Who may come in, and who tried to."""
    for text, do in review.find_notable():
        yield DoctorFinding("access", NOTE if do else OK, text, do)


def _guards() -> Iterator[DoctorFinding]:
    missing = guards.find_missing()
    if not missing:
        yield DoctorFinding("guards", OK, "history and security log are append-only for whoever writes")
        return

    def fix() -> str:
        guards.ensure_guards()
        return "made anew"

    text = f"nothing guards against {', '.join(missing)}"
    yield DoctorFinding(
        "guards", ERROR, text, "./nola doctor --fix makes the guards anew; read the findings below", fix
    )


def _history(progress: OnProgress) -> Iterator[DoctorFinding]:
    chain = list(audit.find_chain_flaws(connection, progress))
    for flaw in chain:
        do = "somebody altered the file: compare with a backup (./nola backup says whether it verifies), put it back"
        yield DoctorFinding("chain", ERROR, flaw, do)
    if not chain:
        yield DoctorFinding("chain", OK, "every row of the history is as it was written")
    flaws = [
        flaw
        for check in (audit.find_reference_flaws, audit.find_state_flaws, *audit.MORE_CHECKS)
        for flaw in check(connection, progress)
    ]
    for flaw in flaws:
        yield _replayed(flaw)
    if not flaws:
        yield DoctorFinding("replay", OK, "the history, replayed, gives what is stored")
    for flaw in audit.find_total_flaws(connection, progress):
        do = "./nola doctor --fix counts anew what is stored; read the findings above"
        yield DoctorFinding("totals", WARNING, flaw, do, _recount)


def _recount() -> str:
    with write_transaction():
        recount_totals(connection)
    return "counted anew"


def _replayed(flaw: str) -> DoctorFinding:
    if not flaw.startswith("the snapshot"):
        do = "put a backup back, or restore the key from a checkpoint: ./nola checkpoint restore NAME --keys KEY"
        return DoctorFinding("replay", ERROR, flaw, do)

    def fix() -> str:
        count, _ = Snapshot.objects.all().delete()
        return f"{count} snapshots dropped; they are made anew from the history"

    return DoctorFinding(
        "replay", WARNING, flaw, "./nola doctor --fix drops the snapshots, which are only a cache", fix
    )


def _texts() -> Iterator[DoctorFinding]:
    for key, text in stream_rows(connection, "SELECT key_name, value_json FROM state_storage ORDER BY key_name"):
        try:
            good = parse_json(text).text == text
        except NotAcceptable:
            good = False
        if not good:
            do = f"write it anew: PUT /api/state/{key}, or ./nola checkpoint restore NAME --keys {key}"
            yield DoctorFinding("json", ERROR, f"the document of {key!r} is not stored as Nola stores JSON", do)


def _head(head: Clock | None) -> Iterator[DoctorFinding]:
    now = clock.read()
    if clock.is_rewound(now, head) and now and head:
        text = f"db/head knows revision {head.seq}; the database is another one, or older: it stands at {now.seq}"
        yield DoctorFinding("clock", ERROR, text, "restart the server: it begins a new epoch above both")
    else:
        yield DoctorFinding("clock", OK, f"revision {now.seq if now else 0}, epoch {now.epoch if now else '-'}")


def _growth() -> Iterator[DoctorFinding]:
    """The keys whose history grows most, by day, over the last week."""
    since = timezone.now() - timedelta(days=7)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.key, count(*), sum(length(c.forward) + length(c.inverse)) AS bytes,"
            " (SELECT length(value_json) FROM state_storage s WHERE s.key_name = c.key)"
            " FROM state_change c WHERE c.kind = 'state' AND c.revision >="
            " (SELECT coalesce(min(seq), 0) FROM state_revision WHERE at >= %s)"
            " GROUP BY c.key ORDER BY bytes DESC, c.key LIMIT 5",
            [since],
        )
        rows = cursor.fetchall()
    for key, count, size, now in rows:
        text = f"{key!r}: {now or 0:,} characters now; {count:,} changes in 7 days, {size / 7:,.0f} characters a day"
        if size / 7 > GROWING:
            yield DoctorFinding(
                "growth", NOTE, text, "if it holds a log, put it into conversations, or write it less often"
            )
        else:
            yield DoctorFinding("growth", OK, text)


def _receipts() -> Iterator[DoctorFinding]:
    """How much room the receipts of contexts take, which nothing removes by itself."""
    count, size, lately = receipts.measure_growth()
    if not count:
        return
    text = f"receipts: {count:,} with {size:,} bytes; {lately / 7:,.0f} bytes a day in the last 7 days"
    if lately / 7 > GROWING:
        do = "remove those that are too old to matter: DELETE /api/context/receipts?before=TIME"
        yield DoctorFinding("growth", NOTE, text, do)
    else:
        yield DoctorFinding("growth", OK, text)


def _leaks(progress: OnProgress) -> Iterator[DoctorFinding]:
    """What looks like a secret, by its place."""
    with read_at_once(connection):
        found = list(islice(find_leaks(connection, progress), MOST + 1))
    for one in found[:MOST]:
        do = f"if it is one, make it void where it is used, and: ./nola {one.way_out}"
        yield DoctorFinding("leaks", WARNING, f"{one.place} has what looks like {one.kind}", do)
    if len(found) > MOST:
        yield DoctorFinding("leaks", WARNING, f"and more than {MOST}", "run it again once those are dealt with")
