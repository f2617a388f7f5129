"""Nola as one project: settings, addresses, and what runs it."""

import os


def ready() -> None:
    """Set up Django for a script or a notebook: `from nola_site import ready; ready()`, then `from state import store`.

    The memory is the one of `NOLA_DATA_DIR`, else the one beside this project, whatever the current directory.
    """
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nola_site.settings")
    os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # a notebook runs its cells inside an event loop
    django.setup()
