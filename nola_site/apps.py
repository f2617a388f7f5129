import gc

from django.apps import AppConfig

# Objects made between two looks for garbage. A document of a million values is a million objects that all stay: with
# Python's own 700, looking through them again and again takes longer than reading it.
BETWEEN = 50_000


class SiteConfig(AppConfig):
    name = "nola_site"

    def ready(self) -> None:
        gc.set_threshold(BETWEEN, 10, 10)
