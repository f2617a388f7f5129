"""The first screen of the admin: what it says, to whom, at what cost."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from access.auth import KeyCredential
from access.database import engine
from access.models import ApiKey, Visit
from nola_site.safety import growth, reads
from nola_site.serving import stream_slots
from state import store
from state.address import Address
from state.checkpoints.files import accept_edit, create_automatic
from state.checkpoints.restore import seed_store
from state.jsondoc.text import make_document
from state.revisions import Author, Source

ADA = Author("user:ada", Source.API)
PLANNER = Author("key:planner", Source.API, "the owner asked for it")


@pytest.fixture
def folder(settings, tmp_path):
    """A directory beside the database, for what is kept there."""
    settings.NOLA_DB_DIR = tmp_path
    return tmp_path


def put(pointer, value, author=ADA):
    key, *tokens = pointer.split("/")
    store.put(Address(key, tuple(tokens)), make_document(value), author)


def shown(client):
    """The context of the first screen, and its text without markup."""
    response = client.get("/admin/")
    assert response.status_code == 200
    return response.context


def words(event):
    return " ".join(f"{what['verb']} {what['place'] or what.get('key', '')}{what['rest']}" for what in event["what"])


@pytest.fixture
def later(monkeypatch):
    """Lets time pass."""
    now = timezone.now

    def pass_by(**span):
        monkeypatch.setattr("django.utils.timezone.now", lambda: now() + timedelta(**span))

    return pass_by


def reader(*names):
    """Somebody of the staff who may do only this."""
    user = User.objects.create_user("bob", password="a-long-password", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    return client


# What is kept, and what has changed


def test_keys_stand_with_size_and_the_last_changed_first(owner, folder):
    for number in range(10):
        put(f"Key {number}", "x" * number)
    put("Key 3", "again")

    context = shown(owner)

    assert [row["pk"] for row in context["keys"]][:3] == ["Key 3", "Key 9", "Key 8"]
    assert (context["keys"][0]["size"], len(context["keys"]), context["more_keys"]) == (7, 8, 2)


def test_keys_of_one_revision_stand_by_their_names(owner, folder):
    store.put_keys({name: make_document(1) for name in ("b", "c", "a")}, ADA)

    assert [row["pk"] for row in shown(owner)["keys"]] == ["a", "b", "c"]


def test_the_last_changes_are_told_in_words(owner, folder):
    put("Persona", {"tone": "warm", "topics": ["tea"], "list": [1, 2]})
    put("Persona/tone", "brisk", PLANNER)
    put("Persona/topics/1", "hills")
    store.remove(Address("Persona", ("list",)), Author("system:schedule", Source.API))
    store.put_keys({f"K{n}": make_document(n) for n in range(5)}, Author("cli:root", Source.CLI))
    store.remove(Address("K0"), ADA)

    told = shown(owner)["recent"]

    assert [(one["who"].name, words(one)) for one in told] == [
        ("You", "removed K0"),
        ("root, command line", "added K0 added K1 added K2 and 2 more "),
        ("schedule", "removed Persona › list"),
        ("You", "added Persona › topics › 1"),
        ("planner", "set Persona › tone to brisk"),
        ("You", "added Persona"),
    ]
    assert told[4]["reason"] == "the owner asked for it"


def test_a_conversation_is_named_only_to_who_may_see_conversations(owner, agent, folder):
    agent.post("/api/conversations/tea/messages", {"speaker": "user", "message": "hi"}, content_type="application/json")
    put("A", 1)

    everything = shown(owner)["recent"]
    some = shown(reader("view_stateentry", "view_revision"))["recent"]

    assert [words(one) for one in everything] == ["added A", "began the conversation hi added a message in hi"]
    assert [words(one) for one in some] == ["added A"]


def test_a_very_large_change_is_told_without_being_read(owner, folder):
    put("Large", {"a": "x" * 10_000})
    put("Large/a", "y" * 10_000)

    assert words(shown(owner)["recent"][0]) == "changed Large"


# Whether it is safe


def test_all_is_well_while_nothing_is_late(owner, folder, later):
    put("A", 1)
    create_automatic("scheduled")
    later(days=3)

    context = shown(owner)

    checkpoint = context["copies"][0]
    assert (checkpoint.is_current, checkpoint.problem) == (True, "")
    assert [one for one in context["problems"] if "checkpoint" in one.text] == []


def test_a_late_checkpoint_and_backup_are_warned_of(owner, folder, later):
    put("A", 1)
    create_automatic("scheduled")
    put("A", 2)
    later(hours=30)

    response = owner.get("/admin/")

    assert [one.text for one in response.context["problems"]] == [
        "The checkpoint is late: one was due 1 day ago. Is the server running all the time?",
        "The backup is late: one was due 6 hours ago. Is the server running all the time?",
    ]
    assert "2 things to look at" in response.content.decode()


def test_what_was_changed_just_now_is_not_late_after_a_quiet_time(owner, folder, later):
    put("A", 1)
    create_automatic("scheduled")
    later(days=2)
    put("A", 2)

    assert shown(owner)["copies"][0].problem == ""


def test_a_failure_and_a_recovery_are_said(owner, folder):
    put("A", 1)
    (folder / "schedule").write_text('{"backup": {"at": "2026-01-01T00:00:00+00:00", "seq": 0, "failed": "no room"}}')
    said = {"at": timezone.now().isoformat(), "text": "The database was gone; this is a checkpoint."}
    (folder / "recovered").write_text(json.dumps(said))

    assert [one.text for one in shown(owner)["problems"]] == [
        "The last backup failed: no room.",
        "The database was gone; this is a checkpoint.",
    ]


def test_the_checkpoint_of_another_memory_is_not_the_last_one(owner, folder):
    from state import clock

    put("A", 1)
    clock.note_head()
    made = create_automatic("scheduled")
    fixture = json.loads(made.path.read_text())
    fixture[0]["fields"].update(store="00000000-0000-0000-0000-000000000000", at="2999-01-01T00:00:00+00:00")
    foreign = made.path.with_name("foreign.json")
    foreign.write_text(json.dumps(fixture))
    accept_edit(foreign)

    assert shown(owner)["copies"][0].at == made.at


# Who is connected, and how it grows


def test_agents_stand_with_their_last_use_and_their_open_streams(owner, agent, make_key, folder):
    make_key("nola_another-key-for-tests", "quiet")
    key = ApiKey.objects.get(name="default")
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    table = stream_slots.StreamSlots(stream_slots.find_table(), total=8, per_credential=4)
    table.take(KeyCredential(key.pk, key.sha256))
    table.take(KeyCredential(key.pk, key.sha256))

    rows = shown(owner)["agents"]["rows"]

    assert [(row["name"], row["open"], bool(row["used"])) for row in rows] == [
        ("default", 2, True),
        ("quiet", 0, False),
    ]


def test_growth_is_weighed_once_and_told_by_day_and_key(owner, folder, later):
    put("Log", ["x" * 1000])
    put("Small", 1)
    growth.weigh_changes()
    first = growth.read_growth()
    growth.weigh_changes()
    put("Log/1", "y" * 3000)
    growth.weigh_changes()

    storage = shown(owner)["storage"]

    assert growth.read_growth().size == storage["history"] > first.size > 1000
    assert [name for name, _ in storage["fastest"]] == ["Log", "Small"]
    assert storage["a_day"] == storage["history"]
    later(days=9)
    assert growth.read_growth().a_day(timezone.localdate()) == 0


def test_growth_is_weighed_anew_when_another_database_is_put_back(owner, folder):
    put("A", 1)
    growth.weigh_changes()
    known = growth.read_growth()
    file = folder / "growth"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"epoch": "other", "last": 999_999, "size": 7}))

    growth.weigh_changes()

    assert (growth.read_growth().size, growth.read_growth().last) == (known.size, known.last)


# To whom, and at what cost


def test_a_new_memory_leads_on_and_shows_no_secret(owner, agent, folder):
    seed_store()

    page = owner.get("/admin/").content.decode()

    for words in (
        "This memory is new",
        "Open the tree",
        "Put the first key",
        'href="/admin/conversations/import/"',
        "importlegacy FOLDER",
        "/api/state</pre>",
    ):
        assert words in page
    assert "Authorization: Bearer $KEY" in page
    assert "nola_a-key-for-tests-only" not in page
    put("A", 1)
    assert "This memory is new" not in owner.get("/admin/").content.decode()


def test_staff_sees_only_what_it_may(owner, folder):
    put("Secret plan", 1)
    client = reader()

    response = client.get("/admin/")

    page = response.content.decode()
    assert "Your account may see nothing" in page
    assert "Secret plan" not in page and "home-storage" not in page and "home-agents" not in page
    assert "Secret plan" not in client.get("/admin/latest/").content.decode()
    assert "home-agents" in owner.get("/admin/").content.decode()


def test_keys_alone_show_no_history_and_no_agents(owner, folder):
    put("A", 1)

    context = shown(reader("view_stateentry"))

    assert [row["pk"] for row in context["keys"]] == ["A"]
    assert (context["recent"], context["agents"]) == (None, None)


def test_it_costs_the_same_however_long_the_history_is(owner, agent, folder, django_assert_num_queries):
    put("Key 0", 1)
    owner.get("/admin/")
    before = Visit.objects.get().seen_at
    Visit.objects.update(seen_at=before - timedelta(hours=2))
    owner.get("/admin/")
    for number in range(60):
        put(f"Key {number % 20}", number, PLANNER if number % 2 else ADA)
    store.put_keys({f"Many {n}": make_document(n) for n in range(300)}, ADA)
    for number in range(20):
        agent.get(f"/api/state/Key {number}")
    reads.add_up()

    with django_assert_num_queries(20 if engine().find_file() else 21):  # a server is asked for its size, a file is not
        owner.get("/admin/")
    with django_assert_num_queries(12):
        owner.get("/admin/latest/")
