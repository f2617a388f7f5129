"""Conversations in the admin: a list to find them in, and what is done with several. The pages are in `pages`."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import F, OrderBy, OuterRef, Q, QuerySet, Subquery
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.middleware.csrf import get_token
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.views import ChangeList

from access.moments import show_when
from access.rights import Right, may
from conversations import delete, export, log, read
from conversations.api.conversations import stream_export
from conversations.models import Conversation, Message
from conversations.names import clean, name_conversations
from conversations.order import BACKWARDS
from conversations.pages.filters import ArchiveFilter, ChannelFilter, ImportFilter, SourceFilter
from conversations.pages.search import link_message
from conversations.pages.talk import show_talk
from conversations.search.messages import search_conversations
from conversations.search.tokenize import parse_typed
from state import registry, store, undo
from state.admin import ReadOnlyAdmin, author_of
from state.revisions import Author, Source

FOUND = 5000  # conversations whose messages match, at most
NEWEST = F("last_said").desc(nulls_last=True)
EXPORTS = [("markdown", "Markdown, to read"), ("json", "JSON, to import again"), ("jsonl", "JSON lines")]


class ConversationList(ChangeList):
    """The newest message first, which the head of its column says; `ordering` would have to be of fields alone."""

    def _get_default_ordering(self) -> list[OrderBy]:
        return [NEWEST]


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    change_list_template = "conversations/list.html"
    list_display = ["name", "last", "about", "message_count"]
    list_main = "message_count"
    list_numbers = ["message_count"]
    list_long = ["about"]
    empty_words = "What you and your agents say stands here, with what ChatGPT, Claude and others have kept of yours."
    empty_link = ("Import chats", "imports:index")
    empty_icon = "forum"
    list_filter = [SourceFilter, ChannelFilter, ArchiveFilter, ImportFilter]
    search_fields = ["title"]  # so that there is a box; what is searched is said below
    search_help_text = "Words in titles and messages, or a session"
    list_per_page = 50
    actions = ["export_json", "export_markdown", "export_lines", "archive", "reopen", "delete_with_undo"]
    actions_selection_counter = True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConversationList]:
        return ConversationList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        newest = Message.objects.filter(conversation=OuterRef("pk"), deleted_revision=None).order_by(*BACKWARDS)
        there = super().get_queryset(request).filter(deleted_revision=None)
        return there.annotate(last_said=Subquery(newest.values("timestamp")[:1])).order_by(NEWEST)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Conversation], search_term: str
    ) -> tuple[QuerySet[Conversation], bool]:
        if not search_term.strip():
            return queryset, False
        asked = parse_typed(search_term)
        ids = search_conversations(asked, FOUND) if asked else []
        named = Q(title__icontains=search_term.strip()) | Q(session_id__icontains=search_term.strip())
        return queryset.filter(named | Q(pk__in=ids)), False

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        found.result_list = list(found.result_list)
        numbers, names = (
            read.read_numbers(found.result_list),
            name_conversations(found.result_list),
        )  # of this page alone
        for row in found.result_list:
            row.numbers, row.shown = numbers[row.pk], names[row.pk]
        return found

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        more = {"exports": EXPORTS, "may_import": may(request.user, Right.WRITE_CONVERSATIONS)}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    @admin.display(description="Conversation", ordering="title")
    def name(self, row: Any) -> str:
        return row.shown

    @admin.display(description="From")
    def about(self, row: Any) -> str:
        facts = ["archived" if row.archived else "", row.channel, row.source, clean(row.session_id)]
        return " · ".join({fact.casefold(): fact for fact in facts if fact}.values())

    @admin.display(description="Last message", ordering="last_said", empty_value="–")
    def last(self, row: Any) -> Any:
        return show_when(row.numbers.last)

    @admin.display(description="Messages")
    def message_count(self, row: Any) -> str:
        return f"{row.numbers.messages:,}"

    # What is done with those that are selected

    def has_write_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.WRITE_CONVERSATIONS)

    @admin.action(description="Archive", permissions=["write"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> None:
        log.change_all(_names(queryset), {"archived": True}, author_of(request))

    @admin.action(description="Take out of the archive", permissions=["write"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> None:
        log.change_all(_names(queryset), {"archived": False}, author_of(request))

    @admin.action(description="Export as JSON", permissions=["view"])
    def export_json(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> HttpResponseBase:
        return stream_export(export.FORMATS["json"], queryset.order_by(), "conversations")

    @admin.action(description="Export as Markdown", permissions=["view"])
    def export_markdown(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> HttpResponseBase:
        return stream_export(export.FORMATS["markdown"], queryset.order_by(), "conversations")

    @admin.action(description="Export as JSON lines", permissions=["view"])
    def export_lines(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> HttpResponseBase:
        return stream_export(export.FORMATS["jsonl"], queryset.order_by(), "conversations")

    @admin.action(description="Delete (can be undone)", permissions=["write"])
    def delete_with_undo(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> None:
        names = _names(queryset)
        written = delete.delete_conversations(names, author_of(request))
        what = "1 conversation is" if len(names) == 1 else f"{len(names):,} conversations are"
        href = reverse("admin:conversations_conversation_undo", args=[written.revision])
        button = '<form method="post" action="{}" class="nola-undo">{} deleted. {}<button>Undo</button></form>'
        token = format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', get_token(request))
        messages.success(request, format_html(button, href, what, token))

    def undo_view(self, request: HttpRequest, revision: int) -> HttpResponse:
        """Take back a revision, from the button that a deletion leaves."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            revisions = undo.find_revision(revision)
            if not all(may(request.user, right) for right in undo.find_rights(revisions)):
                raise PermissionDenied
            store.commit(undo.plan(revisions), _undoing(request, revision))
            messages.success(request, "It is back.")
        except (undo.CannotUndo, registry.ConflictError) as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:conversations_conversation_changelist"))

    def export_view(self, request: HttpRequest, form: Any) -> HttpResponseBase:
        """All that the list has found, on whatever page of it, as a file."""
        if form not in export.FORMATS:
            raise Http404
        try:
            found = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            raise Http404 from None
        ids = found.order_by().values("pk")
        return stream_export(export.FORMATS[form], Conversation.objects.filter(pk__in=ids), "conversations")

    def session_view(self, request: HttpRequest) -> HttpResponse:
        """To the chat of a session id, from wherever the history names one."""
        session = request.GET.get("session", "")
        found = Conversation.objects.filter(session_id=session, deleted_revision=None).first()
        if found is not None:
            return HttpResponseRedirect(reverse("admin:conversations_conversation_change", args=[found.pk]))
        messages.warning(request, f"The conversation “{session[:200]}” is not there any more.")
        return HttpResponseRedirect(reverse("admin:conversations_conversation_changelist"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.undo_view)
        session = self.admin_site.admin_view(self.session_view)
        exported = self.admin_site.admin_view(self.export_view)
        return [
            path("export/<str:form>/", exported, name="conversations_conversation_export"),
            path("undo/<int:revision>/", view, name="conversations_conversation_undo"),
            path("of/", session, name="conversations_conversation_of"),
            *super().get_urls(),
        ]

    # The page of one

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            return super().change_view(request, object_id, form_url, extra_context)
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return show_talk(request, row, context)


def _undoing(request: HttpRequest, revision: int) -> Author:
    return Author(author_of(request).actor, Source.UNDO, info={"undoes": [revision]})


def _names(rows: QuerySet[Conversation]) -> list[str]:
    return list(rows.order_by("pk").values_list("session_id", flat=True))


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """Where messages had pages of their own, it leads on to where they are found and read."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        query = request.GET.urlencode()
        return HttpResponseRedirect(reverse("search") + (f"?{query}" if query else ""))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A message is read where it was said."""
        message = self.get_object(request, object_id)
        if message is None or not self.has_view_permission(request, message):
            return super().change_view(request, object_id, form_url, extra_context)
        return HttpResponseRedirect(link_message(message))
