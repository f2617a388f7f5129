"""People in the admin. API keys are in admin_keys.py, the security log in admin_security.py."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldBooleanWidget

from access import people
from access.admin_keys import ApiKeyAdmin
from access.admin_security import SecurityEventAdmin
from access.forms import GroupsField, NewPasswordForm, NewPersonForm, PermissionsField, PersonForm
from access.moments import show_when
from access.security import Event, record_by_person

__all__ = ["ApiKeyAdmin", "PersonAdmin", "SecurityEventAdmin"]
admin.site.unregister(User)
admin.site.unregister(Group)
apps.get_app_config("auth").verbose_name = "Access"
User._meta.verbose_name, User._meta.verbose_name_plural = "person", "people"  # on pages; the migrations do not see it

GROUPS = "Several add up."
SINGLE = "Beside the groups. Who is to write needs see, add, change and remove."


@admin.register(User)
class PersonAdmin(UserAdmin, ModelAdmin):
    form = PersonForm
    add_form = NewPersonForm
    add_form_template = None
    change_password_form = NewPasswordForm
    change_form_template = "access/change_person.html"
    fieldsets = [
        (None, {"fields": ["username"]}),
        ("What they may do", {"fields": ["is_superuser", "groups"]}),
        ("Single permissions", {"fields": ["user_permissions"], "classes": ["collapse"], "description": SINGLE}),
        ("Coming in", {"fields": ["is_staff", "is_active", "last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "password1", "password2"]}),
        ("What they may do", {"fields": ["groups", "is_staff"]}),
    ]
    filter_horizontal = ()
    readonly_fields = ["last_login", "date_joined"]
    list_display = ["name", "role", "state", "signed_in", "may"]
    list_filter = ["groups", "is_active"]
    list_main = "role"
    list_long = ["may"]
    search_fields = ["username"]
    search_help_text = "Find people by name"
    actions = None
    empty_words = "Who may sign in to these pages stands here."
    empty_icon = "person"
    delete_words = (
        "History keeps the name with all that they wrote. To keep them out for a while, make them inactive instead."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        held = ("groups__permissions__content_type", "user_permissions__content_type")
        return super().get_queryset(request).prefetch_related(*held)

    @admin.display(description="Name", ordering="username")
    def name(self, person: User) -> str:
        return person.username

    @admin.display(description="Role")
    def role(self, person: User) -> str:
        named = [group.name for group in person.groups.all()]
        single = ["single permissions"] if person.user_permissions.all() else []
        return "everything" if person.is_superuser else ", ".join([*named, *single]) or "none"

    @admin.display(description="State", ordering="is_active")
    def state(self, person: User) -> str:
        if not person.is_active:
            return "not active"
        return "active" if person.is_staff else "may not sign in"

    @admin.display(description="Last sign-in", ordering="last_login")
    def signed_in(self, person: User) -> Any:
        return show_when(person.last_login)

    @admin.display(description="May")
    def may(self, person: User) -> str:
        return people.describe_person(person)

    # The form

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"is_staff": True, **super().get_changeform_initial_data(request)}

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        fields = [*super().get_readonly_fields(request, obj)]
        return fields if request.user.is_superuser else [*fields, "is_superuser"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name in ("is_superuser", "is_staff", "is_active"):
            options["widget"] = UnfoldBooleanWidget
        return super().formfield_for_dbfield(db_field, request, **options)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "groups":
            found = people.list_groups(request.user).prefetch_related("permissions__content_type")
            return GroupsField(found, required=False, label="Groups", help_text=GROUPS)
        return PermissionsField(people.list_permissions(request.user), required=False, label="May")

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """One button; the security log is the history of people."""
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False, "show_history": False}
        return super().changeform_view(request, object_id, form_url, {**buttons, **(extra_context or {})})

    def response_add(self, request: HttpRequest, obj: User, post_url_continue: str | None = None) -> HttpResponse:
        """To the list: all that there is to say was said in the first form."""
        return ModelAdmin.response_add(self, request, obj, post_url_continue)

    # Nobody touches somebody who has more

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def log_addition(self, request: HttpRequest, obj: User, message: Any) -> Any:
        record_by_person(Event.PERSON_MADE, request, obj.username)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        entry = super().log_change(request, obj, message)
        record_by_person(Event.PERSON_CHANGED, request, f"{obj.username}: {entry.get_change_message()}")
        return entry

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        record_by_person(Event.PERSON_REMOVED, request, ", ".join(one.username for one in queryset))
        return super().log_deletions(request, queryset)


def _may_touch(request: HttpRequest, person: User | None) -> bool:
    return person is None or people.holds_no_more(person, than=request.user)
