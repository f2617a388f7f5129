import pytest
from django.urls import reverse

from state import store
from state.address import Address
from state.checkpoints.restore import seed_store
from state.jsondoc.text import parse_json
from state.models import Revision, StateEntry
from state.revisions import Author, Source

LIST = "/admin/state/stateentry/"
ADD = "/admin/state/stateentry/add/"
AGENT = Author("key:agent", Source.API)


def edit(key):
    return reverse("admin:state_stateentry_change", args=[key])


@pytest.fixture
def task(owner):
    store.put(Address("Task"), parse_json('{"b":1,"a":[1.0,"é"]}'), AGENT)
    return owner


def test_the_landing_page_leads_to_the_overview(owner):
    assert owner.get("/").headers["Location"] == "/admin/"


def test_the_list_shows_size_kind_and_last_change(task):
    page = task.get(LIST).content.decode()

    for shown in ["Task", "object", "22", "bytes", "key:agent"]:
        assert shown in page


def test_the_list_loads_no_values(task, django_assert_max_num_queries):
    for number in range(20):
        store.put(Address(f"key-{number}"), parse_json("[1]"), AGENT)

    with django_assert_max_num_queries(10) as queries:
        task.get(LIST)

    assert not [query for query in queries if ', "state_storage"."value_json",' in query["sql"]]


def test_the_form_shows_formatted_json_in_its_order(task):
    form = task.get(edit("Task")).context["adminform"].form

    assert form["value"].value() == '{\n  "b": 1,\n  "a": [\n    1.0,\n    "é"\n  ]\n}'
    assert form["seen"].value() == 1


def test_saving_goes_through_the_store(task):
    response = task.post(edit("Task"), {"value": '{"b": 2, "a": [1.0, "é"]}', "seen": 1, "reason": "a typo"})

    assert response.status_code == 302
    revision = Revision.objects.first()
    assert (revision.seq, revision.actor, revision.source, revision.reason) == (2, "user:ada", "admin", "a typo")
    assert revision.changes.get().forward == [{"op": "replace", "path": "/b", "value": 2}]
    assert store.read(Address("Task")).text == '{"b":2,"a":[1.0,"é"]}'


def test_saving_what_is_there_changes_nothing(task):
    value = task.get(edit("Task")).context["adminform"].form["value"].value()

    task.post(edit("Task"), {"value": value, "seen": 1, "reason": ""})

    assert store.head() == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"b": 2,\r\n "a": [1,]}', "line 2, column 10, inside /a/1"),
        ('{"b": NaN}', "line 1, column 7, inside /b: NaN is not JSON"),
        ("", "Empty is not JSON"),
        ('{"b": 1, "b": 2}', "stands twice in one object"),
    ],
)
def test_a_bad_document_is_a_form_error_with_its_place_and_the_text_kept(task, text, words):
    response = task.post(edit("Task"), {"value": text, "seen": 1, "reason": ""})

    assert response.status_code == 200
    form = response.context["adminform"].form
    assert words in form.errors["value"][0]
    assert form["value"].value() == text
    assert store.head() == 1


def test_a_form_opened_before_somebody_elses_change_is_refused_and_keeps_the_text(task):
    store.put(Address("Task", ("b",)), parse_json("7"), AGENT)

    response = task.post(edit("Task"), {"value": '{"mine": 1}', "seen": 1, "reason": ""})

    assert response.status_code == 200
    form = response.context["adminform"].form
    assert "'Task' was changed by key:agent in revision 2" in form.non_field_errors()[0]
    assert form["value"].value() == '{"mine": 1}'
    assert store.read(Address("Task")).text == '{"b":7,"a":[1.0,"é"]}'


def test_a_form_whose_key_went_meanwhile_keeps_the_text(task):
    store.remove(Address("Task"), AGENT)

    response = task.post(edit("Task"), {"value": '{"mine": 1}', "seen": 1, "reason": ""})

    assert response.status_code == 200
    form = response.context["adminform"].form
    assert "'Task' was deleted" in form.non_field_errors()[0]
    assert form["value"].value() == '{"mine": 1}'
    assert not StateEntry.objects.exists()


@pytest.mark.parametrize("text", ["null", "{}", "[]", '""', "0", "false"])
def test_empty_values_can_be_added(owner, text):
    response = owner.post(ADD, {"key_name": "New", "value": text, "seen": 0, "reason": ""})

    assert response.status_code == 302
    assert store.read(Address("New")).text == text


def test_an_existing_key_is_not_added_over(task):
    response = task.post(ADD, {"key_name": "Task", "value": "1", "seen": 0, "reason": ""})

    assert "already exists" in str(response.context["adminform"].form.errors)
    assert store.head() == 1


def test_a_key_that_is_too_long_is_a_form_error(owner):
    response = owner.post(ADD, {"key_name": "é" * 257, "value": "1", "seen": 0, "reason": ""})

    assert "this one has 514" in response.context["adminform"].form.errors["key_name"][0]


@pytest.mark.parametrize("key", ["a/b", "a b", "é", 'q"<x>', "?#%_5F", "_2F", "a\\b"])
def test_any_key_can_be_opened_and_saved(owner, key):
    store.put(Address(key), parse_json("1"), AGENT)

    assert owner.get(edit_quoted(key)).status_code == 200
    assert owner.post(edit_quoted(key), {"value": "2", "seen": 1, "reason": ""}).status_code == 302
    assert store.read(Address(key)).text == "2"


def edit_quoted(key):
    from django.contrib.admin.utils import quote

    return edit(quote(key))


def test_deleting_goes_through_the_store(task):
    response = task.post(reverse("admin:state_stateentry_delete", args=["Task"]), {"post": "yes"})

    assert response.status_code == 302
    assert Revision.objects.first().changes.get().forward == [{"op": "remove", "path": ""}]
    assert not StateEntry.objects.exists()


def test_deleting_several_is_one_revision(owner):
    seed_store()
    action = {"action": "delete_selected", "_selected_action": ["Context", "Persona"], "post": "yes"}

    owner.post(LIST, action)

    assert Revision.objects.first().changes.count() == 2
    assert list(StateEntry.objects.values_list("pk", flat=True)) == ["Identity"]


def test_the_history_of_a_key_is_one_click_away(task):
    response = task.get(reverse("admin:state_stateentry_history", args=["Task"]))

    assert response.headers["Location"] == "/admin/activity/#key=Task"


def test_values_are_inert_in_every_page(owner):
    hostile = '{"<script>alert(1)</script>": "{{x}} </textarea><script>alert(2)</script>"}'
    store.put(Address("<script>alert(0)</script>"), parse_json(hostile), AGENT)

    from django.contrib.admin.utils import quote

    for page in [LIST, edit(quote("<script>alert(0)</script>")), "/admin/activity/", "/admin/activity/1/"]:
        assert b"<script>alert" not in owner.get(page).content
