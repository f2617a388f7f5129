"""The page that searches all of the memory, and the hits of the dialog, without a browser."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User

from conversations import log
from conversations.drafts import NewConversation, NewMessage
from conversations.models import Conversation, Message
from conversations.pages.search import FEW, MANY
from state import store
from state.jsondoc.text import make_document
from state.revisions import Author, Source

AGENT = Author("key:agent", Source.API)
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
CONVERSATIONS = "/admin/conversations/conversation/"
SEARCH, HITS = "/admin/search/", "/admin/search/hits"


def put(**documents):
    store.put_keys({key: make_document(value) for key, value in documents.items()}, AGENT)


def show(client, question, address=SEARCH, more=""):
    response = client.get(f"{address}?q={quote(question)}{more}")
    assert response.status_code == 200
    text = response.content.decode()
    return text.partition('id="content"')[2] or text


def links(page):
    return re.findall(r'class="search-hit" href="([^"]*)"', page)


@pytest.mark.parametrize("address", [SEARCH, HITS])
def test_each_part_has_its_hits_and_they_lead_to_the_place(owner, talk, address):
    put(Hello={"a/b": {"deep": [1, "say hello"]}})
    hit = Message.objects.get(speaker="user")
    Conversation.objects.update(title="Hello again")

    page = show(owner, "hello", address)

    assert re.findall(
        "Keys|Values|Conversations|Messages", re.sub(r"<form.*?</form>|<a .*?</a>", "", page, flags=re.S)
    )[:4] == ["Keys", "Values", "Conversations", "Messages"]
    assert links(page) == [
        "/admin/state/tree/#/Hello",
        "/admin/state/tree/#/Hello/a~1b/deep/1",
        f"{CONVERSATIONS}{talk.pk}/change/",
        f"{CONVERSATIONS}{talk.pk}/change/?message={hit.pk}&amp;q=hello",
    ]
    assert "<mark>Hello</mark> &lt;b&gt;there&lt;/b&gt;" in page
    assert "say <mark>hello</mark>" in page


def test_names_of_all_kinds_lead_to_their_place(owner):
    name = "<b> & ~ 100% ? #\u200b"
    store.put_keys({f"{name} one": make_document({"": "within"})}, AGENT)

    [key] = links(show(owner, name, HITS))
    [value] = links(show(owner, "within", HITS))

    assert key == "/admin/state/tree/#/%3Cb%3E%20%26%20~0%20100%25%20%3F%20%23%E2%80%8B%20one"
    assert value == f"{key}/"


def test_it_says_what_was_searched(owner, talk):
    log.create(NewConversation("gone"), AGENT, [NewMessage("user", "lost", NOON)])
    Conversation.objects.filter(session_id="gone").update(deleted_revision=1)
    Message.objects.filter(speaker="assistant").update(deleted_revision=1)
    put(One=1, Two=2)

    for address in (SEARCH, HITS):
        page = show(owner, "whatever", address)
        assert "Searched 2 keys and their values, 1 message in 1 conversation. Not searched: what was deleted" in page
        assert "Nothing has “whatever” in it." in page


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("!!!", "There is no letter, digit or symbol in it"),
        ('"', "There is no letter, digit or symbol in it"),
        ('"unbalanced quote', "Nothing has"),
        ("a\0b", "Nothing has"),
        ("😀", "Nothing has"),
        ("\u200b", "There is no letter, digit or symbol in it"),
        ("x" * 10_000, "The search has 10,000 characters; 1,000 are taken at most."),
        (" ".join(f"w{n}" for n in range(33)), "The search has 33 words; 32 are taken at most."),
        ("/", "There is no letter, digit or symbol in it"),
        ("/~2/x", "Nothing has"),
        ("//", "There is no letter, digit or symbol in it"),
        ("*", "There is no letter, digit or symbol in it"),
        ("NEAR(a b) OR -x:y", "Nothing has"),
    ],
)
@pytest.mark.parametrize("address", [SEARCH, HITS])
def test_any_text_can_be_asked_for(owner, talk, address, question, said):
    assert said in show(owner, question, address)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("&in=messages&since=never", "Since: &#x27;never&#x27; is no time"),
        ("&in=messages&cursor=x", "The cursor is none"),
        ("&in=nowhere", "<mark>Hello</mark>"),
        ("&speaker=assistant", "Nothing has “hello” in it."),
        ("&in=keys", "Nothing has “hello” in it."),
    ],
)
def test_it_is_narrowed_and_says_what_is_wrong(owner, talk, query, said):
    assert said in show(owner, "hello", more=query)


def test_an_empty_search_says_what_it_is_for(owner):
    assert "Keys by their names" in show(owner, " ")
    assert links(show(owner, " ", HITS)) == []


def test_pages_of_the_sidebar_are_found_by_who_may_open_them(owner, client):
    guest = User.objects.create_user("eve", is_staff=True)
    guest.user_permissions.add(*grants("view_stateentry"))
    client.force_login(guest)

    assert "/admin/checkpoints/" in links(show(client, "checkp", HITS))
    assert "/admin/auth/user/" in links(show(owner, "people", HITS))
    assert "/admin/auth/user/" not in links(show(client, "people", HITS))


def grants(*names):
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(codename__in=names)


def test_all_hits_of_a_part_are_shown_page_by_page(owner):
    put(**{f"Note{n:03}": {"about": f"gnu {n}"} for n in range(MANY + 3)})

    first, seen = show(owner, "gnu"), []
    assert "in=values" in first
    address = "&in=values"
    while address:
        page = show(owner, "gnu", more=address)
        seen += links(page)
        following = re.search(r'href="\?([^"]*)" rel="next"', page)
        address = "&" + following[1].replace("&amp;", "&").partition("&")[2] if following else ""
    assert seen == [f"/admin/state/tree/#/Note{n:03}/about" for n in range(MANY + 3)]
    assert len(links(show(owner, "gnu", HITS))) == FEW
    assert 'rel="prev"' in page


def test_no_more_queries_for_more_hits(owner, django_assert_max_num_queries):
    put(**{f"Word{n}": {"word": f"word {n}"} for n in range(60)})
    for n in range(60):
        messages = [NewMessage("user", "a word", NOON + timedelta(minutes=n))]
        log.create(NewConversation(f"s{n}", title=f"word {n}"), AGENT, messages)

    with django_assert_max_num_queries(17):
        assert len(links(show(owner, "word", HITS))) == 4 * FEW
    with django_assert_max_num_queries(18):
        assert len(links(show(owner, "word"))) == 40
    for part in ("keys", "values", "conversations", "messages"):
        with django_assert_max_num_queries(15):
            assert len(links(show(owner, "word", more=f"&in={part}"))) == MANY


def test_where_messages_were_searched_leads_on(owner, talk):
    pk = Message.objects.first().pk

    assert owner.get("/admin/conversations/message/?q=a%20b&speaker=user").url == f"{SEARCH}?q=a+b&speaker=user"
    assert (
        owner.get(f"/admin/conversations/message/{pk}/change/").url == f"{CONVERSATIONS}{talk.pk}/change/?message={pk}"
    )


def test_the_dialog_is_on_the_pages_of_who_may_search(owner, client):
    client.force_login(User.objects.create_user("eve", is_staff=True))

    assert 'id="nola-search"' in owner.get("/admin/").content.decode()
    assert "search-open" not in client.get("/admin/").content.decode()
    assert "nola-search" not in client.get("/admin/").content.decode()
