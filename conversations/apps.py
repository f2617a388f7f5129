from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ConversationsConfig(AppConfig):
    name = "conversations"
    verbose_name = "Conversations"

    def ready(self) -> None:
        from conversations import audit, checkpoint, undo
        from conversations.search import index
        from state.database.tables import DERIVED
        from state.history.audit import MORE_CHECKS

        undo.register_kinds()
        checkpoint.register_rows()
        MORE_CHECKS.append(audit.find_flaws)
        DERIVED.append(index.ensure)
        post_migrate.connect(index.ensure, sender=self)
