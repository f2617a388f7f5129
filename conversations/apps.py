from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ConversationsConfig(AppConfig):
    name = "conversations"
    verbose_name = "Conversations"

    def ready(self) -> None:
        from conversations import audit as conversations_audit
        from conversations import checkpoint as keeping
        from conversations import undo as undoing
        from conversations.search import index
        from state.history import audit

        undoing.register()
        keeping.register()
        audit.MORE_CHECKS.append(conversations_audit.flaws)
        post_migrate.connect(index.ensure, sender=self)
