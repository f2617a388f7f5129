from django.apps import AppConfig
from django.db.models.signals import post_migrate

from state.guards import ensure_guards


class StateConfig(AppConfig):
    name = "state"
    verbose_name = "Memory"

    def ready(self) -> None:
        post_migrate.connect(ensure_guards, sender=self)
