"""The form that edits one key as formatted JSON."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from state import edits, store
from state.address import Address
from state.jsondoc.text import Document, NotAcceptable, format_json, parse_json
from state.models import StateEntry


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
                store.plan_put(Address(key), cleaned["value"], seen=cleaned["seen"])
            except store.Stale as error:
                raise forms.ValidationError(
                    f"{error}. Your text is kept below and is not saved: open the key in another tab, bring over what"
                    " you still want, and save there.",
                    code="stale",
                ) from None
            except (edits.TooLarge, edits.TooDeep) as error:
                raise forms.ValidationError(str(error)) from None
        return cleaned
