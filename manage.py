#!/usr/bin/env python
"""The command line, as Django has it: what `./nola` runs. `./nola help` lists the commands."""

import atexit
import gc
import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["mcp"]:  # speaks before Django is there
        from nola_site.mcp import stdio

        return stdio.main(sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nola_site.settings")
    from django.core.management.base import BaseCommand
    from django.db import OperationalError

    from nola_site import command_line

    BaseCommand.requires_system_checks = []  # they look at the code, for half of a start: `check` does it
    atexit.register(gc.freeze)  # what is left at the end goes as a whole: to look for garbage in it first takes long
    try:
        command_line.run()
    except OperationalError as error:
        sys.exit(f"nola: the database says: {error}. If there is none yet, start Nola once (make run).")


if __name__ == "__main__":
    main()
