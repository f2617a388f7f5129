"""`/healthz`: the process answers. `/readyz`: it can do its work. Neither tells anything of what is stored."""

import os
import shutil
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from access.database import find_folder
from nola_site.safety import recovery, schedule
from nola_site.serving.problems import LOST, explain_fault
from state import store
from state.backups.files import list_backups
from state.checkpoints.files import list_whole

LEAST_TO_WRITE = 10 * 1024 * 1024  # bytes; the doctor warns long before


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def describe_safety() -> dict[str, Any]:
    """When a checkpoint and a backup were last made, and what the last start had to do about the database."""
    checkpoint, backup = next(iter(list_whole()), None), next(iter(list_backups()), None)
    failed = {f"{what}_failed": last["failed"] for what, last in schedule.read_record().items() if "failed" in last}
    said = {"recovered": recovered} if (recovered := recovery.read_recovery()) else {}
    return {
        "last_checkpoint": checkpoint and checkpoint.at.isoformat(timespec="seconds"),
        "last_backup": backup and backup.at.isoformat(timespec="seconds"),
        **failed,
        **said,
    }


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and is up to date, else 503 with the reason."""
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
        revision = None if waiting else store.head()
    except DatabaseError as error:
        is_away = explain_fault(error, request) and LOST in request.META
        said = "it cannot be reached" if is_away else str(error)
        return JsonResponse({"status": "failing", "database": said}, status=503)
    if waiting:
        return JsonResponse({"status": "failing", "database": "migrations are waiting; restart the server"}, status=503)
    folder = find_folder()
    if not os.access(folder, os.W_OK) or shutil.disk_usage(folder).free < LEAST_TO_WRITE:
        return JsonResponse({"status": "failing", "database": "the disk is full or read-only"}, status=503)
    return JsonResponse({"status": "ok", "database": "ok", "revision": revision, **describe_safety()})
