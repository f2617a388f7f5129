"""What agents ask for is counted, by key and day, whichever way it is answered; and nothing else is."""

from datetime import timedelta

import pytest
from django.utils import timezone

from nola_site.forget.tests.memory import forget
from nola_site.mcp.tests.talking import use
from nola_site.safety import reads
from state import store
from state.address import Address
from state.jsondoc.text import make_document
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)


@pytest.fixture(autouse=True)
def memory(db, settings, tmp_path):
    """A directory beside the database, and some keys."""
    settings.NOLA_DB_DIR = tmp_path
    reads.add_up()
    reads.remove_reads()
    store.put_keys({name: make_document({"x": 1}) for name in ("Persona", "a/b", "~", "Tasks", "é")}, ADA)


def counted():
    reads.add_up()
    return dict(reads.read_counts(timezone.localdate()))


def test_each_way_to_ask_for_a_key_counts_for_it(agent):
    paths = [
        "/api/state/Persona",
        "/api/state/Persona/x?level=1",
        "/api/state?pointer=/Persona/x&pointer=/Tasks",
        "/api/state/a~1b/x",
        "/api/state/~0",
        "/api/state/%C3%A9",
        "/api/context?key=a/b&pointer=/Tasks/x",
    ]

    assert [agent.get(path).status_code for path in paths] == [200] * len(paths)
    use(agent, "read", pointer="/Persona/x")

    assert counted() == {"Persona": 4, "Tasks": 2, "a/b": 2, "~": 1, "é": 1}


def test_contexts_and_the_whole_memory_count_as_that(agent):
    agent.get("/api/state")
    agent.get("/api/context?budget=100")
    use(agent, "read")
    use(agent, "context")

    assert counted() == {reads.WHOLE: 4}


def test_what_is_not_read_by_an_agent_is_not_counted(agent, owner, client):
    owner.get("/api/state/Persona")
    client.get("/api/state/Persona")
    agent.get("/api/state/Nothing")
    agent.get("/api/state/Persona/nothing")
    agent.get("/api/history/Persona")
    agent.get("/api/search?q=x")
    agent.head("/api/state/Persona")
    agent.put("/api/state/Persona/x", "2", content_type="application/json")

    assert counted() == {}


def test_counts_add_up_over_time_and_processes_for_thirty_days(agent, monkeypatch):
    agent.get("/api/state/Persona")
    reads.add_up()
    agent.get("/api/state/Persona")
    reads.add_up()
    now = timezone.now()
    later = [now]
    monkeypatch.setattr("django.utils.timezone.now", lambda: later[0])

    later[0] = now + timedelta(days=29)
    agent.get("/api/state/Tasks")
    assert counted() == {"Persona": 2, "Tasks": 1}
    later[0] = now + timedelta(days=30)
    assert counted() == {"Tasks": 1}


def test_a_key_that_is_gone_leaves_no_name_behind(agent, tmp_path):
    agent.get("/api/state/Persona")
    store.remove(Address("Persona"), ADA)
    reads.add_up()

    assert "Persona" not in (tmp_path / "reads").read_text()


def test_what_is_forgotten_leaves_no_name_behind(agent, tmp_path, django_capture_on_commit_callbacks):
    agent.get("/api/state/Persona")
    reads.add_up()

    with django_capture_on_commit_callbacks(execute=True):
        forget("/Persona/x")

    assert not (tmp_path / "reads").exists()


def test_many_names_take_a_bounded_room(tmp_path):
    store.put_keys({f"K{number}": make_document(1) for number in range(600)}, ADA)
    for number in range(600):
        reads.count_read(f"/api/state/K{number}", "")
    reads.count_read("/api/state/K7", "")

    found = counted()

    assert len(found) == reads.KEYS
    assert found["K7"] == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"days": 1}', '{"days": {"no day": {}}}', '{"days": {"2026-01-01": 1}}']
)
def test_a_damaged_file_counts_as_none(agent, tmp_path, text):
    (tmp_path / "reads").write_text(text)
    agent.get("/api/state/Persona")

    assert counted() == {"Persona": 1}


def test_a_folder_that_cannot_be_written_stops_nothing(agent, settings, tmp_path):
    agent.get("/api/state/Persona")
    settings.NOLA_DB_DIR = tmp_path / "nowhere"

    reads.add_up()

    assert reads.read_counts(timezone.localdate()) == {}
