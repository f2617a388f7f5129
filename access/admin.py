"""People in the admin. API keys are in admin_keys.py, the security log in admin_security.py."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from access import people
from access.admin_keys import ApiKeyAdmin
from access.admin_security import SecurityEventAdmin
from access.moments import make_column
from access.security import Event, record_by_person

__all__ = ["ApiKeyAdmin", "PersonAdmin", "SecurityEventAdmin"]
admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PersonAdmin(UserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "is_staff", "is_superuser", "signed_in"]
    list_filter = ["is_staff", "is_active"]
    filter_horizontal = ()  # two lists and icons between them: neither for a phone nor for a keyboard

    signed_in = make_column("last_login", "Last signed in")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        fields = [*super().get_readonly_fields(request, obj)]
        return fields if request.user.is_superuser else [*fields, "is_superuser"]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **options)
        if field is not None:
            give = people.list_groups if db_field.name == "groups" else people.list_permissions
            field.queryset = give(request.user)
        return field

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
