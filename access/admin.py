"""People in the admin. API keys are in admin_keys.py."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from access.admin_keys import ApiKeyAdmin

__all__ = ["ApiKeyAdmin", "PersonAdmin"]
admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PersonAdmin(UserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "is_staff", "is_superuser", "last_login"]
    list_filter = ["is_staff", "is_active"]
