"""The lists of the admin in our markup: a dense table where there is room, two lines a row where there is not.

What a list of an admin class may say of itself:
    list_main      the column that stands beside the name on a phone
    list_numbers   columns of figures, right aligned
    list_long      columns of sentences, which get more room
    list_wide      columns that only stand where there is room
    empty_words    what will stand here, where nothing does yet
    empty_link     (words, page): how the first one comes; left out, it is the page to add one
    delete_words   what is asked before something of it is deleted
    empty_icon     what stands above these words
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django import template
from django.contrib import admin
from django.contrib.admin.templatetags.admin_list import result_headers
from django.contrib.admin.utils import display_for_field, display_for_value, lookup_field
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, SEARCH_VAR
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from django.urls import reverse
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from access.moments import show_when
from nola_site.doors import opens

register = template.Library()
PICK = "action_checkbox"
NOTHING = "–"


class Column(NamedTuple):
    """One of a list; `sorted` is "ascending", "descending" or "", `query` what sorts by it or turns the order."""

    field: str
    text: str
    kind: str
    query: str = ""
    sorted: str = ""


class Cell(NamedTuple):
    """One of a row: `kind` is made of classes of list.css."""

    kind: str
    text: str | SafeString
    title: str = ""


class Row(NamedTuple):
    pk: str
    href: str | None
    name: Cell
    rest: list[Cell]


@register.inclusion_tag("admin/change_list_results.html", takes_context=True)
def list_rows(context: template.Context, cl: Any) -> dict[str, Any]:
    """The rows of a changelist."""
    columns = [column for column in _columns(cl) if column.field != PICK]
    return {
        "cl": cl,
        "columns": columns,
        "can_pick": PICK in cl.list_display,
        "rows": [_row(cl, one, columns) for one in cl.result_list],
        "is_asked": bool(cl.query or cl.has_active_filters),
        "lead": _lead(context, cl),
    }


def _lead(context: template.Context, cl: Any) -> tuple[str, str] | None:
    """How the first of a list that is empty comes, as (words, address); None for whom that page does not open."""
    link = getattr(cl.model_admin, "empty_link", None)
    if link:
        words, page = link
        return (words, reverse(page)) if opens(page, context["request"].user) else None
    if not context.get("has_add_permission"):
        return None
    return f"New {cl.opts.verbose_name}", reverse(f"admin:{cl.opts.app_label}_{cl.opts.model_name}_add")


@register.simple_tag
def list_sorts(cl: Any) -> list[Column]:
    """The columns that a list can be sorted by."""
    return [column for column in _columns(cl) if column.query]


def _columns(cl: Any) -> Iterator[Column]:
    for number, (field, header) in enumerate(zip(cl.list_display, result_headers(cl), strict=True)):
        order = ("ascending" if header["ascending"] else "descending") if header.get("sorted") else ""
        turned = f"-{number}" if order == "ascending" else str(number)
        query = cl.get_query_string({ORDER_VAR: turned}, [PAGE_VAR]) if header["sortable"] else ""
        text = str(header["text"])
        yield Column(field, text[:1].upper() + text[1:], _kind(cl, field), query, order)


def _kind(cl: Any, field: str) -> str:
    if field == next(name for name in cl.list_display if name != PICK):
        return f"field-{field} ui-list-name"
    says = cl.model_admin
    kinds = {
        "ui-list-main": field == getattr(says, "list_main", ""),
        "ui-list-number": field in getattr(says, "list_numbers", ()),
        "ui-list-long": field in getattr(says, "list_long", ()),
        "ui-list-wide": field in getattr(says, "list_wide", ()),
    }
    return " ".join([f"field-{field}", *(name for name, holds in kinds.items() if holds)])


def _row(cl: Any, one: Model, columns: list[Column]) -> Row:
    name, *rest = [_cell(cl, one, column) for column in columns]
    first = next((number for number, cell in enumerate(rest) if _is_seen_below(cell)), len(rest))
    for number, cell in enumerate(rest):
        if number > first and _is_seen_below(cell):
            rest[number] = cell._replace(kind=f"{cell.kind} ui-list-then")
    return Row(str(one.pk), None if cl.list_display_links is None else cl.url_for_result(one), name, rest)


def _is_seen_below(cell: Cell) -> bool:
    """Whether it stands on the second line of a row on a phone."""
    return not {"ui-list-main", "ui-list-wide", "ui-list-none"} & {*cell.kind.split()}


def _cell(cl: Any, one: Model, column: Column) -> Cell:
    try:
        field, _, value = lookup_field(column.field, one, cl.model_admin)
    except ObjectDoesNotExist:
        field = value = None
    if value is None or value == "":
        return Cell(f"{column.kind} ui-list-none", NOTHING)
    if isinstance(value, datetime):
        return Cell(f"{column.kind} ui-list-when", show_when(value) or "")
    if isinstance(value, bool):
        return Cell(column.kind, "yes" if value else "no")
    text = display_for_value(value, NOTHING) if field is None else display_for_field(value, field, NOTHING)
    return Cell(column.kind, text, "" if isinstance(text, SafeString) else strip_tags(str(text)))


# Around the rows


@register.simple_tag
def list_pages(cl: Any) -> dict[str, Any]:
    """Where in a list of several pages somebody is; {} where there is one."""
    if not cl.multi_page or cl.show_all:
        return {}
    first = (cl.page_num - 1) * cl.list_per_page + 1
    return {
        "first": first,
        "last": min(first + cl.list_per_page - 1, cl.result_count),
        "page": cl.page_num,
        "pages": cl.paginator.num_pages,
        "before": cl.get_query_string({PAGE_VAR: cl.page_num - 1}) if cl.page_num > 1 else "",
        "after": cl.get_query_string({PAGE_VAR: cl.page_num + 1}) if cl.page_num < cl.paginator.num_pages else "",
    }


@register.simple_tag
def list_uncovered(cl: Any) -> str:
    """The address of the whole list, in the order that it has now."""
    kept = [ORDER_VAR] if cl.params.get(ORDER_VAR) else []
    gone = [name for name in cl.filter_params if name not in kept]
    query: str = cl.get_query_string(remove=[*gone, SEARCH_VAR, PAGE_VAR])
    return query


@register.simple_tag
def list_carried(cl: Any) -> list[tuple[str, str]]:
    """What the form of a search must carry along: order and filters."""
    return [(name, one) for name, values in cl.filter_params.items() if name != SEARCH_VAR for one in values]


@register.simple_tag
def list_delete_words(opts: Any) -> str:
    """What somebody is to know before something of a list is deleted."""
    return getattr(admin.site.get_model_admin(opts.model), "delete_words", "")
