"""What holds for each list: it costs the same however long it is, says what will stand in it, and leads on."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from access.models import ApiKey, SecurityEvent
from conversations import log
from conversations.drafts import NewConversation, NewMessage
from conversations.models import Conversation, Message
from state import store
from state.jsondoc.text import parse_json
from state.models import StateEntry
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db

BY = Author("user:ada", Source.ADMIN)
LISTS = [StateEntry, Conversation, ApiKey, SecurityEvent, User]
EMPTY = [model for model in LISTS if model is not User]  # somebody looks
named = pytest.mark.parametrize("model", LISTS, ids=lambda model: model._meta.model_name)


def address_of(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def fill(numbers):
    """As many of each, with what their rows show."""
    viewer, _ = Group.objects.get_or_create(name="viewer")
    for n in numbers:
        store.put_keys({f"Key {n:03}": parse_json(b"{}")}, Author(f"key:{n}", Source.API))
        log.create(NewConversation(f"talk-{n}"), BY, [NewMessage("user", "Hello", timezone.now())])
        ApiKey.objects.create(name=f"agent {n}", prefix="nola_abcd", sha256=f"{n:064}", scopes="read write:state")
        SecurityEvent.objects.create(event="signed in", actor=f"user:{n}", detail="x", address="127.0.0.1")
        User.objects.create(username=f"person {n}", is_staff=True).groups.add(viewer)


def count_queries(client, path):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return len(queries)


def test_every_list_is_known_here():
    assert reverse("admin:index")  # which registers them

    assert {*admin.site._registry} - {*LISTS} == {Message}  # which is the search


def test_no_list_asks_the_database_more_often_for_more_rows(owner):
    fill(range(3))
    before = {model: count_queries(owner, address_of(model)) for model in LISTS}

    fill(range(3, 30))

    assert {model: count_queries(owner, address_of(model)) for model in LISTS} == before


@pytest.mark.parametrize("model", EMPTY, ids=lambda model: model._meta.model_name)
def test_a_list_with_nothing_in_it_says_what_will_stand_here_and_leads_on(owner, model):
    SecurityEvent.objects.all().delete()

    page = owner.get(address_of(model)).content.decode()

    empty = page.partition('class="ui-empty')[2].partition("</form>")[0]
    [link] = re.findall(r'href="([^"]+)"', empty)
    assert admin.site._registry[model].empty_words in empty
    assert owner.get(link).status_code == 200


@named
def test_a_search_that_finds_nothing_leads_back_to_all_in_the_same_order(owner, model):
    fill(range(2))

    page = owner.get(f"{address_of(model)}?o=-1&q=zzzz").content.decode()

    empty = page.partition('class="ui-empty')[2]
    assert "matches" in empty.partition("</p>")[0]
    [link] = re.findall(r'href="([^"]*)"', empty.partition("</form>")[0])
    assert link == "?o=-1"


@named
def test_no_list_speaks_of_records_objects_or_users(owner, model):
    fill(range(1))

    page = owner.get(address_of(model)).content.decode()

    seen = re.sub(r"<(script|style|svg).*?</\1>|<[^>]+>", " ", page.partition('id="main"')[2], flags=re.DOTALL)
    assert not re.findall(r"(?i)select \w+ to|\brecords?\b|\busers?\b(?!:)|superuser|staff|authentication", seen)


def test_who_may_make_nothing_is_led_nowhere(client):
    viewer = User.objects.create(username="bob", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_stateentry"))
    client.force_login(viewer)

    page = client.get(address_of(StateEntry)).content.decode()

    assert "href" not in page.partition('class="ui-empty')[2].partition("</form>")[0]
