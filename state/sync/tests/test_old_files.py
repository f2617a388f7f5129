import itertools
import json

import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import store
from state.address import Address
from state.jsondoc.tests import strategies
from state.models import Revision
from state.report import Category
from state.sync.notes import NAME
from state.sync.run import OtherMemory
from state.sync.tests.memory import ADA, pull, push, put, read, sync, told, value, write

pytestmark = pytest.mark.django_db


# Levels


def test_a_folder_of_one_level_is_never_pushed(folder):
    put("Me", {"bio": {"level_1": "short", "level_3": "long"}})
    pull(folder, level=1)
    assert read(folder, "Me.json") == {"bio": "short"}
    write(folder, "Me.json", {"bio": "shorter"})

    for run in (push, sync):
        with pytest.raises(OtherMemory, match="hold only level 1"):
            run(folder)

    assert value("Me") == {"bio": {"level_1": "short", "level_3": "long"}}


def test_a_folder_of_one_level_stays_at_it_and_keeps_edited_files(folder):
    put("Me", {"bio": {"level_1": "short", "level_3": "long"}})
    put("It", {"level_1": "a"})
    pull(folder, level=1)
    write(folder, "Me.json", {"bio": "shorter"})
    put("Me", "new", "bio", "level_1")
    put("It", "b", "level_1")

    report = pull(folder)

    assert read(folder, "It.json") == "b"
    assert read(folder, "Me.json") == {"bio": "shorter"}
    assert "was edited, and a folder of level 1 is never pushed" in told(report, Category.CONFLICTING)["Me.json"]


def test_a_folder_of_everything_is_not_filtered_to_a_level(mirrored):
    with pytest.raises(OtherMemory, match="into another folder"):
        pull(mirrored, level=1)


@pytest.mark.parametrize("level", [1, 2])
def test_a_file_that_somebody_filtered_to_a_level_is_not_pushed(folder, level):
    whole = {"bio": {"level_1": "short", "level_2": "more", "level_3": "long"}, "x": 1}
    put("Me", whole)
    sync(folder)
    write(folder, "Me.json", {"bio": ["short", "more"][level - 1], "x": 1})

    report = sync(folder)

    assert value("Me") == whole
    assert f"holds only level {level} of Me" in told(report, Category.CONFLICTING)["Me.json"]


# Envelopes

ABOUT = {"last_updated": "2025-12-17T21:43:42+00:00", "context_level": 3, "status": "stale", "needs_sync": True}


def test_files_can_be_pulled_in_envelopes(folder):
    put("Note", {"a": 1})
    at = Revision.objects.get().at.isoformat()

    pull(folder, envelope=True)

    assert read(folder, "Note.json") == {
        "metadata": {
            "last_updated": at,
            "context_level": 3,
            "status": "ready",
            "needs_sync": False,
            "stale_threshold_seconds": 600,
            "source_file": "Note.json",
        },
        "data": {"a": 1},
    }


def test_a_level_can_be_pulled_in_envelopes(folder):
    put("Me", {"level_1": "short", "level_3": "long"})
    pull(folder, level=1, envelope=True)
    put("Me", "shorter", "level_1")

    pull(folder)

    file = read(folder, "Me.json")
    assert (file["metadata"]["context_level"], file["data"]) == (1, "shorter")


def test_a_file_in_an_envelope_is_taken_out_of_it_and_stays_in_it(folder):
    put("Note", {"a": 1, "b": 1})
    pull(folder, envelope=True)
    write(folder, "Note.json", {"metadata": ABOUT, "data": {"a": 2, "b": 1}})
    put("Note", 2, "b")

    sync(folder)

    file = read(folder, "Note.json")
    assert value("Note") == file["data"] == {"a": 2, "b": 2}
    assert (file["metadata"]["status"], file["metadata"]["needs_sync"]) == ("ready", False)


def test_a_program_that_puts_a_plain_file_into_an_envelope_changes_nothing(mirrored):
    write(mirrored, "Note.json", {"metadata": ABOUT, "data": read(mirrored, "Note.json")})
    head = store.head()

    sync(mirrored)
    assert store.head() == head
    put("Note", "b", "title")
    sync(mirrored)

    assert read(mirrored, "Note.json")["data"]["title"] == "b"


def test_metadata_that_nola_does_not_know_stays_in_the_file_and_is_named(folder):
    put("Note", 1)
    pull(folder, envelope=True)
    write(folder, "Note.json", {"metadata": ABOUT | {"mood": "fine"}, "data": 2})

    report = sync(folder)

    assert "its metadata mood is of the file alone" in told(report, Category.NOTED)["Note.json"]
    put("Note", 3)
    sync(folder)
    file = read(folder, "Note.json")
    assert (file["metadata"]["mood"], file["data"]) == ("fine", 3)


def test_a_value_that_looks_like_an_envelope_goes_out_and_back_as_it_is(folder):
    section = {"metadata": {"status": "ready"}, "data": {"a": 1}}
    put("Section", section)
    sync(folder)
    assert read(folder, "Section.json") == section
    write(folder, "Section.json", section | {"data": {"a": 2}})

    sync(folder)

    assert value("Section") == section | {"data": {"a": 2}}


def test_a_value_that_looks_like_an_envelope_can_be_in_one(folder):
    section = {"metadata": {"status": "ready"}, "data": {"a": 1}}
    put("Section", section)
    pull(folder, envelope=True)
    file = read(folder, "Section.json")
    assert file["data"] == section
    write(folder, "Section.json", file | {"data": section | {"data": {"a": 2}}})

    sync(folder)

    assert value("Section") == section | {"data": {"a": 2}}


def test_an_envelope_that_says_it_is_filtered_is_not_pushed(mirrored):
    write(mirrored, "Note.json", {"metadata": ABOUT | {"context_level": 2}, "data": {"title": "b"}})

    report = sync(mirrored)

    assert value("Note")["title"] == "a"
    assert "holds only level 2 of Note" in told(report, Category.CONFLICTING)["Note.json"]


def test_a_folder_can_be_put_into_envelopes_and_out_of_them(mirrored):
    pull(mirrored, envelope=True)
    assert read(mirrored, "Note.json")["data"] == value("Note")
    sync(mirrored)

    pull(mirrored, envelope=False)

    assert read(mirrored, "Note.json") == value("Note")
    assert store.head() == 1


# The folders of the predecessor

SAMPLE = django_settings.BASE_DIR.parent / "shared" / "legacy-nola"


def pull_section(folder, key, level):
    """How a program of old reads a section: what there is of a level in each part, or the next less deep one."""
    section = read(folder, f"{key}.json")
    data = section["data"] if "metadata" in section else section

    def shown(part):
        levels = [f"level_{n}" for n in range(level, 0, -1) if isinstance(part, dict) and f"level_{n}" in part]
        return part[levels[0]] if levels else part

    return {name: shown(part) for name, part in data.items()}


def push_section(folder, key, data):
    """How it writes one: all of it, with metadata around it."""
    about = {"last_updated": "2026-01-01T00:00:00+00:00", "context_level": 3, "status": "ready", "needs_sync": True}
    write(
        folder, f"{key}.json", {"metadata": about | {"stale_threshold_seconds": 600, "source_file": "x"}, "data": data}
    )


PROFILE = {"profile_metadata": {"version": "1.0"}, "identity": {"level_1": "Jo", "level_2": {"name": "Jo R."}}}


@pytest.mark.parametrize("envelope", [True, False])
def test_a_program_of_old_reads_and_writes_the_folder_as_before(folder, envelope):
    put("userID", PROFILE)
    pull(folder, envelope=envelope)
    assert pull_section(folder, "userID", 1) == {"profile_metadata": {"version": "1.0"}, "identity": "Jo"}
    assert pull_section(folder, "userID", 3)["identity"] == {"name": "Jo R."}
    whole = read(folder, "userID.json")
    whole = whole["data"] if envelope else whole
    whole["identity"]["level_1"] = "Jordan"
    push_section(folder, "userID", whole)
    put("userID", "2.0", "profile_metadata", "version")

    sync(folder)

    assert pull_section(folder, "userID", 1) == {"profile_metadata": {"version": "2.0"}, "identity": "Jordan"}
    assert value("userID")["identity"] == {"level_1": "Jordan", "level_2": {"name": "Jo R."}}
    assert value("userID")["profile_metadata"] == {"version": "2.0"}


def test_a_program_of_old_that_writes_back_one_level_takes_nothing_from_the_others(folder):
    put("userID", PROFILE)
    sync(folder)
    push_section(folder, "userID", pull_section(folder, "userID", 1))

    report = sync(folder)

    assert value("userID") == PROFILE
    assert "holds only level 1 of userID" in told(report, Category.CONFLICTING)["userID.json"]


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample folder is not here")
def test_the_sample_folder_goes_in_and_out_and_back_equal(tmp_path):
    put("Other", 1)
    section = json.loads((SAMPLE / "identity_thread" / "identity.json").read_text())["userID"]
    raw = {
        "userID": json.loads((SAMPLE / "identity_thread" / "userID" / "user.json").read_text()),
        "machineID": json.loads((SAMPLE / "identity_thread" / "machineID" / "machineID.json").read_text()),
        "Nola": json.loads((SAMPLE / "Nola.json").read_text()),
    }
    for key, document in (raw | {"section": section}).items():
        write(tmp_path / "in", f"{key}.json", document)

    push(tmp_path / "in")
    pull(tmp_path / "out")
    pull(tmp_path / "enveloped", envelope=True)

    for key, document in raw.items():
        assert json.dumps(value(key)) == json.dumps(read(tmp_path / "out", f"{key}.json")) == json.dumps(document)
        assert json.dumps(read(tmp_path / "enveloped", f"{key}.json")["data"]) == json.dumps(document)
    assert value("section") == section["data"]
    head = store.head()
    for name in ("in", "out", "enveloped"):
        report = sync(tmp_path / name, keys=list(raw))
        assert (report.count(Category.CONFLICTING), report.count(Category.FAILED)) == (0, 0)
    assert store.head() == head


numbers = itertools.count()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values=st.lists(strategies.values, min_size=1, max_size=3), envelope=st.booleans())
def test_any_value_goes_out_and_back_equal(folder, values, envelope):
    keys = [f"Key{next(numbers)}" for _ in values]
    for key, one in zip(keys, values, strict=True):
        put(key, one)
    texts = [store.read(Address(key)).text for key in keys]
    pull(folder, keys=keys, envelope=envelope)
    head = store.head()
    (folder / NAME).unlink(missing_ok=True)

    sync(folder, keys=keys)
    assert store.head() == head
    for key in keys:
        store.remove(Address(key), ADA)
    (folder / NAME).unlink(missing_ok=True)
    push(folder, names=[f"{key}.json" for key in keys])

    assert [store.read(Address(key)).text for key in keys] == texts
