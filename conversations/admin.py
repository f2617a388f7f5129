"""Conversations in the admin: a list to find them in, a page that reads like a chat, and a search."""

from typing import Any
from urllib.parse import quote, urlencode

from django.contrib import admin, messages
from django.contrib.admin.utils import quote as quote_key
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from access.auth import CHANGE
from conversations import delete, export, log, read
from conversations.api import conversations, schemas, search
from conversations.models import Conversation, Message
from conversations.search.messages import RANKED, MessageHits, search_conversations, search_messages
from conversations.search.state_leaves import search_leaves
from conversations.search.tokenize import MOST_CHARACTERS, BadSearch, SearchTerm, Snippet, parse_terms
from state import registry, store, undo
from state.admin import ReadOnlyAdmin, author_of
from state.api.addresses import UnknownParameter
from state.jsondoc.pointer import escape_token
from state.revisions import Author, Source

FIRST = 100  # messages that come with the page
HITS = 50  # on a page of the search
FOUND = 5000  # conversations whose messages match, at most


def terms_of(text: str) -> list[SearchTerm]:
    """What is asked for while it is being typed: the last word may go on. Nothing if no word is in it."""
    try:
        return parse_terms(text if text.rstrip().endswith(("*", '"')) else f"{text.rstrip()}*")
    except BadSearch:
        return []


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ["name", "channel", "source", "started", "last", "message_count"]
    list_filter = ["channel", "source", "archived"]
    search_fields = ["title"]  # so that there is a box; what is searched is said below
    search_help_text = "Words in titles and messages, or a session"
    list_per_page = 50
    actions = ["archive", "reopen", "export_json", "export_markdown", "delete_with_undo"]
    actions_selection_counter = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        return super().get_queryset(request).filter(deleted_revision=None)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Conversation], search_term: str
    ) -> tuple[QuerySet[Conversation], bool]:
        if not search_term.strip():
            return queryset, False
        asked = terms_of(search_term)
        ids = search_conversations(asked, FOUND) if asked else []
        named = Q(title__icontains=search_term.strip()) | Q(session_id__icontains=search_term.strip())
        return queryset.filter(named | Q(pk__in=ids)), False

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        found.result_list = list(found.result_list)
        numbers = read.read_numbers(found.result_list)  # of this page alone
        for row in found.result_list:
            row.numbers = numbers[row.pk]
        return found

    @admin.display(description="Conversation", ordering="title")
    def name(self, row: Conversation) -> str:
        return f"{row} (archived)" if row.archived else str(row)

    @admin.display(description="Last message")
    def last(self, row: Any) -> Any:
        return row.numbers.last

    @admin.display(description="Messages")
    def message_count(self, row: Any) -> str:
        return f"{row.numbers.messages:,}"

    # What is done with those that are selected

    # The pages write through the API, which asks for the permissions on keys as well.

    def has_edit_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(("conversations.change_conversation", *CHANGE))

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(("conversations.delete_conversation", *CHANGE))

    @admin.action(description="Archive", permissions=["edit"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> None:
        log.change_all(_names(queryset), {"archived": True}, author_of(request))

    @admin.action(description="Take out of the archive", permissions=["edit"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> None:
        log.change_all(_names(queryset), {"archived": False}, author_of(request))

    @admin.action(description="Export as JSON", permissions=["view"])
    def export_json(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> HttpResponseBase:
        return conversations.stream_export(export.FORMATS["json"], queryset.order_by(), "conversations")

    @admin.action(description="Export as Markdown", permissions=["view"])
    def export_markdown(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> HttpResponseBase:
        return conversations.stream_export(export.FORMATS["markdown"], queryset.order_by(), "conversations")

    @admin.action(description="Delete (can be undone)", permissions=["remove"])
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
        if request.method != "POST" or not self.has_remove_permission(request):
            raise PermissionDenied
        try:
            store.commit(undo.plan(undo.find_revision(revision)), _undoing(request, revision))
            messages.success(request, "It is back.")
        except (undo.CannotUndo, registry.ConflictError) as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:conversations_conversation_changelist"))

    def of_view(self, request: HttpRequest) -> HttpResponse:
        """To the chat of a session id, from wherever the history names one."""
        session = request.GET.get("session", "")
        found = Conversation.objects.filter(session_id=session, deleted_revision=None).first()
        if found is not None:
            return HttpResponseRedirect(reverse("admin:conversations_conversation_change", args=[found.pk]))
        messages.warning(request, f"The conversation “{session[:200]}” is not there any more.")
        return HttpResponseRedirect(reverse("admin:conversations_conversation_changelist"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.undo_view)
        of = self.admin_site.admin_view(self.of_view)
        return [
            path("undo/<int:revision>/", view, name="conversations_conversation_undo"),
            path("of/", of, name="conversations_conversation_of"),
            *super().get_urls(),
        ]

    # The page of one

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            return super().change_view(request, object_id, form_url, extra_context)
        wanted = request.GET.get("message", "")
        page = _page(row, int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None)
        session = quote(escape_token(row.session_id), safe="~")
        data = {
            "conversation": schemas.show_conversation(row, read.read_numbers([row])[row.pk]),
            "page": conversations.show_page(row, page, branch=True),
            "revision": store.head(),
            "target": int(wanted) if page.messages and wanted in {str(one.pk) for one in page.messages} else None,
            "question": request.GET.get("q", "")[:MOST_CHARACTERS],
            "zone": timezone.get_default_timezone_name(),
            "may_edit": self.has_edit_permission(request),
            "may_delete": self.has_remove_permission(request),
        }
        context = {
            **self.admin_site.each_context(request),
            "title": str(row),
            "opts": self.opts,
            "row": row,
            "data": data,
            "api": f"/api/conversations/{session}",
            "is_fullwidth": "1",
        }
        return TemplateResponse(request, "conversations/talk.html", context)


def _undoing(request: HttpRequest, revision: int) -> Author:
    return Author(author_of(request).actor, Source.UNDO, info={"undoes": [revision]})


def _names(rows: QuerySet[Conversation]) -> list[str]:
    return list(rows.order_by().values_list("session_id", flat=True))


def _page(row: Conversation, wanted: int | None) -> read.MessagePage:
    """The newest messages of the current branch, or those around a wanted one, on whatever branch it is."""
    if wanted is not None:
        try:
            in_branch = row.current_leaf_id is None or wanted in read.read_branch(row)
            return read.read_around(row, wanted, FIRST, branch=in_branch)
        except log.UnknownTalk:
            pass
    return read.read_page(row, "newest", FIRST, branch=True)


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """The search, over messages and state."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "title": "Search", "opts": self.opts}
        return TemplateResponse(request, "conversations/search.html", context | found(request))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A message is read where it was said."""
        message = self.get_object(request, object_id)
        if message is None or not self.has_view_permission(request, message):
            return super().change_view(request, object_id, form_url, extra_context)
        return HttpResponseRedirect(link(message))


def link(message: Message, question: str = "") -> str:
    """The page on which a message is read, scrolled to it."""
    query = {"message": message.pk} | ({"q": question} if question else {})
    page = reverse("admin:conversations_conversation_change", args=[message.conversation_id])
    return f"{page}?{urlencode(query)}"


def found(request: HttpRequest) -> dict[str, Any]:
    """What the page of the search shows: the hits, or what is wrong with the question."""
    question = request.GET.get("q", "").strip()
    asked = {name: request.GET.get(name, "") for name in ("speaker", "channel", "since", "until", "order")}
    context: dict[str, Any] = {
        "q": question,
        "asked": asked,
        "speakers": schemas.SPEAKERS,
        "channels": _channels(),
    }
    if not question:
        return context
    try:
        narrowed = {name: [text] for name, text in asked.items() if text and name != "order"}
        filters = search.parse_filters(narrowed)
        skip = search.parse_skip(request.GET.get("cursor"))
        terms = terms_of(question) or parse_terms(question)
        some = search_messages(terms, filters, HITS, skip=skip, newest_first=asked["order"] == "newest")
    except (BadSearch, UnknownParameter, schemas.UnusableBody, read.BadCursor) as error:
        return context | {"problem": str(error)}
    more = urlencode({**request.GET.dict(), "cursor": skip + HITS}) if skip + HITS < some.total else ""
    hits = [(hit.message, link(hit.message, question), parts(hit.snippet)) for hit in some.hits]
    state = [] if filters or skip else _leaves(terms)
    heading = _heading(some, bool(state))
    return context | {"heading": heading, "hits": hits, "some": some, "leaves": state, "more": more}


def _heading(some: MessageHits, has_state: bool) -> str:
    if not some.hits:
        return "No message has these words" if not has_state else "No message has them"
    if not some.is_whole:
        return f"The newest {RANKED:,} of many messages"
    return "1 message" if some.total == 1 else f"{some.total:,} messages"


def _leaves(terms: list[SearchTerm]) -> list[tuple[str, str, Any]]:
    return [
        (
            reverse("admin:state_stateentry_change", args=[quote_key(leaf.key)]),
            leaf.key + leaf.pointer,
            parts(leaf.snippet),
        )
        for leaf in search_leaves(terms, 20)[0]
    ]


def _channels() -> list[str]:
    return list(Conversation.objects.order_by("channel").values_list("channel", flat=True).distinct()[:100])


def parts(snippet: Snippet) -> list[tuple[str, bool]]:
    """A snippet in pieces, each with whether it is a match."""
    pieces, at = [], 0
    for start, end in snippet.matches:
        pieces += [(snippet.text[at:start], False), (snippet.text[start:end], True)]
        at = end
    return [*pieces, (snippet.text[at:], False)]
