#!/usr/bin/env python
"""Django's command line: `manage.py help` lists the commands."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nola_site.settings")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        sys.exit(f"nola: the database says: {error}. If there is none yet, start Nola once (make run).")


if __name__ == "__main__":
    main()
