"""Conversations and messages to browse."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.text import Truncator

from conversations.models import Conversation, Message
from state.admin import ReadOnlyAdmin

MAX_SHOWN = 200  # messages on a conversation's page; the rest is in the list of messages


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "channel", "started", "message_count", "state"]
    list_filter = ["channel", "archived"]
    search_fields = ["title", "session_id"]
    search_help_text = "Find by title or session"
    fields = ["session_id", "channel", "started", "source", "transcript"]
    readonly_fields = ["transcript"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        kept = Count("messages", filter=Q(messages__deleted_revision=None))
        return super().get_queryset(request).filter(deleted_revision=None).annotate(kept=kept)

    @admin.display(description="Messages", ordering="kept")
    def message_count(self, conversation: Any) -> int:
        return conversation.kept

    @admin.display(description="Kept as", ordering="archived")
    def state(self, conversation: Any) -> str:
        return "archived" if conversation.archived else "open"

    @admin.display(description="Messages")
    def transcript(self, conversation: Any) -> str:
        messages = conversation.messages.filter(deleted_revision=None)[:MAX_SHOWN]
        query = urlencode({"conversation__id__exact": conversation.pk})
        rest = f"{reverse('admin:conversations_message_changelist')}?{query}"
        context = {"messages": messages, "more": conversation.kept - MAX_SHOWN, "rest": rest}
        return render_to_string("conversations/transcript.html", context)


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ["timestamp", "speaker", "excerpt", "conversation", "status"]
    list_filter = ["speaker", "status"]
    list_select_related = ["conversation"]
    ordering = ["-timestamp", "-id"]
    search_fields = ["message"]
    search_help_text = "Find words in messages"
    fields = ["conversation", "speaker", "timestamp", "message", "status", "user_id", "context_level", "stimuli_type"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        kept = {"deleted_revision": None, "conversation__deleted_revision": None}
        return super().get_queryset(request).filter(**kept)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "conversation__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="Message")
    def excerpt(self, message: Message) -> str:
        return Truncator(message.message).chars(120)
