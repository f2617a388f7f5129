"""State files from a predecessor's folder, and what somebody wrote in Nola since."""

import pytest

from conversations import log
from conversations.imports.tests.legacy import PERSON, bring, chat, counts, lines, state, texts, write
from conversations.models import Conversation
from state import store
from state.address import Address
from state.jsondoc.text import parse_json
from state.models import Revision, StateEntry
from state.report import Category, Unit
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db


def test_a_plain_folder_of_json_files_becomes_one_key_per_file(tmp_path):
    write(tmp_path, "alpha.json", {"a": 1})
    write(tmp_path, "deeper/beta.JSON", [1, 2])

    bring(tmp_path)

    assert state() == {"alpha": {"a": 1}, "beta": [1, 2]}


def test_all_state_of_an_import_is_one_revision_with_batch_and_folder(tmp_path):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "beta.json", 2)

    report = bring(tmp_path)

    revision = Revision.objects.get()
    assert (revision.actor, revision.source) == ("cli:test", "import")
    place = revision.info.pop("place")
    files = {"alpha": "alpha.json", "beta": "beta.json"}
    assert revision.info == {"batch": report.batch, "folder": tmp_path.name, "files": files}
    assert len(place) == 12
    assert revision.changes.count() == 2


def test_a_second_run_makes_no_revision(tmp_path):
    write(tmp_path, "alpha.json", {"a": 1})
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    bring(tmp_path)
    before = store.head()

    report = bring(tmp_path)

    assert store.head() == before
    assert counts(report) == {
        "read files": 2,
        "read state keys": 1,
        "read conversations": 1,
        "read messages": 2,
        "duplicate state keys": 1,
        "duplicate conversations": 1,
        "duplicate messages": 2,
    }


def test_a_file_that_changed_updates_what_an_import_wrote(tmp_path):
    file = write(tmp_path, "alpha.json", {"a": 1})
    bring(tmp_path)
    file.write_text('{"a": 2}')

    report = bring(tmp_path)

    assert state() == {"alpha": {"a": 2}}
    assert report.count(Category.UPDATED, Unit.KEYS) == 1


def test_a_seed_gives_way_to_the_import(tmp_path):
    store.put(Address("alpha"), parse_json("1"), Author("system:seed", Source.SEED))
    write(tmp_path, "alpha.json", 2)

    bring(tmp_path)

    assert state() == {"alpha": 2}


def test_a_key_edited_since_is_kept_and_listed(tmp_path):
    write(tmp_path, "alpha.json", {"a": 1})
    bring(tmp_path)
    store.put(Address("alpha", ("a",)), parse_json("9"), PERSON)

    report = bring(tmp_path)

    assert state() == {"alpha": {"a": 9}}
    assert texts(report, Category.CONFLICTING) == [
        "alpha.json: alpha was written by user:ada (revision 2) and stays so; --replace overrides"
    ]


def test_a_key_deleted_since_stays_deleted(tmp_path):
    write(tmp_path, "alpha.json", {"a": 1})
    bring(tmp_path)
    store.remove(Address("alpha"), PERSON)

    report = bring(tmp_path)

    assert state() == {}
    assert texts(report, Category.CONFLICTING) == [
        "alpha.json: alpha was deleted by user:ada (revision 2) and stays so; --replace overrides"
    ]


def test_a_key_that_somebody_edited_to_what_the_file_says_is_no_conflict(tmp_path):
    store.put(Address("alpha"), parse_json("1"), PERSON)
    write(tmp_path, "alpha.json", 1)

    report = bring(tmp_path)

    assert report.count(Category.CONFLICTING) == 0
    assert report.count(Category.DUPLICATE, Unit.KEYS) == 1


def test_replace_lets_the_files_win_over_edits_and_deletions(tmp_path):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "beta.json", 2)
    bring(tmp_path)
    store.put(Address("alpha"), parse_json("9"), PERSON)
    store.remove(Address("beta"), PERSON)

    report = bring(tmp_path, replace=True)

    assert state() == {"alpha": 1, "beta": 2}
    assert counts(report)["updated state keys"] == counts(report)["added state keys"] == 1


def test_a_dry_run_writes_nothing_and_reports_the_same(tmp_path):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "broken.json", "{")
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    write(tmp_path, "Feeds/conversations/one.json", chat(started="2025-02-02T10:00:00", turns=[]))
    write(tmp_path, "Feeds/log.txt", lines(("Conversation started.", ""), ("User: a\nAssistant: b", "")))

    dry = bring(tmp_path, dry_run=True)

    assert (Revision.objects.count(), Conversation.objects.count(), StateEntry.objects.count()) == (0, 0, 0)
    assert dry.findings == bring(tmp_path).findings


def test_the_check_for_edits_takes_as_many_queries_for_thirty_keys_as_for_three(
    tmp_path, django_assert_max_num_queries
):
    for number in range(30):
        write(tmp_path, f"key{number}.json", number)

    with django_assert_max_num_queries(30 + 3):  # the store reads each key
        bring(tmp_path, dry_run=True)


def test_a_filtered_copy_never_replaces_what_nola_has(tmp_path):
    raw = {"identity": {"level_1": "Jo", "level_3": "Jo Doe"}, "hobbies": "chess"}
    copy = {"userID": {"metadata": {}, "data": {"identity": "Jo", "hobbies": "go", "pets": ["cat"]}}}
    write(tmp_path, "all/userID/user.json", raw)
    write(tmp_path, "part/identity.json", copy)
    bring(tmp_path / "all")

    report = bring(tmp_path / "part", replace=True)

    assert state()["userID"] == {**raw, "pets": ["cat"]}
    assert texts(report, Category.SKIPPED) == ["identity.json: userID.hobbies differs and is not used: Nola wins"]
    assert counts(report)["added copied parts"] == counts(report)["duplicate copied parts"] == 1
    assert bring(tmp_path / "part").revisions == 0


def test_a_copied_part_is_added_only_if_its_key_is_written(tmp_path):
    write(tmp_path, "userID/user.json", {"a": 1})
    write(tmp_path, "Nola.json", {"IdentityConfig": {"data": {"userID": {"b": 2}}}})

    first, second = bring(tmp_path), bring(tmp_path)

    assert (first.count(Category.ADDED, Unit.SECTIONS), second.count(Category.ADDED, Unit.SECTIONS)) == (1, 0)
    assert second.count(Category.DUPLICATE, Unit.SECTIONS) == 1


def test_a_file_of_the_same_name_in_another_folder_does_not_overwrite(tmp_path):
    write(tmp_path, "one/Nola/alpha.json", 1)
    write(tmp_path, "two/Nola/alpha.json", 2)
    bring(tmp_path / "one" / "Nola")

    report = bring(tmp_path / "two" / "Nola")
    kept = state()
    bring(tmp_path / "two" / "Nola", replace=True)

    assert kept == {"alpha": 1}
    assert texts(report, Category.CONFLICTING) == [
        "alpha.json: alpha was written by the import of Nola/alpha.json (revision 1) and stays so; --replace overrides"
    ]
    assert state() == {"alpha": 2}


def test_another_file_for_a_key_does_not_overwrite(tmp_path):
    file = write(tmp_path, "a/alpha.json", 1)
    bring(tmp_path)
    file.unlink()
    write(tmp_path, "b/alpha.json", 2)

    report = bring(tmp_path)

    assert state() == {"alpha": 1}
    assert report.count(Category.CONFLICTING, Unit.KEYS) == 1


@pytest.mark.parametrize("source", [Source.API, Source.RESTORE, Source.UNDO, Source.LOADDATA])
def test_what_came_through_another_door_is_never_overwritten(tmp_path, source):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "Stimuli/conversations/one.json", chat(name="Trip"))
    bring(tmp_path)
    author = Author("key:bot", source)
    store.put(Address("alpha"), parse_json("9"), author)
    log.change("react_1", {"title": "Journey"}, author)

    bring(tmp_path)

    assert state() == {"alpha": 9}
    assert Conversation.objects.get().title == "Journey"
