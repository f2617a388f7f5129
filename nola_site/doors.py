"""Every door there is, and what it needs: calls of the API by the name of their view, pages by that of their URL.

What each tool of MCP needs stands with it, in `nola_site.mcp.tools`.

A call or a page that does not stand here does not open: the start, or the page, fails.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from csp.decorators import csp_update
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from ninja import Router
from unfold.sites import UnfoldAdminSite

from access.auth import KeyAuth, StaffAuth
from access.rights import Needs, Right, grant_person, needs
from access.security import Event, record_by_person
from access.sign_in import SignInForm, answer_wait, is_first_password_kept

lets_theme_evaluate = csp_update({"script-src": ["'unsafe-eval'"]})  # Alpine, in the theme of the admin, does

READS = (Right.READ_STATE, Right.READ_CONVERSATIONS)
SUGGESTS = (Right.WRITE_STATE, Right.SUGGEST_STATE)  # a write of who may only suggest becomes a proposal

CALLS: dict[str, Needs] = {
    # The state
    "read_state": needs(Right.READ_STATE, heeds_limits=True),
    "query_state": needs(Right.READ_STATE, heeds_limits=True),
    "put_state": needs(either=SUGGESTS, heeds_limits=True),
    "patch_state": needs(either=SUGGESTS, heeds_limits=True),
    "delete_state": needs(either=SUGGESTS, heeds_limits=True),
    "run_transaction": needs(either=SUGGESTS, heeds_limits=True),
    # Proposals; who may not write the state sees its own
    "list_proposals": needs(either=SUGGESTS),
    "read_proposal": needs(either=SUGGESTS),
    "accept_proposal": needs(Right.WRITE_STATE),
    "reject_proposal": needs(Right.WRITE_STATE),
    "withdraw_proposal": needs(either=SUGGESTS),
    # What was: of all kinds of memory those that one may read
    "read_journal": needs(Right.READ_HISTORY, either=READS, heeds_limits=True),
    "read_changes": needs(Right.READ_HISTORY, either=READS, heeds_limits=True),
    "read_history": needs(Right.READ_STATE, Right.READ_HISTORY, heeds_limits=True),
    "read_diff": needs(Right.READ_STATE, Right.READ_HISTORY, heeds_limits=True),
    "read_blame": needs(Right.READ_STATE, Right.READ_HISTORY, heeds_limits=True),
    "read_deleted": needs(Right.READ_STATE, Right.READ_HISTORY, heeds_limits=True),
    # and, once it is known what is undone, the right to write that
    "undo_revisions": needs(Right.READ_HISTORY, heeds_limits=True),
    # Checkpoints; those with conversations in them need the right to these too
    "list_checkpoints": needs(Right.READ_STATE),
    "read_checkpoint": needs(Right.READ_STATE),
    "verify_checkpoint": needs(Right.READ_STATE),
    "diff_checkpoint": needs(Right.READ_STATE),
    "create_checkpoint": needs(Right.WRITE_STATE),
    "delete_checkpoint": needs(Right.WRITE_STATE),
    "restore_state": needs(Right.WRITE_STATE),
    # Conversations
    "list_conversations": needs(Right.READ_CONVERSATIONS, heeds_limits=True),
    "read_conversation": needs(Right.READ_CONVERSATIONS, heeds_limits=True),
    "read_messages": needs(Right.READ_CONVERSATIONS, heeds_limits=True),
    "read_message": needs(Right.READ_CONVERSATIONS, heeds_limits=True),
    "create_conversation": needs(Right.WRITE_CONVERSATIONS, heeds_limits=True),
    "change_conversation": needs(Right.WRITE_CONVERSATIONS, heeds_limits=True),
    "delete_conversation": needs(Right.WRITE_CONVERSATIONS, heeds_limits=True),
    "append_messages": needs(Right.WRITE_CONVERSATIONS, heeds_limits=True),
    "change_message": needs(Right.WRITE_CONVERSATIONS, heeds_limits=True),
    "delete_message": needs(Right.WRITE_CONVERSATIONS, heeds_limits=True),
    "delete_messages": needs(Right.WRITE_CONVERSATIONS, heeds_limits=True),
    "import_conversations": needs(Right.WRITE_CONVERSATIONS, heeds_limits=True),
    "purge_conversation": needs(Right.WRITE_CONVERSATIONS, Right.PURGE, heeds_limits=True),
    # Both, of which the one that may not be read is left out
    "search_all": needs(either=READS, heeds_limits=True),
    "read_context": needs(either=READS, heeds_limits=True),
    "keep_context": needs(Right.WRITE_CONVERSATIONS, either=READS, heeds_limits=True),
    "list_receipts": needs(*READS, heeds_limits=True),  # with limits, those that the key itself has kept
    "read_receipt": needs(*READS, heeds_limits=True),
    "remove_receipts": needs(*READS, Right.PURGE),
}

STAFF = needs()  # a page shows as much as the rights of who looks at it let it
MODEL = needs()  # Django asks for the permission on what the page is about
SEES, CHANGES = needs(Right.READ_STATE), needs(Right.READ_STATE, Right.WRITE_STATE)
TALKS = needs(Right.READ_CONVERSATIONS)

PAGES: dict[str, Needs] = {
    "admin:index": STAFF,
    "admin:app_list": STAFF,
    "admin:search": STAFF,
    "admin:logout": STAFF,
    "admin:password_change": STAFF,
    "admin:password_change_done": STAFF,
    "admin:jsi18n": STAFF,
    "admin:autocomplete": MODEL,
    "admin:view_on_site": MODEL,
    "latest": STAFF,
    # The state
    "tree": SEES,
    "tree-find": SEES,
    "tree-moments": needs(Right.READ_STATE, Right.READ_HISTORY),
    "tree-sizes": needs(Right.READ_STATE, Right.READ_HISTORY),
    "admin:state_stateentry_changelist": SEES,
    "admin:state_stateentry_add": CHANGES,
    "admin:state_stateentry_change": SEES,
    "admin:state_stateentry_delete": CHANGES,
    "admin:state_stateentry_history": needs(Right.READ_STATE, Right.READ_HISTORY),
    "proposals:index": CHANGES,
    "proposals:one": CHANGES,
    **dict.fromkeys(("activity", "change"), needs(Right.READ_HISTORY, either=READS)),
    # Checkpoints
    **dict.fromkeys(
        (f"checkpoints:{page}" for page in ("index", "one", "changes", "missing", "verdict", "file")), SEES
    ),
    **dict.fromkeys(
        (f"checkpoints:{page}" for page in ("create", "upload", "verify", "delete", "accept", "restore")), CHANGES
    ),
    "checkpoints:undo": CHANGES,
    # Conversations
    **dict.fromkeys(
        (
            f"admin:conversations_conversation_{page}"
            for page in ("changelist", "add", "change", "delete", "history", "of")
        ),
        TALKS,
    ),
    "admin:conversations_conversation_undo": needs(Right.WRITE_CONVERSATIONS),
    "admin:conversations_conversation_export": TALKS,
    "conversation-names": TALKS,
    **dict.fromkeys(
        (
            f"imports:{page}"
            for page in ("index", "begin", "one", "state", "piece", "look", "import", "undo", "stop", "remove")
        ),
        needs(Right.WRITE_CONVERSATIONS),
    ),
    "admin:conversations_message_changelist": needs(either=READS),
    **dict.fromkeys((f"admin:conversations_message_{page}" for page in ("add", "change", "delete", "history")), TALKS),
    "context": needs(either=READS),
    "search": needs(either=READS),
    "search-hits": needs(either=READS),
    # Access
    "connect": STAFF,
    "connect-callers": STAFF,
    **dict.fromkeys(
        (
            f"admin:{model}_{page}"
            for model in ("auth_user", "access_apikey")
            for page in ("changelist", "add", "change", "delete", "history")
        ),
        MODEL,
    ),
    "admin:auth_user_password_change": MODEL,
    "admin:access_apikey_rotate": MODEL,
    "forget": needs(Right.ADMINISTER),
    **dict.fromkeys(
        (f"admin:access_securityevent_{page}" for page in ("changelist", "add", "change", "delete", "history")),
        needs(Right.ADMINISTER),
    ),
}


def declare(router: Router) -> Router:
    """A router whose calls open to those who have what CALLS says. Raises ImproperlyConfigured."""
    for path in router.path_operations.values():
        for operation in path.operations:
            name = operation.view_func.__name__.removesuffix("_at_root")
            if name not in CALLS:
                raise ImproperlyConfigured(f"nola_site.doors does not say what the call {name} needs")
            operation.auth_param = [KeyAuth(CALLS[name]), StaffAuth(CALLS[name])]
            operation.auth_callbacks = operation.auth_param
    return router


class NolaAdminSite(UnfoldAdminSite):
    """The admin, whose pages open to those who have what PAGES says."""

    login_form = SignInForm

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        more = {"is_first_password_kept": is_first_password_kept(), **(extra_context or {})}
        view: Any = lets_theme_evaluate(super().login)
        return answer_wait(view(request, more))

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> HttpResponse:
        """There is no page of a part of the program: the sidebar has all pages."""
        return HttpResponseRedirect(reverse("admin:index"))

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            found = request.resolver_match
            if found is None or found.url_name is None:  # an address that leads nowhere, or on to another
                return view(request, *args, **kwargs)
            if found.view_name not in PAGES:
                raise ImproperlyConfigured(f"nola_site.doors does not say what the page {found.view_name} needs")
            try:
                PAGES[found.view_name].check(grant_person(request.user))
                return view(request, *args, **kwargs)
            except PermissionDenied:
                record_by_person(Event.REFUSED, request, f"the page {found.view_name}")
                raise

        return super().admin_view(lets_theme_evaluate(guarded), cacheable)


def opens(page: str, user: Any) -> bool:
    """Whether a page opens to somebody, for the sidebar."""
    return PAGES[page].suffices(grant_person(user))
