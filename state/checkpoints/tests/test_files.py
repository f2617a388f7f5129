import json
import random
import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from state import store
from state.address import Address
from state.checkpoints import files
from state.checkpoints.files import (
    Checkpoint,
    create_automatic,
    prune_checkpoints,
    read_checkpoints,
    save_checkpoint,
    write_checkpoint,
)
from state.checkpoints.header import Header
from state.checkpoints.restore import read_fixture
from state.checkpoints.verify import find_problem
from state.files import atomic
from state.files.atomic import NoRoom
from state.jsondoc.tests.strategies import values
from state.jsondoc.text import dump_json, make_document, parse_json
from state.revisions import Author, Source

ADA = Author("user:ada", Source.API)
AWKWARD = (
    '{"z":1.0,"a":[-0.0,12345678901234567890123,1.7e308,{},[],null,true],'
    '"é😀":"\\u0000\\u001f/\\\\\\"","":{"deep":[[[]]]}}'
)

pytestmark = pytest.mark.django_db


def put(key, text):
    return store.put(Address(key), parse_json(text), ADA)


@pytest.fixture
def mine() -> Checkpoint:
    """A checkpoint of two keys, which are then changed."""
    put("Odd", AWKWARD)
    put("a/b ~", '"text"')
    made = save_checkpoint("mine")
    put("Odd", "1")
    return made


def reformatted(path, change=lambda rows: None):
    rows = json.loads(path.read_text())
    change(rows)
    path.write_text(json.dumps(rows, indent=7, ensure_ascii=True))


def edit(rows):
    rows[1]["fields"]["value_json"]["z"] = 2.0


def test_plain_loaddata_restores_a_checkpoint_to_the_byte(mine):
    call_command("loaddata", "mine", verbosity=0)

    assert store.read(Address("Odd")).text == parse_json(AWKWARD).text
    assert store.head() == 4


def test_a_checkpoint_is_readable_and_the_same_state_gives_the_same_lines(mine):
    put("Odd", AWKWARD)
    again = save_checkpoint("again")

    first, second = (one.path.read_text().splitlines() for one in (mine, again))
    differing = [re.sub(r"\W.*", "", a.strip(' "')) for a, b in zip(first, second, strict=True) if a != b]
    assert {"revision", "sha256"} <= set(differing) <= {"revision", "sha256", "at"}
    assert '      "z": 1.0,' in first


def test_a_reformatted_file_is_no_edit(mine):
    reformatted(mine.path)

    call_command("loaddata", "mine", verbosity=0)

    assert store.read(Address("Odd")).text == parse_json(AWKWARD).text


@pytest.mark.parametrize(
    "change",
    [
        edit,
        lambda rows: rows.pop(),
        lambda rows: rows.reverse(),
        lambda rows: rows.append(rows[-1]),
        lambda rows: rows[0]["fields"].update(scope="keys"),
        lambda rows: rows[0]["fields"].update(revision=1),
        lambda rows: rows[0]["fields"].update(sha256="0" * 64),
        lambda rows: rows[0]["fields"].pop("sha256"),
        lambda rows: rows[0].update(model="nola.checkpoints"),
        lambda rows: rows[0].update(pk=1),
        lambda rows: rows[1]["fields"].update(value_json=None),
    ],
)
def test_an_edited_checkpoint_is_refused_by_loaddata_and_restore(mine, agent, change):
    reformatted(mine.path, change)

    with pytest.raises(CommandError, match="Nothing was loaded"):
        call_command("loaddata", "mine", verbosity=0)
    response = agent.post("/api/state/restore", {"checkpoint": "mine"}, content_type="application/json")

    assert response.status_code == 422
    assert Checkpoint(mine.path).problem
    assert store.head() == 3


def test_accept_lets_an_edit_count(mine):
    reformatted(mine.path, edit)

    call_command("checkpoint", "accept", "mine", verbosity=0)
    call_command("loaddata", "mine", verbosity=0)

    assert json.loads(store.read(Address("Odd")).text)["z"] == 2.0
    assert Checkpoint(mine.path).header.scope == "all"


def test_accept_does_not_take_what_is_no_fixture(mine):
    mine.path.write_text(mine.path.read_text()[:-20])

    with pytest.raises(CommandError, match="line "):
        call_command("checkpoint", "accept", "mine")


def test_a_changed_byte_is_found_or_means_nothing(mine):
    whole, documents = mine.path.read_bytes(), read_fixture(mine.path).documents
    chance = random.Random(7)
    for _ in range(300):
        place = chance.randrange(len(whole))
        flipped = bytes([whole[place] ^ (1 << chance.randrange(8))])
        mine.path.write_bytes(whole[:place] + flipped + whole[place + 1 :])

        if not find_problem(mine.path):
            assert read_fixture(mine.path).documents == documents, place


def test_a_truncated_file_is_found_wherever_it_ends(mine):
    whole = mine.path.read_bytes()
    for length in [0, 1, *range(2, len(whole) - 2, 13)]:
        mine.path.write_bytes(whole[:length])

        assert find_problem(mine.path), length


@given(st.dictionaries(st.text(min_size=1, max_size=5), values, max_size=4))
def test_any_state_comes_out_of_a_file_as_it_went_in(state):
    documents = {key: make_document(value) for key, value in state.items()}
    rows = [{"model": "state.stateentry", "pk": key, "fields": {"value_json": value}} for key, value in state.items()]
    made = Header("some-store", "all", ["state"], 1, "2026-01-31T12:00:00+00:00", "")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.json"
        write_checkpoint(path, made, map(dump_json, rows))

        assert find_problem(path) == ""
        assert {key: one.text for key, one in read_fixture(path).documents.items()} == {
            key: one.text for key, one in documents.items()
        }


def test_a_checkpoint_that_cannot_be_written_leaves_nothing_behind(mine, monkeypatch):
    before = sorted(path.name for path in mine.path.parent.iterdir())
    monkeypatch.setattr(atomic, "sync_path", lambda path: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    with pytest.raises(NoRoom, match="the disk is full"):
        save_checkpoint("other")

    assert sorted(path.name for path in mine.path.parent.iterdir()) == before


def test_an_automatic_checkpoint_is_taken_only_when_something_changed(mine):
    first = create_automatic("hourly")
    same = create_automatic("hourly")
    put("Odd", "2")
    second = create_automatic("hourly")

    assert first == same
    assert second.header.revision == first.header.revision + 1


def test_a_damaged_automatic_checkpoint_is_no_reason_not_to_take_one(mine):
    first = create_automatic("hourly")
    first.path.write_text("[")

    assert create_automatic("hourly") != first


def test_pruning_keeps_the_newest_one_a_day_and_what_people_named(mine, settings):
    settings.NOLA_KEEP_DAYS = 10
    text = mine.path.read_text()
    now = datetime.now(UTC)
    for hours in range(24 * 20):
        at = (now - timedelta(hours=hours)).isoformat(timespec="seconds")
        name = f"auto-{24 * 20 - hours:03}.json"
        (mine.path.parent / name).write_text(re.sub('"at": "[^"]*"', f'"at": "{at}"', text))

    prune_checkpoints()

    left = [one for one in read_checkpoints() if one.is_automatic]
    assert [one.name for one in left[:48]] == [f"auto-{480 - n:03}" for n in range(48)]
    assert len(left) in (48 + 8, 48 + 9)
    assert len({one.at.date() for one in left[48:]}) == len(left[48:])
    assert mine.path.exists()


def test_the_command_shows_compares_and_restores(mine, capsys):
    call_command("checkpoint", "diff", "mine")
    assert capsys.readouterr().out.startswith('Odd\n  {"op":"replace","path":"","value":1}')
    call_command("checkpoint", "show", "mine", "/Odd/a/1")
    assert capsys.readouterr().out == "12345678901234567890123\n"
    call_command("checkpoint", "restore", "mine", "--dry-run")
    assert store.head() == 3
    with pytest.raises(CommandError, match="Say --yes"):
        call_command("checkpoint", "restore", "mine")

    call_command("checkpoint", "restore", "mine", "--yes")

    assert store.head() == 4
    assert "1 key restored, up to revision 4. To take it back: ./nola undo 4\n" in capsys.readouterr().out


def test_the_command_lists_with_a_verdict_and_its_exit_code_tells(mine, capsys):
    call_command("checkpoint", "list")
    assert re.search(r"mine +\d{4}-.* bytes +revision 2, by hand|mine +\d{4}-.*revision 2,", capsys.readouterr().out)
    reformatted(mine.path, edit)

    with pytest.raises(CommandError, match="1 cannot be restored from"):
        call_command("checkpoint", "list")

    assert "[DAMAGED: it was edited or damaged" in capsys.readouterr().out


def test_a_checkpoint_is_of_one_moment_whatever_its_size_and_costs_few_queries(django_assert_num_queries):
    store.put_keys({f"K{n}": make_document({"n": n}) for n in range(1200)}, ADA)

    with django_assert_num_queries(2):
        made = save_checkpoint("many")

    assert len(read_fixture(made.path).documents) == 1200


def test_a_verdict_is_kept_while_a_file_stays_the_same_and_for_so_many_files(mine):
    files._judge.cache_clear()

    assert [Checkpoint(mine.path).problem for _ in range(3)] == ["", "", ""]
    assert files._judge.cache_info()[:3] == (2, 1, files.VERDICTS)
    reformatted(mine.path, edit)
    assert Checkpoint(mine.path).problem
