"""A law: after forgetting, each moment of the past is what it was, redacted. The oracle shares no code with Nola."""

import copy
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nola_site.forget.tests.memory import ADA, flaws, forget
from state import store
from state.address import Address
from state.history import past
from state.jsondoc.pointer import format_pointer
from state.jsondoc.text import make_document
from state.models import Change, StateEntry

SECRET = "hush-7734"
texts = st.sampled_from([SECRET, f"a {SECRET} b{SECRET}", "", "[redacted]", "hush", "7734", f'"{SECRET}\\'])
leaves = st.one_of(texts, st.sampled_from([None, True, 1.5, 7734, 17734]))
names = st.sampled_from(["a", "b", "c", "home", f"x{SECRET}", "0"])
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)
documents = st.dictionaries(names, values, max_size=5)


def redacted(value, number):
    """By the text of it alone: what is in quotes before a colon is a name."""
    if isinstance(value, dict):
        return {
            name.replace(SECRET, "[redacted]") + (f" {number}" if SECRET in name else ""): redacted(inner, number)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [redacted(inner, number) for inner in value]
    return value.replace(SECRET, "[redacted]") if isinstance(value, str) else value


def write(steps):
    """All of it, one document after the other; what the key was at each revision, as text."""
    seen = {}
    for value in steps:
        if value is None:
            if StateEntry.objects.filter(pk="Doc").exists():
                store.remove(Address("Doc"), ADA)
        else:
            store.put(Address("Doc"), make_document(value), ADA)
        seen[store.head()] = None if value is None else json.dumps(value, ensure_ascii=False)
    return {seq: text for seq, text in seen.items() if seq}


def then(seq):
    found = past.text_at("Doc", seq)
    return found and json.dumps(json.loads(found.text), ensure_ascii=False)


@pytest.mark.django_db
@given(st.lists(st.none() | documents, min_size=1, max_size=7))
def test_each_moment_is_what_it_was_without_the_text(steps):
    seen = write(steps)

    number = forget(SECRET).revision

    for seq, text in seen.items():
        wanted = text and json.dumps(redacted(json.loads(text), number), ensure_ascii=False)
        assert then(seq) == wanted
    assert flaws() == []
    assert not StateEntry.objects.filter(value_json__contains=SECRET).exists()


@pytest.mark.django_db
@given(st.lists(st.none() | documents, min_size=1, max_size=7), st.sampled_from([("home",), ("home", "a"), ()]))
def test_each_moment_is_what_it_was_without_the_node(steps, tokens):
    steps = [one if one is None else {**one, "stays": number} for number, one in enumerate(steps)]
    seen = write(steps)
    assume(not tokens or not is_followed())

    forget("/Doc" + format_pointer(tokens))

    for seq, text in seen.items():
        assert then(seq) == (text and json.dumps(marked(json.loads(text), tokens), ensure_ascii=False))
    assert flaws() == []


def is_followed():
    """Whether it was elsewhere at times, where it is followed to: that, other tests tell."""
    ops = (op for ops in Change.objects.filter(kind="state").values_list("forward", flat=True) for op in ops)
    return any(op["op"] == "move" and "/home" in op["path"] + op["from"] for op in ops)


def marked(value, tokens):
    value = copy.deepcopy(value)
    if not tokens:
        return "[redacted]"
    holder = value
    for token in tokens[:-1]:
        holder = holder.get(token) if isinstance(holder, dict) else None
    if isinstance(holder, dict) and tokens[-1] in holder:
        holder[tokens[-1]] = "[redacted]"
    return value
