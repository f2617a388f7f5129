import json

import pytest

from conversations.imports.legacy_state_files import collect_documents
from state.files.sources import Unreadable, find_files, load_file
from state.report import Category, Report, Unit

USER = {"profile": {"v": 1}, "identity": {"level_1": "Jo", "level_2": {"name": "Jo"}, "level_3": {"name": "Jo Doe"}}}
WRAPPER = {"last_updated": "2025-01-01", "source_file": "/Users/demo/My Nola/x/../identity_thread/userID/user.json"}


def bring(root, files):
    for name, value in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value))
    report = Report()
    read = {}
    for file in find_files(root, report):
        try:
            read[file] = load_file(file)
        except Unreadable:
            read[file] = None
    found = collect_documents(read, report)
    for part in (part for one in found.values() for part in one.parts):
        report.add(part.category, Unit.SECTIONS, part.file, part.text)
    return {key: one.document.value for key, one in found.items()}, report


def texts(report, *categories):
    return [f"{one.file}: {one.text}" for category in categories for one in report.select(category)]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("identity_thread/userID/user.json", "userID"),
        ("identity_thread/userID/userID.json", "userID"),
        ("identity_thread/machineID/machineID.json", "machineID"),
        ("identity_thread/petID/whatever.json", "petID"),
        ("Identity_Thread /petID /pet.json", "petID"),
        ("anywhere/userID/user.json", "userID"),
        ("Nola/Nola/identity_thread/userID/user.json", "userID"),
        ("notes.json", "notes"),
        ("some/where/notes.v2.json", "notes.v2"),
    ],
)
def test_a_key_is_named_by_the_raw_folder_else_by_the_file(tmp_path, path, key):
    found, _ = bring(tmp_path, {path: USER})

    assert found == {key: USER}


def test_further_files_in_a_raw_folder_have_their_own_names(tmp_path):
    found, _ = bring(tmp_path, {"userID/user.json": {"a": 1}, "userID/extra.json": 2})

    assert found == {"userID": {"a": 1}, "extra": 2}


def test_the_raw_file_wins_and_its_copies_are_duplicates(tmp_path):
    filtered = {"profile": {"v": 1}, "identity": {"name": "Jo"}}
    aggregate = {"metadata": {"name": "N"}, "userID": {"metadata": WRAPPER, "data": filtered}}

    found, report = bring(
        tmp_path, {"identity_thread/userID/user.json": USER, "identity_thread/identity.json": aggregate}
    )

    assert found == {
        "userID": USER,
        "identity": {
            "metadata": {"name": "N"},
            "userID": {"metadata": {"last_updated": "2025-01-01", "source_file": "identity_thread/userID/user.json"}},
        },
    }
    assert texts(report, Category.DUPLICATE, Category.SKIPPED) == [
        "identity_thread/identity.json: userID.profile says what identity_thread/userID/user.json says",
        "identity_thread/identity.json: userID.identity says what identity_thread/userID/user.json says",
    ]


def test_unfiltered_levels_in_a_copy_are_duplicates_too(tmp_path):
    aggregate = {"IdentityConfig": {"metadata": {}, "data": {"userID": USER}}}

    found, report = bring(tmp_path, {"userID/user.json": USER, "Nola.json": aggregate})

    assert found == {"userID": USER, "Nola": {"IdentityConfig": {"metadata": {}}}}
    assert report.count(Category.DUPLICATE) == 2


def test_a_copy_that_differs_is_named_and_not_used(tmp_path):
    aggregate = {"userID": {"metadata": {}, "data": {"profile": {"v": True}, "identity": {"level_2": "else"}}}}

    found, report = bring(tmp_path, {"userID/user.json": USER, "identity.json": aggregate})

    assert found["userID"] == USER
    assert texts(report, Category.SKIPPED) == [
        "identity.json: userID.profile differs and is not used: userID/user.json wins",
        "identity.json: userID.identity.level_2 differs and is not used: userID/user.json wins",
    ]


def test_copies_fill_gaps_in_the_raw_file(tmp_path):
    raw = {"identity": {"level_1": "Jo"}}
    aggregate = {"userID": {"metadata": {}, "data": {"identity": {"level_2": "Jo!"}, "hobbies": ["chess"]}}}

    found, report = bring(tmp_path, {"userID/user.json": raw, "identity.json": aggregate})

    assert found["userID"] == {"identity": {"level_1": "Jo", "level_2": "Jo!"}, "hobbies": ["chess"]}
    assert texts(report, Category.ADDED) == [
        "identity.json: level_2 of userID.identity, which userID/user.json does not have",
        "identity.json: userID.hobbies, which userID/user.json does not have",
    ]


def test_without_raw_files_identity_beats_nola(tmp_path):
    identity = {"machineID": {"metadata": {}, "data": {"a": 1}}}
    nola = {"IdentityConfig": {"metadata": {}, "data": {"machineID": {"a": 2, "b": 3}, "userID": {"c": 4}}}}

    found, report = bring(tmp_path, {"Nola.json": nola, "thread/identity.json": identity})

    assert found["machineID"] == {"a": 1, "b": 3}
    assert found["userID"] == {"c": 4}
    assert texts(report, Category.SKIPPED) == [
        "Nola.json: machineID.a differs and is not used: thread/identity.json wins"
    ]


def test_sections_without_a_wrapper_are_modules_too(tmp_path):
    identity = {"metadata": {"modules": ["petID"]}, "userID": {"a": 1}, "petID": {"b": 2}, "other": {"c": 3}}
    nola = {"IdentityConfig": {"userID": {"a": 1}, "machineID": {"d": 4}}, "state_metadata": {"v": 1}}

    found, _ = bring(tmp_path, {"identity.json": identity, "Nola.json": nola})

    assert found == {
        "identity": {"metadata": {"modules": ["petID"]}, "other": {"c": 3}},
        "Nola": {"state_metadata": {"v": 1}},
        "userID": {"a": 1},
        "petID": {"b": 2},
        "machineID": {"d": 4},
    }


def test_unknown_members_of_a_wrapper_are_kept(tmp_path):
    identity = {"userID": {"metadata": {"v": 1}, "data": {"a": 1}, "note": "mine"}}

    found, _ = bring(tmp_path, {"identity.json": identity})

    assert found == {"identity": {"userID": {"metadata": {"v": 1}, "note": "mine"}}, "userID": {"a": 1}}


def test_a_plain_file_called_identity_is_brought_over_as_it_is(tmp_path):
    found, _ = bring(tmp_path, {"identity.json": {"name": {"first": "Jo"}}})

    assert found == {"identity": {"name": {"first": "Jo"}}}


def test_copies_are_not_used_where_the_raw_file_failed(tmp_path):
    identity = {"userID": {"metadata": {}, "data": {"a": 1}}}

    found, report = bring(tmp_path, {"userID/user.json": "{", "identity.json": identity})

    assert found == {"identity": {"userID": {"metadata": {}}}}
    assert texts(report, Category.SKIPPED) == [
        "identity.json: the copy of userID is not used, because its raw file userID/user.json failed"
    ]


def test_two_equal_files_for_a_key_are_one(tmp_path):
    found, report = bring(tmp_path, {"userID/user.json": USER, "Nola/userID/user.json": USER})

    assert found == {"userID": USER}
    assert texts(report, Category.DUPLICATE) == ["Nola/userID/user.json: userID: the same as userID/user.json"]


def test_two_different_files_for_a_key_are_both_kept(tmp_path):
    files = {"a.json": 1, "x/a.json": 2, "y/x/a.json": 3, "userID/user.json": {}, "Nola/userID/user.json": {"b": 1}}

    found, report = bring(tmp_path, files)

    assert found == {"a": 1, "x.a": 2, "y.x.a": 3, "userID": {}, "Nola.userID": {"b": 1}}
    assert texts(report, Category.CONFLICTING) == [
        "Nola/userID/user.json: another userID than userID/user.json; brought over beside it, as Nola.userID",
        "x/a.json: another a than a.json; brought over beside it, as x.a",
        "y/x/a.json: another a than a.json; brought over beside it, as y.x.a",
    ]


def test_a_folder_in_another_spelling_gives_the_same_key(tmp_path):
    found, _ = bring(tmp_path, {"userID/user.json": {"a": 1}, "Nola/userid/user.json": {"b": 1}})

    assert found == {"userID": {"a": 1}, "Nola.userID": {"b": 1}}


def test_an_empty_copy_is_reported(tmp_path):
    identity = {"userID": {}, "machineID": {"data": {}}, "IdentityConfig": {"data": {}}, "name": "N"}

    found, report = bring(tmp_path, {"identity.json": identity})

    assert found == {"identity": {"IdentityConfig": {"data": {}}, "name": "N"}}
    assert texts(report, Category.SKIPPED) == [
        "identity.json: the copy of userID is empty",
        "identity.json: the copy of machineID is empty",
    ]


def test_folders_above_the_imported_one_never_name_a_key(tmp_path):
    (tmp_path / "ada").mkdir()

    found, _ = bring(tmp_path / "ada", {"a.json": 1, "a.JSON": 2})

    assert found == {"a": 2, "a~2": 1}
