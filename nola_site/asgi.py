"""For ASGI servers: `./nola serve` starts this one."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nola_site.settings")
django.setup()

from nola_site.serving.site import application, site  # noqa: E402 - it needs Django set up

__all__ = ["application", "site"]
