import json
import re
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from state import store
from state.address import Address
from state.checkpoints.files import find_checkpoint
from state.checkpoints.restore import read_fixture, seed_store
from state.jsondoc.text import parse_json
from state.models import Revision, StateEntry
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = Author("user:ada", Source.API)


def dump():
    out = StringIO()
    call_command("dumpdata", "state", stdout=out)
    return out.getvalue()


def put(key, text):
    store.put(Address(key), parse_json(text), ADA)


def test_a_new_store_is_seeded_in_one_revision():
    seed_store()
    seed_store()

    revision = Revision.objects.get()
    assert (revision.seq, revision.actor, revision.source) == (1, "system:first-run", "seed")
    assert list(StateEntry.objects.values_list("key_name", flat=True)) == ["Context", "Identity", "Persona"]


def test_a_store_that_was_emptied_on_purpose_is_not_seeded_again():
    seed_store()
    store.remove_keys(["Context", "Identity", "Persona"], ADA)

    seed_store()

    assert not StateEntry.objects.exists()


@pytest.mark.parametrize("name", ["context", "identity", "persona"])
def test_a_seed_holds_one_key_of_its_name_with_all_three_levels(name):
    [(key, document)] = read_fixture(find_checkpoint(name).path).documents.items()

    assert key == name.capitalize()
    assert all(f'"level_{level}":' in document.text for level in (1, 2, 3))


def test_loaddata_restores_a_seed_as_one_revision():
    seed_store()
    before = store.read(Address("Identity")).text
    store.remove(Address("Identity"), ADA)
    out = StringIO()

    call_command("loaddata", "identity", stdout=out)

    assert store.read(Address("Identity")).text == before
    revision = Revision.objects.first()
    assert (revision.seq, revision.source, revision.info) == (3, "loaddata", {"fixtures": ["identity"]})
    assert revision.actor.startswith("cli:")
    assert "Revision 3 restored Identity. To take it back: ./nola undo 3\n" in out.getvalue()


def test_loaddata_of_what_is_stored_makes_no_revision():
    seed_store()

    call_command("loaddata", "identity", "persona", "context", verbosity=0)

    assert Revision.objects.count() == 1


def test_dump_load_dump_is_stable_to_the_byte(tmp_path):
    put("Odd", '{"z":1,"a":[1.0,-0.0,1e300,null,"é😀\\u0000"],"2":{"":{}},"1":18446744073709551616}')
    put("text", '"just text"')
    put("nothing", "null")
    put("empty", '""')
    first = dump()
    file = tmp_path / "dump.json"
    file.write_text(first)
    store.remove_keys(["Odd", "text", "nothing", "empty"], ADA)

    call_command("loaddata", str(file), verbosity=0)

    assert dump() == first
    assert store.read(Address("nothing")).text == "null"


def test_the_deepest_document_can_be_dumped_and_restored(tmp_path, agent):
    put("Deep", "[" * 100 + "]" * 100)
    file = tmp_path / "dump.json"
    file.write_text(dump())
    store.remove_keys(["Deep"], ADA)

    call_command("loaddata", str(file), verbosity=0)
    again = agent.post("/api/state/restore", json.loads(file.read_text()), content_type="application/json")

    assert store.read(Address("Deep")).text == "[" * 100 + "]" * 100
    assert again.json()["changed"] == []


def test_dumpdata_leaves_the_history_out_and_nests_documents():
    seed_store()

    rows = json.loads(dump())

    assert {row["model"] for row in rows} == {"state.stateentry"}
    assert list(rows[0]["fields"]) == ["value_json"]
    assert rows[1]["fields"]["value_json"]["name"] == "Nola"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"model": "state.stateentry", "pk": "A", "fields"', "line 1, column 51"),
        ('[{"model": "state.stateentry", "pk": "A", "fields": {"value_json": NaN}}]', "NaN is not JSON"),
        ('[{"model": "state.stateentry", "pk": "A", "fields": {}}]', "without value_json"),
        ('[{"model": "state.stateentry", "pk": "", "fields": {"value_json": 1}}]', "a key cannot be empty"),
        ('{"A": 1}', "a fixture is a JSON array of rows"),
        (
            '[{"model": "state.stateentry", "pk": "B", "fields": {"value_json": 1}},'
            ' {"model": "state.revision", "pk": 1, "fields": {}}]',
            "part of the history",
        ),
    ],
)
def test_a_bad_fixture_is_refused_before_a_byte_is_written(tmp_path, text, words):
    put("A", "1")
    file = tmp_path / "bad.json"
    file.write_text(text)

    with pytest.raises(Exception, match=words):
        call_command("loaddata", str(file), verbosity=0)

    assert store.read_all().text == '{"A":1}'
    assert store.head() == 1


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"model": "state.stateentry", "pk": "A", "fields": {"value_json": 2, "colour": 1}}, "no field named 'colour'"),
        ({"model": "auth.user", "pk": 1, "fields": {"username": "x", "colour": 1}}, "no field named 'colour'"),
        ({"model": "auth.user", "pk": 1, "fields": {"username": None}}, r"auth.User\(pk=1\)"),
        ({"model": "auth.user", "pk": 1, "fields": {"last_login": "soon"}}, "soon"),
        ({"model": "auth.user", "pk": "one", "fields": {}}, "one"),
        ({"model": "auth.user", "pk": 1, "fields": {"username": "x", "groups": [99]}}, "a row refers to one that is"),
        ({"model": "auth.user", "pk": 1, "fields": {"groups": 7}}, "groups|iterable"),
        ({"model": "auth.nothing", "pk": 1, "fields": {}}, "auth.nothing"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_row_that_fits_no_table_is_said_in_words_and_nothing_is_loaded(tmp_path, row, words):
    put("A", "1")
    good = {"model": "state.stateentry", "pk": "B", "fields": {"value_json": 1}}
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([good, row]))

    with pytest.raises(CommandError, match="Nothing was loaded: ") as error:
        call_command("loaddata", str(file), verbosity=0)

    assert re.search(words, str(error.value))
    assert store.read_all().text == '{"A":1}'
    assert not User.objects.exists()


def test_fields_that_are_not_there_can_be_left_out(tmp_path):
    row = {"model": "state.stateentry", "pk": "A", "fields": {"value_json": 2, "colour": 1}}
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([row]))

    call_command("loaddata", str(file), ignore=True, verbosity=0)

    assert store.read_all().text == '{"A":2}'


def test_a_checkpoint_with_a_field_that_keys_do_not_have_is_refused(agent):
    row = {"model": "state.stateentry", "pk": "A", "fields": {"value_json": 2, "colour": 1}}

    response = agent.post("/api/state/restore", [row], content_type="application/json")

    assert response.status_code == 422
    assert response.json()["detail"] == "row 1, the key 'A', has a field 'colour', which keys do not have"
    assert store.head() == 0


def test_a_fixture_that_is_not_json_is_refused(tmp_path):
    file = tmp_path / "lax.jsonl"
    file.write_text('{"model": "state.stateentry", "pk": "A", "fields": {"value_json": {"a": 1, "a": 2}}}')

    with pytest.raises(CommandError, match="the one format that is read strictly"):
        call_command("loaddata", str(file))

    assert not StateEntry.objects.exists()


def test_a_key_in_two_fixtures_is_refused(tmp_path):
    for name in ("one", "two"):
        row = {"model": "state.stateentry", "pk": "A", "fields": {"value_json": name}}
        (tmp_path / f"{name}.json").write_text(json.dumps([row]))

    with pytest.raises(CommandError, match="'A' stands in the fixtures twice"):
        call_command("loaddata", str(tmp_path / "one.json"), str(tmp_path / "two.json"))

    assert not StateEntry.objects.exists()


def test_an_unknown_fixture_is_named():
    with pytest.raises(CommandError, match="No fixture named 'nope' found"):
        call_command("loaddata", "nope")
