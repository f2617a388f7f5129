import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.files.names import BadFileName, find_original, fold_name, is_cut_name, name_file, parse_filename

keys = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("Identity", "Identity.json"),
        ("my notes", "my notes.json"),
        ("a/b", "a%2Fb.json"),
        ("../x", "%2E.%2Fx.json"),
        ("..", "%2E%2E.json"),
        (".nola-sync", "%2Enola-sync.json"),
        (" ", "%20.json"),
        ("Úkoly", "Úkoly.json"),
        ("😀", "%F0%9F%98%80.json"),
        ("100%", "100%25.json"),
        ("con", "%63on.json"),
        ("NUL.txt", "%4EUL.txt.json"),
        ("console", "console.json"),
        ("a\\b:c*?", "a%5Cb%3Ac%2A%3F.json"),
        ("e\u0301", "%65%CC%81.json"),
        ("a\n", "a%0A.json"),
    ],
)
def test_a_key_has_a_name_that_every_file_system_takes(key, name):
    assert name_file(key) == name
    assert parse_filename(name) == key


@given(keys)
def test_a_name_that_was_not_cut_tells_its_key(key):
    name = name_file(key)

    assert parse_filename(name) in (key, None)
    assert "/" not in name and len(name.encode()) <= 125 and not name.startswith(".")


@given(st.lists(keys | st.sampled_from(["Ab", "aB", "AB", "ab", "é", "É", "e\u0301", "ß", "SS"]), unique=True))
def test_no_two_keys_have_names_that_differ_only_in_case(wanted):
    taken = {}
    for key in wanted:
        name = name_file(key, taken.__contains__)
        taken[fold_name(name)] = (key, name)

    assert len(taken) == len(wanted)
    assert all(parse_filename(name) == key or is_cut_name(name, key) for key, name in taken.values())


def test_a_key_of_512_bytes_is_cut_and_recognized():
    long, other = "😀" * 128, "😀" * 127 + "abcd"

    name = name_file(long)

    assert len(name.encode()) <= 125
    assert parse_filename(name) is None
    assert is_cut_name(name, long) and not is_cut_name(name, other)


def test_names_that_a_person_gave_stand_for_keys_too():
    assert parse_filename("my file (1).json") == "my file (1)"
    assert parse_filename("100%.json") == "100%"


def test_bytes_that_are_no_text_stand_for_no_key():
    with pytest.raises(BadFileName, match="not UTF-8"):
        parse_filename("%FF.json")


CERTAIN = [
    "Tasks.sync-conflict-20260131-120000-ABCDEFG.json",
    "Tasks.sync-conflict-20260131-120000.json",
    "Tasks (conflicted copy 2026-01-31).json",
    "Tasks (Ada's conflicted copy 2026-01-31).json",
    "Tasks (Ada (home)'s conflicted copy 2026-01-31).json",
    "Tasks (Ada's conflicted copy 2026-01-31 (1)).json",
    "Tasks (conflicted copy 2026-01-31 120000).json",
    "Tasks_conflict-20260131-120000.json",
    "Tasks (SFConflict ada@example.org 2026-01-31-12-00-00).json",
    "Tasks (In Konflikt stehende Kopie von Ada 2026-01-31).json",
    "Tasks (Case Conflict).json",
    "Tasks (1).sync-conflict-20260131-120000-ABCDEFG.json",
    "Tasks.sync-conflict-20260131-120000-ABCDEFG (2).json",
]
BESIDE = ["Tasks (1).json", "Tasks copy.json", "Tasks copy 2.json", "Tasks - Copy (2).json", "Tasks (3rd copy).json"]
NONE = [
    "Tasks.json",
    "Tasks 2.json",
    "Tasks-HOST.json",
    "Tasks %281%29.json",
    "conflicts.json",
    "(1).json",
    " (1).json",
]


@pytest.mark.parametrize("name", [*CERTAIN, *BESIDE])
def test_a_copy_that_another_program_made_tells_of_what(name):
    assert find_original(name, {"Tasks.json"}.__contains__) == "Tasks.json"


@pytest.mark.parametrize("name", BESIDE)
def test_what_people_call_a_file_too_is_a_copy_only_beside_its_original(name):
    assert find_original(name, lambda other: False) is None


@pytest.mark.parametrize("name", CERTAIN)
def test_what_only_programs_call_a_file_is_a_copy_in_any_case(name):
    original = find_original(name, lambda other: False)

    assert original is not None and original.startswith("Tasks")


@pytest.mark.parametrize("name", NONE)
def test_any_other_name_is_no_copy(name):
    assert find_original(name, lambda other: True) is None


@given(st.text(st.sampled_from(" ()copyconflict-.1"), max_size=40))
def test_a_search_for_an_original_ends(name):
    found = find_original(name + ".json", lambda other: True)

    assert found is None or len(found) < len(name + ".json")
