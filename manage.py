#!/usr/bin/env python
"""Django's command line: `manage.py help` lists the commands."""

import atexit
import gc
import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["mcp"]:  # speaks before Django is there
        from nola_site.mcp import stdio

        return stdio.main(sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nola_site.settings")
    from django.core.management import execute_from_command_line
    from django.core.management.base import BaseCommand
    from django.db import OperationalError

    BaseCommand.requires_system_checks = []  # they look at the code, for half of a start: `manage.py check` does it
    atexit.register(gc.freeze)  # what is left at the end goes as a whole: to look for garbage in it first takes long
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        sys.exit(f"nola: the database says: {error}. If there is none yet, start Nola once (make run).")


if __name__ == "__main__":
    main()
