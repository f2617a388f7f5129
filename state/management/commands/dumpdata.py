from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import dumpdata

HISTORY = ["state.revision", "state.change", "state.snapshot", "state.idempotency", "state.receipt", "state.storemeta"]


class Command(dumpdata.Command):
    help = "Write the state as a fixture that loaddata restores. The history is left out unless a table of it is named."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(indent=2)

    def handle(self, *app_labels: str, **options: Any) -> str | None:
        named = {label.lower() for label in app_labels}
        options["exclude"] = [*options["exclude"], *(model for model in HISTORY if model not in named)]
        return super().handle(*app_labels, **options)
