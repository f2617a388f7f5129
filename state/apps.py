from django.apps import AppConfig
from django.db.models.signals import post_migrate


class StateConfig(AppConfig):
    name = "state"
    verbose_name = "Memory"

    def ready(self) -> None:
        from access.rights import Right
        from state import registry, store, undo
        from state.checkpoints.files import keep_before_bulk_delete
        from state.guards import ensure_guards

        rights = Right.READ_STATE, Right.WRITE_STATE
        kind = registry.Kind(store.are_current, store.write_edits, undo.undo_key, *rights, keep_before_bulk_delete)
        registry.register("state", kind)
        rights = Right.READ_HISTORY, Right.ADMINISTER
        kind = registry.Kind(lambda *_: True, undo.write_redaction, undo.refuse_redaction, *rights, has_keys=False)
        registry.register("redaction", kind)
        post_migrate.connect(ensure_guards, sender=self)
