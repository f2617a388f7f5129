from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"
    verbose_name = "Conversations"

    def ready(self) -> None:
        from conversations import audit as conversations_audit
        from conversations import keeping, undoing
        from state import audit

        undoing.register()
        keeping.register()
        audit.ADDED.append(conversations_audit.flaws)
