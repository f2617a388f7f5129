"""What pages are called, and that none speaks of the framework or the theme that it is made with."""

import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from access.models import ApiKey
from nola_site import settings
from nola_site.pages.tests.speech import spoken, title
from state import store
from state.jsondoc.text import make_document
from state.models import Revision
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.ADMIN)
ENTRIES = [item for group in settings.UNFOLD["SIDEBAR"]["navigation"] for item in group["items"]]
PAGES = [(item["title"], item["link"]) for item in ENTRIES if not item["link"].startswith("/api/")]


def heading(response):
    [found] = re.findall(r'<h1 class="nola-heading">(.*?)</h1>', response.content.decode(), re.S)
    found = re.sub(r'<span class="material-symbols-outlined".*?</span>', " › ", found)
    return " ".join(re.sub(r"<[^>]+>", "", found).split())


@pytest.fixture
def pages(owner):
    """Where there is one of everything, the page of each."""
    store.put_keys({"tasks": make_document({"a": 1})}, ADA)
    key = ApiKey.objects.create(name="planner", sha256="0" * 64, prefix="nola_0000", scopes="read")
    bob = User.objects.create_user("bob", password="a-long-password", is_staff=True)
    return {
        "tasks · Tree · Nola": reverse("admin:state_stateentry_change", args=["tasks"]),
        "Delete tasks? · Tree · Nola": reverse("admin:state_stateentry_delete", args=["tasks"]),
        "New key · Tree · Nola": reverse("admin:state_stateentry_add"),
        "Change 1 · Activity · Nola": reverse("change", args=[Revision.objects.get().pk]),
        "planner · API keys · Nola": reverse("admin:access_apikey_change", args=[key.pk]),
        "New API key · API keys · Nola": reverse("admin:access_apikey_add"),
        "bob · People · Nola": reverse("admin:auth_user_change", args=[bob.pk]),
        "New person · People · Nola": reverse("admin:auth_user_add"),
        "Delete bob? · People · Nola": reverse("admin:auth_user_delete", args=[bob.pk]),
        "Past of bob · People · Nola": reverse("admin:auth_user_history", args=[bob.pk]),
        "Password of bob · People · Nola": reverse("admin:auth_user_password_change", args=[bob.pk]),
        "Change your password · Nola": reverse("admin:password_change"),
    }


@pytest.mark.parametrize(("name", "address"), PAGES)
def test_a_page_is_called_as_the_sidebar_calls_it(owner, name, address):
    response = owner.get(address)

    assert (heading(response), title(response)) == (name, "Nola" if not name else f"{name} · Nola")


def test_the_page_of_one_thing_is_called_after_it_first(owner, pages):
    assert {address: title(owner.get(address)) for address in pages.values()} == {pages[one]: one for one in pages}


def test_the_heading_leads_back_to_the_list_and_a_name_stands_as_it_is(owner, pages):
    response = owner.get(reverse("admin:state_stateentry_change", args=["tasks"]))

    assert heading(response) == "Tree › tasks"
    assert '<a class="nola-section" href="/admin/state/tree/">Tree</a>' in response.content.decode()


def test_no_page_speaks_of_what_it_is_made_with(owner, pages):
    addresses = [address for _, address in PAGES] + list(pages.values())
    empty = [f"{address}?q=no-such-words" for _, address in PAGES if "/state/" in address or "/access/" in address]

    found = {(address, *spoken(owner.get(address))) for address in [*addresses, *empty]}
    found = {one for one in found if one[1:]}

    assert found == set()


def test_there_is_no_page_of_a_part_of_the_program(owner):
    assert owner.get("/admin/state/")["Location"] == "/admin/"
