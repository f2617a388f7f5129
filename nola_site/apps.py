import gc
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks

# Objects made between two looks for garbage. A document of a million values is a million objects that all stay: with
# Python's own 700, looking through them again and again takes longer than reading it.
BETWEEN = 50_000


class SiteConfig(AppConfig):
    name = "nola_site"
    default = True

    def ready(self) -> None:
        gc.set_threshold(BETWEEN, 10, 10)


class AdminConfig(SimpleAdminConfig):
    """The admin. Its pages are imported with the URLs, or to be checked: a command that needs neither is quick."""

    default = False
    default_site = "nola_site.doors.NolaAdminSite"

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(check_pages, checks.Tags.admin)


def check_pages(**options: Any) -> list[checks.CheckMessage]:
    """What Django finds wrong with the pages of the admin."""
    admin.autodiscover()
    found: list[checks.CheckMessage] = check_admin_app(**options)
    return found
