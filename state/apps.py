from django.apps import AppConfig
from django.db.models.signals import post_migrate


class StateConfig(AppConfig):
    name = "state"
    verbose_name = "Memory"

    def ready(self) -> None:
        from state import registry as kinds
        from state import store, undo
        from state.guards import ensure_guards

        kinds.register("state", kinds.Kind(store.are_current, store.write, undo.of_key))
        post_migrate.connect(ensure_guards, sender=self)
