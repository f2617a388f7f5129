import json
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from state import checkpoint_files, jsontext, store
from state.edits import Address
from state.models import Revision
from state.revisions import Author, Source

ADA = Author("user:ada", Source.API)
PAGE = "/admin/checkpoints/"


@pytest.fixture
def mine(owner):
    """A signed-in owner, and a checkpoint of two keys, one of which was then changed, and one added."""
    for key, text in [("A", '{"n":1}'), ("B", "2")]:
        store.put(Address(key), jsontext.load(text), ADA)
    owner.post(f"{PAGE}create/", {"name": "mine", "why": "to show"})
    store.put(Address("A", ("n",)), jsontext.load("5"), ADA)
    store.put(Address("New"), jsontext.load('"<b>"'), ADA)
    return owner


def said(response):
    return [str(message) for message in response.wsgi_request._messages]


def test_the_page_lists_what_is_kept_with_verdicts(mine):
    (checkpoint_files.kept()[0].path.parent / "broken.json").write_text("[")

    page = mine.get(PAGE).content.decode()

    assert re.findall(r'nola-link" href="/admin/checkpoints/([\w-]+)/"', page)[:2] == ["broken", "mine"]
    assert page.count("damaged</span>") == 1
    assert page.count("sound</span>") == 4
    assert "to show" in page


def test_comparing_shows_what_a_restore_would_do_and_changes_nothing(mine):
    page = mine.get(f"{PAGE}mine/").content.decode()

    assert "Restoring would change 2 keys" in page
    assert "goes: it was not there then" in page
    assert "Restoring would change 1 key<" in mine.get(f"{PAGE}mine/?mode=merge").content.decode()
    assert store.head() == 4


def test_a_restore_is_one_revision_of_the_person_after_a_checkpoint(mine):
    mine.post(f"{PAGE}mine/restore/", {"mode": "replace", "reason": "I want it back"})

    made = Revision.objects.first()
    assert (made.seq, made.actor, made.source, made.reason) == (5, "user:ada", "restore", "I want it back")
    assert json.loads(store.read_all().text) == {"A": {"n": 1}, "B": 2}
    assert any(one.is_automatic and one.header.revision == 4 for one in checkpoint_files.kept())


def test_only_the_chosen_keys_are_restored(mine):
    mine.post(f"{PAGE}mine/restore/", {"mode": "replace", "key": ["New"]})

    assert json.loads(store.read_all().text) == {"A": {"n": 5}, "B": 2}


def test_a_checkpoint_can_be_downloaded_and_verified(mine):
    response = mine.get(f"{PAGE}mine/file/")

    assert json.loads(b"".join(response))[0]["model"] == "nola.checkpoint"
    assert 'filename="mine.json"' in response["Content-Disposition"]
    assert "mine is sound" in said(mine.post(f"{PAGE}mine/verify/"))[-1]


@pytest.mark.parametrize(
    ("address", "body", "words"),
    [
        ("nope/", None, "There is no checkpoint 'nope'"),
        ("create/", {"name": "identity"}, "is the name of a seed"),
        ("create/", {"name": "a b"}, "letters, digits, dots"),
        ("nope/restore/", {}, "There is no checkpoint 'nope'"),
    ],
)
def test_what_is_refused_is_said_in_plain_words(mine, address, body, words):
    response = mine.get(PAGE + address) if body is None else mine.post(PAGE + address, body)

    assert response.status_code == 302
    assert words.lower() in said(response)[-1].lower()


def test_damage_is_said_and_never_restored(mine):
    path = checkpoint_files.find("mine").path
    path.write_text(path.read_text().replace('"n": 1', '"n": 9'))

    response = mine.post(f"{PAGE}mine/restore/", {"mode": "replace"})

    assert "edited or damaged" in said(response)[-1]
    assert store.head() == 4


def test_who_may_only_look_can_compare_and_not_change(mine, db):
    reader = User.objects.create_user("bob", password="a-long-password", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_stateentry"))
    client = Client()
    client.force_login(reader)

    assert "Take a checkpoint" not in client.get(PAGE).content.decode()
    assert client.get(f"{PAGE}mine/").status_code == 200
    assert client.post(f"{PAGE}mine/restore/", {"mode": "replace"}).status_code == 403
    assert client.post(f"{PAGE}create/").status_code == 403
    assert Client().get(PAGE).status_code == 302
    assert store.head() == 4


def test_nothing_is_changed_by_following_a_link(mine):
    for address in ("create/", "mine/restore/", "mine/verify/"):
        assert mine.get(PAGE + address).status_code == 302
    assert (store.head(), len(checkpoint_files.kept())) == (4, 1)
