from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from nola_site.mcp import stdio


class Command(BaseCommand):
    help = "Serve the memory to one agent over standard input and output, by the Model Context Protocol."

    def add_arguments(self, parser: CommandParser) -> None:
        stdio.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        """As the command line does without coming here, which is quicker."""
        stdio.run(**{name: options[name] for name in stdio.OPTIONS})
