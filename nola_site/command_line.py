"""The command line: Nola's own commands come first in its help, with a line each, then those that Django brings."""

import sys
import textwrap

from django.core.management import ManagementUtility, get_commands

NAME = "nola"
COMMANDS = {
    "Run it": {
        "serve": "prepare everything on the first run, then serve the pages and the API",
        "mcp": "serve the memory to one agent over standard input and output",
        "doctor": "look for damage, and for what may become one; says what to do",
    },
    "Keep it and put it back": {
        "checkpoint": "keep the state in files that can be read, compared and restored",
        "backup": "copy the whole database, while it is in use",
        "restorebackup": "put a backup back",
        "move": "copy the whole memory into another database, where it goes on",
        "undo": "take back a revision, an import, or all an actor did in a time",
        "dumpdata": "write the state as a fixture: dumpdata state",
        "loaddata": "restore a fixture, a seed or a checkpoint: loaddata identity",
        "export": "take everything away, in one zip of open formats",
        "import": "make an equal memory of such a zip",
        "forget": "take a value out of all that is kept, for good",
    },
    "Bring in files and chats": {
        "importlegacy": "a folder of JSON files",
        "importchats": "chats of ChatGPT, Claude, Gemini and others",
        "push": "what was changed in JSON files comes into the memory",
        "pull": "JSON files are brought up to date",
        "sync": "both, once or for as long as it runs",
    },
    "Say who may come in": {
        "apikey": "make, list, rotate and revoke API keys",
        "createsuperuser": "make a person who may do everything",
        "changepassword": "give a person another password",
    },
}


class CommandLine(ManagementUtility):
    """Django's, under our name and with our help."""

    def __init__(self, arguments: list[str]) -> None:
        super().__init__([NAME, *arguments])

    def main_help_text(self, commands_only: bool = False) -> str:
        """What `help` prints; the names alone for `help --commands`."""
        if commands_only:
            return super().main_help_text(commands_only)
        lines = ["Nola, the memory of an AI agent. ./nola help COMMAND says more about one."]
        for title, commands in COMMANDS.items():
            lines += ["", f"{title}:", *(f"  {name:<16}{what}" for name, what in commands.items())]
        ours = {name for commands in COMMANDS.values() for name in commands}
        others = ", ".join(sorted(get_commands().keys() - ours))
        return "\n".join(
            [*lines, "", "Of Django:", textwrap.fill(others, 88, initial_indent="  ", subsequent_indent="  ")]
        )


def run() -> None:
    """Run the command that was given."""
    CommandLine(sys.argv[1:]).execute()
