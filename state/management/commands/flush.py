from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import flush
from django.db import connections

from state.guards import drop_guards, ensure_guards


class Command(flush.Command):
    help = "Empty a test database. Refused on any other: history is permanent."

    def handle(self, **options: Any) -> None:
        database = connections[options["database"]].settings_dict
        if database["NAME"] != database["TEST"]["NAME"]:
            raise CommandError(
                "flush would erase the history, which is permanent. To start over, stop the server and move"
                f" {settings.NOLA_DATA_DIR} away."
            )
        drop_guards(options["database"])
        try:
            super().handle(**options)
        finally:
            ensure_guards(options["database"])
