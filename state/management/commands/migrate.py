import time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor

from access.database import Fault, engine

KEPT = {"state", "conversations", "access"}
TRIES, PAUSE = 30, 1.0  # for tables that others read or write, and seconds in which they go on between two of them


class Command(migrate.Command):
    help = "Bring the database up to date. Going back is refused where it would erase memory or history."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(skip_checks=True)  # as all commands, see manage.py

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        is_test = connection.settings_dict["NAME"] == connection.settings_dict["TEST"]["NAME"]
        if options["migration_name"] and options["app_label"] in KEPT and not is_test:
            executor = MigrationExecutor(connection)
            targets = self._targets(executor, options["app_label"], options["migration_name"])
            if any(backwards for _, backwards in executor.migration_plan(targets)):
                raise CommandError(
                    f"migrating {options['app_label']} back would erase memory or history, which are permanent."
                )
        for left in reversed(range(TRIES)):
            try:
                with engine(connection).migrating():
                    super().handle(*args, **options)
                    return
            except DatabaseError as error:
                if not left or engine(connection).explain(error) is not Fault.BUSY:
                    raise
                time.sleep(PAUSE)

    def _targets(self, executor: MigrationExecutor, app: str, name: str) -> list[tuple[str, str | None]]:
        if name == "zero":
            return [(app, None)]
        try:
            return [(app, executor.loader.get_migration_by_prefix(app, name).name)]
        except KeyError:
            return []  # Django says it better
