"""The security log in the admin: for those who administer, and for nobody to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from access.actors import show_actor
from access.models import SecurityEvent
from access.moments import make_column
from access.rights import Right, may


@admin.register(SecurityEvent)
class SecurityEventAdmin(ModelAdmin):
    list_display = ["event", "who", "address", "detail", "when"]
    list_main = "when"
    list_long = ["detail"]
    list_display_links = None
    empty_words = "Who signed in, what was refused, and what was done to keys and people stands here."
    empty_link = ("Look at the overview", "admin:index")
    empty_icon = "shield"
    list_filter = ["event", "at"]
    search_fields = ["actor", "address", "detail"]
    search_help_text = "Who, from which address, or what"
    list_per_page = 50

    when = make_column("at", "When")

    @admin.display(description="Who", ordering="actor")
    def who(self, event: SecurityEvent) -> SafeString:
        return show_actor(event.actor)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Right.ADMINISTER)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
