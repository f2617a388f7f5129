import json
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from state import store
from state.address import Address
from state.checkpoints.files import find_checkpoint, find_newest_sound, read_checkpoints
from state.checkpoints.verify import find_problem
from state.jsondoc.text import make_document, parse_json
from state.models import Revision
from state.revisions import Author, Source

ADA = Author("user:ada", Source.API)
PAGE = "/admin/checkpoints/"


@pytest.fixture
def mine(owner, monkeypatch):
    """A signed-in owner, and a checkpoint of two keys, one of which was then changed, and one added."""
    monkeypatch.setattr("state.pages.checkpoints.PATIENCE", 60)
    for key, text in [("A", '{"n":1,"deep":{"x":[1,2]}}'), ("B", "2")]:
        store.put(Address(key), parse_json(text), ADA)
    owner.post(f"{PAGE}create/", {"name": "mine", "why": "to show"})
    store.put(Address("A", ("n",)), parse_json("5"), ADA)
    store.put(Address("New"), parse_json('"<b>"'), ADA)
    return owner


def said(response):
    return [str(message) for message in response.wsgi_request._messages]


def state():
    return json.loads(store.read_all().text)


def row(key, value):
    return {"model": "state.stateentry", "pk": key, "fields": {"value_json": value}}


def upload(client, content, filename="brought.json", **fields):
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    raw = text.encode() if isinstance(text, str) else text
    return client.post(f"{PAGE}upload/", {"file": SimpleUploadedFile(filename, raw), **fields})


def names():
    return {one.name for one in read_checkpoints()}


# The list


def test_the_page_lists_what_is_kept_with_verdicts(mine):
    (read_checkpoints()[0].path.parent / "broken.json").write_text("[")

    page = mine.get(PAGE).content.decode()

    assert re.findall(r'<th scope="row"[^>]*><a href="/admin/checkpoints/([\w-]+)/"', page)[:2] == ["broken", "mine"]
    assert page.count("damaged</span>") == 1
    assert page.count("sound</span>") == 4
    assert "to show" in page


def test_a_verdict_that_takes_long_is_asked_for_by_the_page(mine, monkeypatch):
    monkeypatch.setattr("state.pages.checkpoints.PATIENCE", 0)

    assert 'data-verdict="/admin/checkpoints/mine/verdict/"' in mine.get(PAGE).content.decode()
    assert mine.get(f"{PAGE}mine/verdict/").json() == {"problem": ""}


def test_a_checkpoint_without_a_name_is_named_by_the_day_and_never_pruned(mine):
    mine.post(f"{PAGE}create/")
    mine.post(f"{PAGE}create/")

    days = sorted(names() - {"mine"})
    assert [re.sub(r"^\d{4}-\d\d-\d\d", "day", one) for one in days] == ["day", "day-2"]


def test_a_checkpoint_can_be_downloaded_and_verified(mine):
    response = mine.get(f"{PAGE}mine/file/")

    assert json.loads(b"".join(response))[0]["model"] == "nola.checkpoint"
    assert 'filename="mine.json"' in response["Content-Disposition"]
    assert "mine is sound" in said(mine.post(f"{PAGE}mine/verify/"))[-1]


def test_a_checkpoint_is_deleted_once_that_is_confirmed(mine):
    asked = mine.get(f"{PAGE}mine/delete/").content.decode()
    before = names()
    mine.post(f"{PAGE}mine/delete/")

    assert "Delete mine?" in asked
    assert (before, names()) == ({"mine"}, set())
    assert state()["New"] == "<b>"


def test_a_seed_cannot_be_deleted(mine):
    response = mine.post(f"{PAGE}identity/delete/")

    assert "is a seed" in said(response)[-1]
    assert find_checkpoint("identity")


# Adding a file


def test_an_added_file_is_listed_and_restores_nothing(mine):
    raw = find_checkpoint("mine").path.read_bytes()
    response = upload(mine, raw, "From my laptop (1).json")

    assert (response.status_code, response.json()["name"]) == (201, "From-my-laptop-1")
    assert find_checkpoint("From-my-laptop-1").path.read_bytes() == raw
    assert "From-my-laptop-1" in mine.get(PAGE).content.decode()
    assert store.head() == 4


def test_a_plain_fixture_is_added_and_restored_as_a_merge(mine):
    upload(mine, b"\xef\xbb\xbf" + json.dumps([row("A", 0)]).encode(), name="fixture")
    mine.post(f"{PAGE}fixture/restore/", {"mode": "merge", "seen": 4})

    assert state() == {"A": 0, "B": 2, "New": "<b>"}


@pytest.mark.parametrize(
    ("content", "fields", "words"),
    [
        ("[{", {}, "line 1, column"),
        ({"a": 1}, {}, "neither a checkpoint nor a fixture"),
        ([{"model": "auth.user", "pk": 1, "fields": {}}], {}, "row 1 is a auth.user"),
        ([row("A", 1), row("A", 2)], {}, "the key 'A' once more"),
        ([row("", 1)], {}, "A key cannot be empty"),
        ([], {}, "It holds no key"),
        ([row("A", 1)], {"name": "mine"}, "There is a checkpoint 'mine' already"),
        ([row("A", 1)], {"name": "identity"}, "is the name of a seed"),
        ([row("A", 1)], {"name": "auto-1"}, "begin with auto-"),
        ([row("A", 1)], {"name": "../x"}, "is no checkpoint's name"),
        ([row("A", 1)], {"name": "x", "as_it_stands": "no", "file": ""}, "Choose a file first"),
    ],
)
def test_a_file_that_is_of_no_use_is_refused_with_the_reason(mine, content, fields, words):
    before = find_checkpoint("mine").path.read_bytes()

    response = upload(mine, content, **fields) if "file" not in fields else mine.post(f"{PAGE}upload/", fields)

    assert response.status_code == 422
    assert words.lower() in response.json()["detail"].lower()
    assert (names(), store.head()) == ({"mine"}, 4)
    assert find_checkpoint("mine").path.read_bytes() == before


def test_an_edited_file_is_refused_until_its_owner_stands_by_it(mine):
    edited = find_checkpoint("mine").path.read_text().replace('"n": 1', '"n": 9')

    refused = upload(mine, edited, name="edited")
    taken = upload(mine, edited, name="edited", as_it_stands="yes")

    assert (refused.status_code, refused.json()["edited"]) == (422, True)
    assert taken.status_code == 201
    mine.post(f"{PAGE}edited/restore/", {"mode": "replace", "seen": 4})
    assert state() == {"A": {"n": 9, "deep": {"x": [1, 2]}}, "B": 2}


def test_a_file_that_was_edited_in_place_is_accepted_once_that_is_confirmed(mine):
    path = find_checkpoint("mine").path
    path.write_text(path.read_text().replace('"n": 1', '"n": 9'))

    asked = mine.get(f"{PAGE}mine/accept/").content.decode()
    still_refused = find_problem(path)
    mine.post(f"{PAGE}mine/accept/")

    assert "Do this only if you edited it yourself" in asked
    assert "edited or damaged" in still_refused
    assert find_problem(path) == ""


def test_what_was_not_edited_cannot_be_accepted(mine):
    before = find_checkpoint("mine").path.read_bytes()

    assert "was not edited" in said(mine.post(f"{PAGE}mine/accept/"))[-1]
    assert find_checkpoint("mine").path.read_bytes() == before


def test_the_checkpoint_of_another_memory_never_counts_as_the_newest_of_this_one(mine, settings, tmp_path):
    settings.NOLA_DB_DIR = tmp_path
    from state import clock

    clock.note_head()
    fixture = json.loads(find_checkpoint("mine").path.read_text())
    fixture[0]["fields"].update(store="00000000-0000-0000-0000-000000000000", at="2999-01-01T00:00:00+00:00")
    upload(mine, fixture, name="theirs", as_it_stands="yes")

    assert read_checkpoints()[0].name == "theirs"
    assert find_newest_sound().name == "mine"
    assert "another memory" in mine.get(PAGE).content.decode()


# Comparing


def would(client, address="mine/"):
    page = client.get(PAGE + address).content.decode()
    return json.loads(re.search(r'<script id="cp-would"[^>]*>(.*?)</script>', page)[1])


def test_comparing_shows_what_a_restore_would_do_and_changes_nothing(mine):
    assert would(mine, "mine/?mode=replace") == [["A", "change", 1], ["New", "remove", 1]]
    assert would(mine, "mine/?mode=merge") == [["A", "change", 1]]
    assert would(mine) == [["A", "change", 1]]
    assert would(mine, "mine/?pointer=/A/deep") == []
    assert store.head() == 4


def test_the_changes_of_a_key_come_with_what_is_there_and_with_its_parts(mine):
    store.put(Address("A", ("deep", "x")), parse_json("[1,3]"), ADA)

    answer = mine.get(f"{PAGE}mine/changes/?key=A").json()

    assert answer["patches"]["A"] == [
        {"op": "replace", "path": "/n", "value": 1, "was": 5},
        {"op": "replace", "path": "/deep/x/1", "value": 2, "was": 3},
    ]
    assert answer["parts"] == ["/A/deep", "/A/deep/x", "/A/deep/x/1", "/A/n"]
    assert mine.get(f"{PAGE}mine/changes/?key=New").json()["patches"] == {
        "New": [{"op": "remove", "path": "", "was": "<b>"}]
    }


def test_a_change_too_large_to_show_is_counted(mine):
    store.put(Address("A", ("n",)), make_document("x" * 300_000), ADA)

    answer = mine.get(f"{PAGE}mine/changes/?key=A").json()

    assert (answer["patches"], answer["left_out"]) == ({"A": []}, 1)


def test_a_restore_is_planned_with_a_few_queries(mine, django_assert_max_num_queries):
    store.put_keys({f"many-{n}": make_document(n) for n in range(400)}, ADA)
    mine.post(f"{PAGE}create/", {"name": "many"})
    store.put_keys({f"many-{n}": make_document([n]) for n in range(400)}, ADA)

    with django_assert_max_num_queries(12):
        assert len(would(mine, "many/")) == 400


# Restoring


def test_a_restore_is_one_revision_of_the_person_after_a_checkpoint(mine):
    mine.post(f"{PAGE}mine/restore/", {"mode": "replace", "reason": "I want it back", "seen": 4})

    made = Revision.objects.first()
    assert (made.seq, made.actor, made.source, made.reason) == (5, "user:ada", "restore", "I want it back")
    assert state() == {"A": {"n": 1, "deep": {"x": [1, 2]}}, "B": 2}
    assert any(one.is_automatic and one.header.revision == 4 for one in read_checkpoints())


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"mode": "replace", "keys": '["New"]'}, {"A": {"n": 5, "deep": {"x": [1, 2]}}, "B": 2}),
        ({"mode": "replace", "keys": '["A"]'}, {"A": {"n": 1, "deep": {"x": [1, 2]}}, "B": 2, "New": "<b>"}),
        ({"mode": "merge"}, {"A": {"n": 1, "deep": {"x": [1, 2]}}, "B": 2, "New": "<b>"}),
        ({"pointer": "/A/n"}, {"A": {"n": 1, "deep": {"x": [1, 2]}}, "B": 2, "New": "<b>"}),
        ({"pointer": "/A/deep"}, {"A": {"n": 5, "deep": {"x": [1, 2]}}, "B": 2, "New": "<b>"}),
        ({"mode": "replace", "keys": "[]"}, {"A": {"n": 5, "deep": {"x": [1, 2]}}, "B": 2, "New": "<b>"}),
    ],
)
def test_a_part_is_restored_and_the_rest_stays(mine, fields, after):
    mine.post(f"{PAGE}mine/restore/", {"seen": 4, **fields})

    assert state() == after


def test_what_changed_after_the_preview_is_not_restored_over(mine):
    store.put(Address("A", ("n",)), parse_json("6"), ADA)

    response = mine.post(f"{PAGE}mine/restore/", {"mode": "replace", "seen": 4})

    assert "A changed while you were looking, so nothing was restored" in said(response)[-1]
    assert state()["A"]["n"] == 6
    assert store.head() == 5


def test_a_restore_is_undone_from_its_message(mine):
    response = mine.post(f"{PAGE}mine/restore/", {"mode": "replace", "seen": 4})
    form = said(response)[-1]
    fields = dict(re.findall(r'name="(revision|batch|name)" value="([^"]*)"', form))

    undone = mine.post(f"{PAGE}undo/", fields)

    assert "1 key restored, 1 removed in revision 5" in form
    assert "taken back, in revision 6" in said(undone)[-1]
    assert state() == {"A": {"n": 5, "deep": {"x": [1, 2]}}, "B": 2, "New": "<b>"}


def test_a_restore_that_changes_nothing_says_so(mine):
    mine.post(f"{PAGE}mine/restore/", {"mode": "replace", "seen": 4})
    response = mine.post(f"{PAGE}mine/restore/", {"mode": "replace", "seen": 5})

    assert "nothing was changed" in said(response)[-1]
    assert store.head() == 5


# Refused


@pytest.mark.parametrize(
    ("address", "body", "words"),
    [
        ("nope/", None, "There is no checkpoint 'nope'"),
        ("create/", {"name": "identity"}, "is the name of a seed"),
        ("create/", {"name": "a b"}, "letters, digits, dots"),
        ("create/", {"name": "mine"}, "already"),
        ("nope/restore/", {}, "There is no checkpoint 'nope'"),
        ("mine/restore/", {"pointer": "/A/nope"}, "the checkpoint has nothing at /A/nope"),
        ("undo/", {"revision": "999"}, "revision 999 does not exist"),
    ],
)
def test_what_is_refused_is_said_in_plain_words(mine, address, body, words):
    response = mine.get(PAGE + address) if body is None else mine.post(PAGE + address, body)

    assert response.status_code == 302
    assert words.lower() in said(response)[-1].lower()
    assert store.head() == 4


def test_damage_is_said_and_never_restored(mine):
    path = find_checkpoint("mine").path
    path.write_text(path.read_text().replace('"n": 1', '"n": 9'))

    response = mine.post(f"{PAGE}mine/restore/", {"mode": "replace"})

    assert "edited or damaged" in said(response)[-1]
    assert store.head() == 4


def test_who_may_only_look_can_compare_and_not_change(mine, db):
    reader = User.objects.create_user("bob", password="a-long-password", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_stateentry"))
    client = Client()
    client.force_login(reader)

    page = client.get(PAGE).content.decode()
    assert "Take a checkpoint" not in page and "Delete mine" not in page and "Add a file" not in page
    assert client.get(f"{PAGE}mine/").status_code == 200
    assert client.get(f"{PAGE}mine/changes/?key=A").status_code == 200
    for address in ("mine/restore/", "create/", "upload/", "undo/", "mine/delete/", "mine/accept/", "mine/verify/"):
        assert client.post(PAGE + address).status_code == 403, address
    assert Client().get(PAGE).status_code == 302
    assert store.head() == 4


def test_nothing_is_changed_by_following_a_link(mine):
    for address in ("create/", "mine/restore/", "mine/verify/", "upload/", "undo/"):
        assert mine.get(PAGE + address).status_code == 302
    assert (store.head(), len(read_checkpoints())) == (4, 1)
