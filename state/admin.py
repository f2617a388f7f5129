"""The state and its history in the admin. Saving and deleting go through the store."""

import re
from typing import Any
from urllib.parse import quote, urlencode

from django import forms
from django.contrib import admin
from django.contrib.admin import utils
from django.db.models import CharField, Func, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Substr
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from access.actors import show_actor, user_actor
from access.moments import make_column
from access.rights import Right, may
from state import edits, store
from state.address import Address
from state.jsondoc.names import show_name
from state.jsondoc.pointer import escape_token
from state.jsondoc.text import Document, NotAcceptable, format_json, json_type, parse_json
from state.models import Revision, StateEntry
from state.proposals.protected import BadProtectedPaths, check_list
from state.revisions import Author, Source

# Browsers drop the path segments . and .., which are good keys: a dot in an address of the admin is _2E, as other signs
# that mean something there are spelt by Django.
utils.QUOTE_MAP[ord(".")] = "_2E"
utils.UNQUOTE_MAP["_2E"] = "."
utils.UNQUOTE_RE = re.compile("|".join(utils.UNQUOTE_MAP))


class JSONFormField(forms.CharField):
    """A textarea of formatted JSON; cleans to a Document. A refused text stays in the box, with line and column."""

    default_error_messages = {"required": 'Empty is not JSON. Write null, "", {} or [] for an empty value.'}

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"class": "nola-json", "rows": 24, "spellcheck": "false", "autocapitalize": "off", "wrap": "off"}
        super().__init__(strip=False, widget=UnfoldAdminTextareaWidget(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> Document:
        text = super().clean(value)
        try:
            return parse_json(text.encode())
        except (NotAcceptable, UnicodeEncodeError) as error:
            raise forms.ValidationError(f"Not acceptable JSON: {error}.", code="json") from None


class StateForm(forms.ModelForm):
    """A key and its document. `seen` carries the revision that the page was opened at; 0 is "no such key"."""

    value = JSONFormField(label="Value", help_text="JSON. Members keep the order in which they stand here.")
    reason = forms.CharField(
        required=False,
        max_length=1000,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Optional: why this changes"}),
        help_text="Kept in the history with the change.",
    )
    seen = forms.IntegerField(widget=forms.HiddenInput)

    class Meta:
        model = StateEntry
        fields = ["key_name"]
        widgets = {"key_name": UnfoldAdminTextInputWidget()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["value"] = format_json(self.instance.value_json)
            self.initial["seen"] = self.instance.revision
            self.fields.pop("key_name", None)
        else:
            self.initial.setdefault("value", "{}")
            self.initial["seen"] = 0

    def clean_key_name(self) -> str:
        key: str = self.cleaned_data["key_name"]
        try:
            store.check_key(key)
        except store.BadKey as error:
            raise forms.ValidationError(str(error)) from None
        return key

    def clean(self) -> dict[str, Any]:
        """Refuse now what the store would refuse on saving; on SQLite the write lock is held from here to the save."""
        cleaned = super().clean() or self.cleaned_data
        key = self.instance.pk or cleaned.get("key_name")
        if key and not self.errors:
            try:
                check_list(store.plan_put(Address(key), cleaned["value"], seen=cleaned["seen"]))
            except store.Stale as error:
                raise forms.ValidationError(
                    f"{error}. Your text is kept below and is not saved: open the key in another tab, bring over what"
                    " you still want, and save there.",
                    code="stale",
                ) from None
            except (edits.TooLarge, edits.TooDeep, BadProtectedPaths) as error:
                raise forms.ValidationError(str(error)) from None
        return cleaned


class ByteLength(Func):
    """The length of a text in bytes of UTF-8."""

    template = "LENGTH(CAST(%(expressions)s AS BLOB))"
    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="OCTET_LENGTH(%(expressions)s)", **extra)


class ReadOnlyAdmin(ModelAdmin):
    """Pages to look at what only the store may write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return super().change_view(request, object_id, form_url, {"show_history": False})


@admin.register(StateEntry)
class StateAdmin(ModelAdmin):
    """The form of a key. Who may write the state may do all of it, as in the API."""

    form = StateForm
    fields = ["key_name", "value", "reason", "seen"]
    list_display = ["key", "kind", "size", "changed", "changed_by", "place"]
    list_main = "size"
    list_numbers = ["size"]
    list_wide = ["place"]
    empty_words = "What an agent remembers stands here, a key for each thing. Put the first one, or let an agent do it."
    empty_icon = "data_object"
    delete_words = "What it held stays in the history, and the deletion can be undone there."
    search_fields = ["key_name"]
    search_help_text = "Find keys by name"
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.WRITE_STATE)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Right.WRITE_STATE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Right.WRITE_STATE)

    def get_queryset(self, request: HttpRequest) -> QuerySet[StateEntry]:
        author = Revision.objects.filter(seq=OuterRef("revision")).values("actor")
        return (
            super()
            .get_queryset(request)
            .defer("value_json")  # the list shows no values, so it loads none
            .annotate(
                first=Substr("value_json", 1, 1, output_field=CharField()),
                bytes=ByteLength("value_json"),
                actor=Subquery(author),
            )
        )

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> StateEntry | None:
        """A key that went while its form was open still gets its form back, so that the typed text is not lost."""
        entry = super().get_object(request, object_id, from_field)
        if entry is None and request.method == "POST" and "value" in request.POST:
            return StateEntry(key_name=object_id, value_json=None, revision=0)
        return entry

    def get_fields(self, request: HttpRequest, obj: StateEntry | None = None) -> list[str]:
        return self.fields[1:] if obj else self.fields

    @admin.display(description="Key name", ordering="key_name")
    def key(self, entry: Any) -> SafeString:
        shown = show_name(entry.pk)
        mark = "" if shown == entry.pk else " nola-marked"
        return format_html('<span class="nola-name{}" title="{}">{}</span>', mark, shown, shown)

    @admin.display(description="Kind")
    def kind(self, entry: Any) -> str:
        return json_type(entry.first)

    @admin.display(description="Size", ordering="bytes")
    def size(self, entry: Any) -> str:
        return filesizeformat(entry.bytes)

    changed = make_column("updated_at", "Changed")

    @admin.display(description="By", ordering="actor")
    def changed_by(self, entry: Any) -> SafeString:
        return show_actor(entry.actor)

    @admin.display(description="In the tree")
    def place(self, entry: Any) -> SafeString:
        return format_html(
            '<a class="ui-link" href="{}" title="Show in the tree" aria-label="{} in the tree">Show</a>',
            reverse("tree") + find_place(entry.pk),
            show_name(entry.pk),
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        entry = more.get("obj")
        place = {"place": find_place(entry.pk)} if entry else {}
        return super().render_change_form(request, {**context, **place}, *args, **more)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        place = {"place": find_place(utils.unquote(object_id))}
        return super().delete_view(request, object_id, {**place, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: StateEntry, form: StateForm, change: bool) -> None:
        document, seen = form.cleaned_data["value"], form.cleaned_data["seen"]
        author = author_of(request, form.cleaned_data["reason"])
        obj.revision = store.put(Address(obj.pk), document, author, seen=seen).revision

    def delete_model(self, request: HttpRequest, obj: StateEntry) -> None:
        store.remove_keys([obj.pk], author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[StateEntry]) -> None:
        store.remove_keys(queryset.values_list("pk", flat=True), author_of(request))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse('activity')}#{urlencode({'key': utils.unquote(object_id)})}")

    # The history has it all, with its patch: the admin's own log would be a second, poorer record.

    def log_addition(self, *_: Any) -> None: ...

    def log_change(self, *_: Any) -> None: ...

    def log_deletions(self, *_: Any) -> None: ...


def find_place(key: str) -> str:
    """Where in the page of the tree a key is: the end of its address."""
    return f"#/{quote(escape_token(key), safe='')}"


def author_of(request: HttpRequest, reason: str = "") -> Author:
    return Author(user_actor(request.user), Source.ADMIN, reason)
