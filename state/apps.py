from django.apps import AppConfig
from django.db.models.signals import post_migrate


class StateConfig(AppConfig):
    name = "state"
    verbose_name = "Memory"

    def ready(self) -> None:
        from state import registry, store, undo
        from state.checkpoints.files import keep_before_bulk_delete
        from state.guards import ensure_guards

        registry.register(
            "state", registry.Kind(store.are_current, store.write_edits, undo.undo_key, keep_before_bulk_delete)
        )
        post_migrate.connect(ensure_guards, sender=self)
