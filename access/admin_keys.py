"""API keys in the admin. A key is shown once, in the answer to the form that made it, and kept nowhere."""

import json
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from access.actors import user_actor
from access.forms import Choices, Label
from access.keys import (
    BadKeySettings,
    KeySettings,
    change_key,
    check_name,
    create_key,
    describe_state,
    find_missing,
    parse_place,
    parse_time,
    revoke_keys,
    rotate_key,
)
from access.models import ApiKey
from access.moments import make_column, short_time
from access.rights import Grant, grant_person
from access.security import read_address

MAY = [
    (
        "All of the memory",
        [
            ("read", Label("Read", "The state, conversations, and the history of both.")),
            ("write", Label("Write", "The state and conversations, which it reads too. All of it can be undone.")),
        ],
    ),
    (
        "The state alone",
        [
            ("read:state", Label("Read the state", "With its history.")),
            ("write:state", Label("Write the state", "Which it reads too.")),
            (
                "suggest",
                Label("Suggest changes", "It reads the state; what it writes waits for a person, in Proposals."),
            ),
        ],
    ),
    (
        "Conversations alone",
        [
            ("read:conversations", Label("Read conversations", "With their history.")),
            ("write:conversations", Label("Write conversations", "Which it reads too.")),
        ],
    ),
    (
        "What cannot be undone",
        [("admin", Label("Purge and administer", "Removes for good, past included. It reads nothing by itself."))],
    ),
]
WORDS = {word: label.lower() for _, choices in MAY for word, label in choices}
LIMITS = (
    "What lies outside of a limit is not there for this key. A key with limits takes and restores no checkpoints, and"
    " does nothing else that reaches beyond them."
)
ENDS = {"never": "never", "24h": "after a day", "30d": "after 30 days", "90d": "after 90 days", "365d": "after a year"}
AS_IT_IS = "as it is"


class ApiKeyForm(forms.ModelForm):
    """What a key may do. `grant` is what whoever fills it in may do: nobody gives more."""

    grant: Grant
    scopes = forms.MultipleChoiceField(choices=MAY, widget=Choices, label="May", initial=["read", "write"])
    places = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "Persona\nTasks/open"}),
        label="Only these places of the state",
        help_text="A key, or a path in one, a line each. Empty: all of the state.",
    )
    user_id = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminTextInputWidget,
        label="Only conversations of",
        help_text="A user id. Empty: everybody's.",
    )
    ends = forms.ChoiceField(choices=list(ENDS.items()), widget=UnfoldAdminSelectWidget, label="Ends", required=False)

    class Meta:
        model = ApiKey
        fields = ["name", "scopes", "user_id"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            return
        self.initial["scopes"] = self.instance.scopes.split()
        self.initial["places"] = "\n".join(json.loads(self.instance.places))
        at = self.instance.expires_at
        until = short_time(at) if at else "never"
        self.fields["ends"].choices = [  # type: ignore[attr-defined]  # it is a ChoiceField
            (AS_IT_IS, f"{AS_IT_IS}: {until}"),
            *ENDS.items(),
        ]

    def clean_name(self) -> str:
        try:
            return check_name(self.cleaned_data["name"])
        except BadKeySettings as error:
            raise forms.ValidationError(str(error)) from None

    def clean_places(self) -> list[str]:
        try:
            return [parse_place(line) for line in self.cleaned_data["places"].splitlines() if line.strip()]
        except BadKeySettings as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and (missing := find_missing(self.settings, self.grant)):
            raise forms.ValidationError(
                f"A key gives no more than you have, and your account may not {', nor '.join(missing)}."
            )
        return cleaned

    @property
    def settings(self) -> KeySettings:
        """What the form says."""
        said = self.cleaned_data
        ends = said.get("ends") or AS_IT_IS
        until = self.instance.expires_at if ends == AS_IT_IS else parse_time(ends)
        return KeySettings(said["scopes"], said["places"], said["user_id"], until)


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    form = ApiKeyForm
    list_display = ["name", "state", "may", "limits", "used", "ends"]
    list_main = "state"
    search_fields = ["name"]
    search_help_text = "Find API keys by name"
    list_long = ["may"]
    empty_words = "Each agent comes in with a key of its own, which you can end without the others. They stand here."
    empty_icon = "key"
    readonly_fields = ["prefix", "state", "made", "used", "revoked"]
    actions = ["revoke"]
    change_form_template = "access/change_key.html"

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        facts = [("Until now", {"fields": self.readonly_fields})] if obj else []
        return [
            (None, {"fields": ["name", "ends"]}),
            ("What it may do", {"fields": ["scopes"]}),
            ("Limits", {"fields": ["places", "user_id"], "description": LIMITS}),
            *facts,
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return ["name", *self.readonly_fields] if obj else self.readonly_fields

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"grant": grant_person(request.user)})

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """One button: what follows is the key, or the list; the security log is the history of keys."""
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False, "show_history": False}
        return super().changeform_view(request, object_id, form_url, {**buttons, **(extra_context or {})})

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """A filter in the address must not try out what the check sum of a key is."""
        return "sha256" not in lookup and super().lookup_allowed(lookup, value, request)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            change_key(obj, form.settings, *_by(request))
        else:
            request.new_key = create_key(obj.name, form.settings, *_by(request))  # type: ignore[attr-defined]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """There is nothing that belongs to a key."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The security log has it."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The security log has it."""

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        return self._show(request, obj.name, request.new_key)  # type: ignore[attr-defined]

    def _show(self, request: HttpRequest, name: str, key: str, *, is_rotated: bool = False) -> HttpResponse:
        address = settings.NOLA_PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
        context = {"title": name, "key": key, "address": address, "is_rotated": is_rotated}
        response = TemplateResponse(request, "access/key.html", {**self.admin_site.each_context(request), **context})
        return response

    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Another secret for a key, shown once."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.get_object(request, str(pk))
        if row is None or not self.has_change_permission(request, row):
            raise PermissionDenied
        here = HttpResponseRedirect(reverse("admin:access_apikey_change", args=[pk]))
        missing = find_missing(KeySettings(row.scopes.split()), grant_person(request.user))
        if missing:
            messages.error(request, f"This key may {', and '.join(missing)}, which your account may not.")
            return here
        try:
            return self._show(request, row.name, rotate_key(row, *_by(request)), is_rotated=True)
        except BadKeySettings as error:
            messages.error(request, f"Nothing was changed: {error}.")
            return here

    def get_urls(self) -> list[URLPattern]:
        rotate = self.admin_site.admin_view(self.rotate_view)
        return [path("<int:pk>/rotate/", rotate, name="access_apikey_rotate"), *super().get_urls()]

    # What the list says

    made = make_column("created_at", "Made")
    used = make_column("last_used_at", "Last used")
    ends = make_column("expires_at", "Ends")
    revoked = make_column("revoked_at", "Revoked")

    @admin.display(description="May")
    def may(self, key: ApiKey) -> str:
        return ", ".join(WORDS.get(word, word) for word in key.scopes.split()) or "nothing"

    @admin.display(description="Limited to")
    def limits(self, key: ApiKey) -> str:
        places = [place[1:] for place in json.loads(key.places)]
        return ", ".join([*places, *([f"conversations of {key.user_id}"] if key.user_id else [])])

    @admin.display(description="State")
    def state(self, key: ApiKey) -> str:
        return describe_state(key, timezone.now())

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        count = len(revoke_keys(queryset, *_by(request)))
        self.message_user(request, f"{count} revoked. Calls with them are refused from now on.")


def _by(request: HttpRequest) -> tuple[str, str]:
    """Who does it, and from where, for the security log."""
    return user_actor(request.user), read_address(request)
