"""The forms of people, and choices that say what each of them means."""

from typing import Any

from django import forms
from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from access.people import describe_group, describe_permission, is_of_use


class Label(str):
    """The words of a choice, and what it means."""

    says: str

    def __new__(cls, text: str, says: str = "") -> "Label":  # a copy, as forms make them, sets `says` itself
        made = super().__new__(cls, text)
        made.says = says
        return made


class Choices(forms.CheckboxSelectMultiple):
    template_name = "access/choices.html"


class GroupsField(forms.ModelMultipleChoiceField):
    """Groups, each with what it lets people do."""

    widget = Choices

    def label_from_instance(self, group: Group) -> str:
        return Label(group.name, describe_group(group))


class PermissionsField(forms.ModelMultipleChoiceField):
    """Single permissions, in words."""

    widget = Choices

    def label_from_instance(self, permission: Permission) -> str:
        return describe_permission(permission)


LABELS = {
    "username": "Name",
    "is_superuser": "May do everything",
    "is_staff": "May sign in",
    "is_active": "Active",
    "last_login": "Last sign-in",
    "date_joined": "Added",
}
HELP = {
    "username": "For signing in, and what history calls them. Letters, digits and @ . + - _",
    "is_superuser": "Whatever is ticked below, and whatever comes to Nola later.",
    "is_staff": "On these pages.",
    "is_active": "Off: signed out at once and kept out, with all the rest as it is.",
}


class PersonForm(UserChangeForm):
    class Meta(UserChangeForm.Meta):
        labels, help_texts = LABELS, HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user_permissions" in self.fields:
            field: Any = self.fields["user_permissions"]
            field.queryset = self._useful(field.queryset)

    def _useful(self, found: QuerySet[Permission]) -> QuerySet[Permission]:
        """Those that mean something here, and whatever this person has: nothing is lost by saving."""
        had = {*self.instance.user_permissions.values_list("pk", flat=True)}
        return found.filter(pk__in=had | {one.pk for one in found if is_of_use(one)})


class NewPersonForm(UserCreationForm):
    usable_password = None  # everybody signs in with one

    class Meta(UserCreationForm.Meta):
        labels, help_texts = LABELS, HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _ask_twice(self)


class NewPasswordForm(AdminPasswordChangeForm):
    """Another password for somebody; nobody is left without one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("usable_password", None)
        _ask_twice(self)


def _ask_twice(form: forms.BaseForm) -> None:
    first, again = form.fields["password1"], form.fields["password2"]
    first.required = again.required = True
    first.help_text = "At least 8 characters, and none that many people use."
    again.label, again.help_text = "Once more", ""
