"""How the list of conversations is narrowed: by where they came from, where they took place, and the archive."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from conversations.models import Conversation
from state import undo
from state.models import Change

MOST = 100  # values to choose from
Choices = list[tuple[str, str]]


class _ValueFilter(SimpleListFilter):
    """The values that a field has; "" is offered by what it means."""

    parameter_name: str
    nothing = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        there = Conversation.objects.filter(deleted_revision=None).order_by(self.parameter_name)
        values = there.values_list(self.parameter_name, flat=True).distinct()[:MOST]
        return [(value, value or self.nothing) for value in values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> QuerySet[Conversation]:
        value = self.value()
        return queryset if value is None else queryset.filter(**{self.parameter_name: value})


class SourceFilter(_ValueFilter):
    title, parameter_name, nothing = "source", "source", "Not imported"


class ChannelFilter(_ValueFilter):
    title, parameter_name, nothing = "channel", "channel", "No channel"


class ArchiveFilter(SimpleListFilter):
    title, parameter_name = "archive", "archived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("no", "Not in the archive"), ("yes", "In the archive")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> QuerySet[Conversation]:
        return queryset.filter(archived=self.value() == "yes") if self.value() in ("yes", "no") else queryset


class ImportFilter(SimpleListFilter):
    """What came with one import, where a link leads to that."""

    title, parameter_name = "import", "import"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        batch = request.GET.get(self.parameter_name)
        return [(batch, "What came with this import")] if batch else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> QuerySet[Conversation]:
        batch = self.value()
        return queryset if batch is None else queryset.filter(session_id__in=_list_changed(batch))


def _list_changed(batch: str) -> QuerySet[Change, str]:
    """The session ids of conversations that an import began or added to."""
    try:
        revisions = undo.find_batch(batch)
    except undo.CannotUndo:
        revisions = []
    changes = Change.objects.filter(revision__in=revisions, kind__in=("conversation", "message"))
    return changes.order_by().values_list("key", flat=True).distinct()
