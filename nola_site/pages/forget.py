"""The page where an owner forgets something: what it is, what holds it, and the question. As `./nola forget`."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache

from nola_site.forget import run
from nola_site.forget.redaction import BadText
from state.admin import author_of
from state.errors import DamagedDatabase, UnsupportedDatabase
from state.files.atomic import CannotWrite, NoRoom
from state.jsondoc.pointer import BadPointer
from state.pages.checkpoints import make_sentence
from state.revisions import Author, Source

REFUSALS = (BadText, BadPointer, run.Busy, UnsupportedDatabase, DamagedDatabase, NoRoom, CannotWrite)


@never_cache
def show_page(request: HttpRequest) -> HttpResponse:
    """The form; by POST what holds it, and, once that was seen, the forgetting."""
    context: dict[str, Any] = {"title": "Forget", "outside": run.list_outside()}
    if request.method == "POST":
        context |= {name: request.POST.get(name, "") for name in ("what", "kind", "everywhere", "reason")}
        try:
            wanted = run.parse_forgettable(
                context["what"], everywhere=bool(context["everywhere"]), is_text=context["kind"] == "text"
            )
            if "sure" in request.POST:
                return _forget(request, wanted, context["reason"])
            context["found"] = run.preview(wanted)
        except REFUSALS as error:
            messages.error(request, make_sentence(error))
    return TemplateResponse(request, "nola_site/forget.html", {**admin.site.each_context(request), **context})


def _forget(request: HttpRequest, wanted: run.Forgettable, reason: str) -> HttpResponse:
    author = Author(author_of(request).actor, Source.FORGET, reason[:1000])
    done = run.forget(wanted, author, waits=False)
    where = f" in revision {done.revision}" if done.revision else ""
    messages.success(request, f"Forgotten{where}: {'; '.join(done.lines()) or 'nothing held it'}.")
    for line in done.left:
        messages.warning(request, make_sentence(line))
    return HttpResponseRedirect(reverse("forget"))
