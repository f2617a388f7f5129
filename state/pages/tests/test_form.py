"""The keys as forms: the second view of the tree, with its name and its place in the sidebar."""

import re

import pytest
from django.contrib.admin.utils import quote

from state import store
from state.address import Address
from state.jsondoc.text import parse_json
from state.revisions import Author, Source

LIST = "/admin/state/stateentry/"


@pytest.fixture(autouse=True)
def key(db):
    store.put(Address("a/b & c"), parse_json("{}"), Author("user:ada", Source.ADMIN))


def read_heading(text):
    heading = re.search(r"<h1.*?</h1>", text, re.DOTALL)[0].replace("chevron_right", "›")
    return " ".join(re.sub("<[^>]*>", " ", heading).split())


def form(key):
    return f"{LIST}{quote(key)}/change/"


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("/admin/state/tree/", "Tree"),
        (LIST, "Tree"),
        (f"{LIST}?q=a", "Tree"),
        (f"{LIST}add/", "Tree › New key"),
        (form("a/b & c"), "Tree › a/b &amp; c"),
        (form("a/b & c").replace("change", "delete"), "Tree › Delete a/b &amp; c?"),
    ],
)
def test_each_page_of_both_views_is_the_tree_and_leads_to_the_other(owner, page, title):
    text = owner.get(page).content.decode()
    heading = read_heading(text)

    assert heading.startswith(title)
    switch = re.search(r'<nav class="ui ui-choice views".*?</nav>', text, re.DOTALL)[0]
    here = "Tree" if "/tree/" in page else "Form"
    assert re.findall(r'aria-current="page">(\w+)<', switch) == [here]
    assert f'href="{LIST}"' in switch
    assert 'href="/admin/state/tree/' in switch
    sidebar = text[text.index('id="nav-sidebar') :] if 'id="nav-sidebar' in text else text
    tree = re.search(r'<a href="/admin/state/tree/"[^>]*>', sidebar.replace(switch, ""))[0]
    assert " active" in tree


def test_the_sidebar_has_one_entry_for_both(owner):
    text = owner.get(LIST).content.decode()

    assert ">Keys<" not in re.sub(r"\s", "", text)


def test_a_form_and_a_row_lead_to_the_place_in_the_tree(owner):
    place = "/admin/state/tree/#/a~1b%20%26%20c"

    assert f'href="{place}"' in owner.get(form("a/b & c")).content.decode()
    assert f'href="{place}"' in owner.get(LIST).content.decode()


def test_a_refused_form_still_has_its_head(owner):
    page = owner.post(form("a/b & c"), {"value": "{", "seen": 1, "reason": ""})

    assert read_heading(page.content.decode()) == "Tree › a/b &amp; c"
