import copy
import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import store
from state.report import Category
from state.sync import folder as folder_files
from state.sync import write as folder_writing
from state.sync.folder import write_file
from state.sync.notes import save_notes
from state.sync.tests.memory import pull, push, put, read, sync, value, write

pytestmark = pytest.mark.django_db


# Against a reference

NAMES = ["a", "b", "c"]
GONE = object()
leaf = st.sampled_from([None, True, 0, 1, 1.0, "x", "y", []])
trees = st.dictionaries(st.sampled_from(NAMES), leaf | st.dictionaries(st.sampled_from(NAMES), leaf, max_size=3))
changes = st.lists(st.tuples(st.sampled_from(["", *NAMES]), st.sampled_from(NAMES), leaf | st.just(GONE)), max_size=4)
numbers = itertools.count()


def leaves(tree):
    """The leaves of a tree two levels deep; the objects in it are no leaves, and stay."""
    found = {}
    for name, node in tree.items():
        inside = node.items() if isinstance(node, dict) else [("", node)]
        found.update({(name, inner) if inner else ("", name): text for inner, text in inside})
    return found


def changed(tree, edits):
    """The tree with leaves set, made or removed; one is never made where an object is, nor the other way round."""
    tree = copy.deepcopy(tree)
    for name, inner, new in edits:
        node = tree.get(name) if name else tree
        if not isinstance(node, dict) or isinstance(node.get(inner), dict):
            continue
        if new is GONE:
            node.pop(inner, None)
        else:
            node[inner] = new
    return tree


def merged(base, one, other):
    """The leaves of both sides, and where they cannot go together."""
    found, met = {}, []
    for place in base.keys() | one.keys() | other.keys():
        was, mine, theirs = (json.dumps(side[place]) if place in side else None for side in (base, one, other))
        if mine != was and theirs != was and mine != theirs:
            met.append("/".join(("", *filter(None, place))))
        result = theirs if mine == was else mine
        if result is not None:
            found[place] = json.loads(result)
    return found, met


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(trees, changes, changes, st.sampled_from([None, None, "file", "db"]))
def test_a_sync_of_random_edits_on_both_sides_is_the_merge_of_both(folder, base, ours, theirs, prefer):
    key = f"Key{next(numbers)}"
    base = {name: {"id": 0, **node} if isinstance(node, dict) else node for name, node in {"id": 0, **base}.items()}
    put(key, base)
    pull(folder, keys=[key])
    one, other = changed(base, ours), changed(base, theirs)
    write(folder, f"{key}.json", one)
    put(key, other)

    report = sync(folder, keys=[key], prefer=prefer)

    expected, met = merged(leaves(base), leaves(one), leaves(other))
    stored, file = leaves(value(key)), leaves(read(folder, f"{key}.json"))
    if not met:
        assert json.dumps(sorted(stored.items())) == json.dumps(sorted(expected.items()))
        assert value(key) == read(folder, f"{key}.json")
        return
    if prefer is None:
        assert (stored, file) == (leaves(other), leaves(one))
        described = read(folder, f"{key}.json.conflict")["conflicts"]
        assert sorted(one["pointer"] for one in described) == sorted(met)
        return
    wins = leaves(one if prefer == "file" else other)
    for pointer in met:
        place = ("", *pointer.split("/")[1:])[-2:]
        expected.pop(place, None)
        if place in wins:
            expected[place] = wins[place]
    assert stored == file == expected
    assert report.count(Category.CONFLICTING) == 0


# Killed anywhere


class Killed(BaseException):
    pass


class Dying:
    """A function that is cut off at one of its calls, counted over all functions of a test."""

    def __init__(self, at):
        self.at = at

    def wrap(self, function, after):
        def called(*arguments, **options):
            if not after:
                self.count()
            result = function(*arguments, **options)
            if after:
                self.count()
            return result

        return called

    def count(self):
        self.at -= 1
        if self.at == 0:
            raise Killed


@pytest.mark.parametrize("way", [sync, pull, push])
def test_a_run_that_is_cut_off_anywhere_is_completed_by_the_next(tmp_path, monkeypatch, way):
    for at in itertools.count(1):
        folder, prefix = tmp_path / str(at), f"k{at}-"
        keys = [f"{prefix}{n}" for n in range(3)]
        put(keys[0], {"file": 0, "nola": 0})
        put(keys[1], {"nola": 0})
        pull(folder, keys=keys[:2])
        write(folder, f"{keys[0]}.json", {"file": 1, "nola": 0})
        put(keys[0], 1, "nola")
        put(keys[1], 1, "nola")
        put(keys[2], "new")
        dying = Dying(at)
        with monkeypatch.context() as patch:
            patch.setattr(folder_writing, "save_notes", dying.wrap(save_notes, after=False))
            for module in (folder_files, folder_writing):
                patch.setattr(module, "write_file", dying.wrap(write_file, after=True))
            patch.setattr(store, "commit", dying.wrap(store.commit, after=True))
            try:
                way(folder, keys=keys)
                break
            except Killed:
                pass
        put(keys[1], 2, "nola")

        way(folder, keys=keys)
        sync(folder, keys=keys)

        assert value(keys[0]) == read(folder, f"{keys[0]}.json") == {"file": 1, "nola": 1}
        assert value(keys[1]) == read(folder, f"{keys[1]}.json") == {"nola": 2}
        assert read(folder, f"{keys[2]}.json") == "new"
    assert at > 2


def test_what_file_and_memory_both_have_elsewhere_stands_once(folder):
    put("List", [3, 1, 2])
    pull(folder, keys=["List"])
    put("List", [1, 2, 3])
    write(folder, "List.json", [1, 2, 3, 4])

    sync(folder, keys=["List"])

    assert value("List") == read(folder, "List.json") == [1, 2, 3, 4]
