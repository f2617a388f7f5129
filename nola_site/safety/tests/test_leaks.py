"""What looks like a secret is told by its place; what does not look like one is not."""

import pytest
from django.core.management import call_command
from django.db import connection

from conversations.models import Message
from nola_site.safety.leaks import find_in_value, find_kinds, find_leaks
from state import store
from state.address import Address
from state.jsondoc.text import make_document
from state.revisions import Author, Source

ADA = Author("user:ada", Source.API)
A1 = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0rX2uL5iO8b"  # put together below: no file of ours looks like it holds one
CARD = "4111 1111 1111 " + "1111"
LOOKS = {
    "an API key of Anthropic": "sk-" + "ant-" + A1,
    "an API key of OpenAI": "sk-" + "proj-" + A1,
    "an access key of AWS": "AKIA" + "ABCDEFGH12345678",
    "a token of GitHub": "gh" + "p_" + A1,
    "a token of GitLab": "glpat" + "-" + A1[:20],
    "a token of Slack": "xox" + "b-1234567890-abcdef",
    "an API key of Google": "AI" + "za" + A1[:35],
    "a key of Stripe": "sk_" + "live_" + A1,
    "a token of Hugging Face": "hf" + "_" + A1,
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "a signed token (JWT)": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0In0." + A1,
    "a password in an address": "postgres://ada:" + "hunter22@db.example/nola",
    "an API key of Nola": "nola" + "_" + (A1 + A1)[:43],
    "a card number": CARD,
}
PLAIN = [
    "the sk-learn-for-beginners-of-all-ages-2024 book",
    "4111 1111 1111 1112",  # the check digit is wrong
    "1764000000000000",  # a time in microseconds
    "550e8400-e29b-41d4-a716-446655440000",
    "https://example.org/a:b@c",
    "eyJust.eyJoking",
    "hf_transfer",
    "AKIAN",
    "5.4111111111111111",
    "I forgot my password: again",
    "a" * 5000,
]


@pytest.mark.parametrize("kind", LOOKS)
def test_a_secret_is_known_by_its_look_alone_and_within_a_text(kind):
    assert list(find_kinds(LOOKS[kind])) == [kind]
    assert list(find_kinds(f"it is ({LOOKS[kind]}), no more.\nOr")) == [kind]


@pytest.mark.parametrize("text", PLAIN)
def test_what_does_not_look_like_one_is_not_told(text):
    assert list(find_kinds(text)) == []


@pytest.mark.parametrize(
    "name", ["password", "db_password", "API-Key", "client_secret", "accessToken", "refresh_token"]
)
def test_a_member_that_is_named_so_holds_a_password(name):
    assert list(find_in_value({"a": {name: "correct-horse"}})) == [(("a", name), "a password")]


@pytest.mark.parametrize(
    "value", ["[redacted]", "********", "<your key>", "${TOKEN}", "none", "never tell it", True, 3]
)
def test_a_member_that_holds_no_password_does_not(value):
    assert list(find_in_value({"password": value, "keyboard": "qwertyuiop", "tokens": "1234567"})) == []


@pytest.mark.django_db
def test_places_are_told_each_once_with_the_way_out_and_never_the_value(owner):
    key = LOOKS["a token of GitHub"]
    store.put(
        Address("Tools"), make_document({"github": f"\n{key}", "old": CARD, key: 1, "bank": 4111111111111111}), ADA
    )
    store.remove(Address("Tools", ("old",)), ADA)
    said = {"speaker": "user", "message": f"pay with {CARD}", "metadata": {"api_key": "correct-horse"}}
    owner.post("/api/conversations/talk/messages", said, content_type="application/json")

    found = list(find_leaks(connection))

    message = f"message {Message.objects.get().pk} of 'talk'"
    assert [one[:2] for one in found] == [
        ("/Tools/github", "a token of GitHub"),
        ("/Tools/…", "a token of GitHub"),
        ("/Tools/bank", "a card number"),
        ("the past of /Tools/old", "a card number"),
        (message, "a card number"),
        (message, "a password"),
    ]
    assert [one.way_out for one in found][:2] == ["forget /Tools/github", "forget -"]
    assert key not in str(found) and CARD not in str(found)


@pytest.mark.django_db
def test_those_of_keys_come_in_the_order_of_the_keys():
    for number, name in enumerate(["b", "a", "Z", "b"]):
        store.put(Address(name), make_document({"bank": CARD, "n": number}), ADA)

    assert [one.place for one in find_leaks(connection)] == ["/Z/bank", "/a/bank", "/b/bank"]


@pytest.mark.django_db(transaction=True)
def test_doctor_tells_of_them_unless_it_is_not_to_look(capsys, settings, tmp_path):
    settings.NOLA_DB_DIR = tmp_path  # where no other test has said how far a memory went
    store.put(Address("Card"), make_document({"number": CARD}), ADA)

    call_command("doctor")
    shown = capsys.readouterr().out
    call_command("doctor", "--no-leaks")

    assert "WARNING  leaks: /Card/number has what looks like a card number" in shown
    assert "./nola forget /Card/number" in shown and CARD not in shown
    assert "leaks" not in capsys.readouterr().out
