"""Signing in: wrong passwords are slowed down, look alike, and are written down without what was typed."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from access import delays, security
from access.models import FailedSignIns, SecurityEvent
from access.sign_in import format_wait

RIGHT = "a-long-password"
HOME, AWAY = "192.0.2.1", "198.51.100.7"
WRONG = "The name or the password is wrong. Capital letters count."


class Clock:
    def __init__(self):
        self.at = timezone.now()

    def now(self):
        return self.at


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Waits do not pass by themselves."""
    monkeypatch.setattr(delays, "timezone", clock := Clock())
    return clock


@pytest.fixture(autouse=True)
def people(db, monkeypatch):
    User.objects.create_superuser("ada", password=RIGHT)
    monkeypatch.setattr(security, "_seen", {})


@pytest.fixture
def owner():
    client = Client()
    client.force_login(User.objects.get())
    return client


def sign_in(name="ada", password=RIGHT, address=HOME, **headers):
    return Client(headers=headers).post("/admin/login/", {"username": name, "password": password}, REMOTE_ADDR=address)


def fail(times, **more):
    return [sign_in(password="wrong", **more).status_code for _ in range(times)]


def test_signing_in_leads_to_the_overview():
    response = sign_in()

    assert (response.status_code, response["Location"]) == (302, "/admin/")


@pytest.mark.parametrize("name", ["ada", "nobody", "guest", "gone"])
def test_all_failures_look_alike_and_take_as_long(name, monkeypatch):
    User.objects.create_user("guest", password=RIGHT)
    User.objects.create_user("gone", password=RIGHT, is_staff=True, is_active=False)
    hashed, encode = [], MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *given: hashed.append(given) or encode(*given))

    page = sign_in(name, "wrong" if name == "ada" else RIGHT)

    assert page.status_code == 200
    assert page.context_data["form"].non_field_errors() == [WRONG]
    assert len(hashed) == 1


def test_after_five_wrong_passwords_even_the_right_one_has_to_wait(clock):
    assert fail(5) == [200] * 5

    response = sign_in()

    assert (response.status_code, response["Retry-After"]) == (429, "1")
    assert "Too many wrong passwords. Try again in 1 second." in response.content.decode()
    clock.at += timedelta(seconds=1)
    assert sign_in().status_code == 302


def test_the_wait_doubles_up_to_a_quarter_of_an_hour():
    waits = []
    for _ in range(20):
        delays.count_failure("ada", HOME)
        waits.append(delays.find_wait("ada", HOME))

    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512] + [900] * 6


def test_a_wait_is_not_made_longer_by_trying_meanwhile():
    fail(5)
    before = FailedSignIns.objects.order_by("place").values_list("count", "at")[0]

    assert fail(3) == [429] * 3

    assert FailedSignIns.objects.order_by("place").values_list("count", "at")[0] == before


def test_others_cannot_hold_out_somebody_who_was_there_before():
    sign_in(address=HOME)
    fail(8, address=AWAY)
    fail(8, name="eve", address=HOME)

    assert sign_in(address=HOME).status_code == 302
    assert sign_in(address=AWAY).status_code == 429
    assert sign_in(address="203.0.113.9").status_code == 429  # nobody has come in from there


def test_names_tried_from_one_address_add_up():
    for number in range(5):
        fail(1, name=f"name{number}", address=AWAY)

    assert sign_in(address=AWAY).status_code == 429
    assert sign_in(address=HOME).status_code == 302


def test_the_right_password_begins_anew():
    fail(4)
    sign_in()

    assert fail(4) == [200] * 4
    assert sign_in().status_code == 302


def test_a_new_password_ends_the_wait():
    fail(9)
    user = User.objects.get()
    user.set_password("another-long-password")
    user.save()

    assert delays.find_wait("ada", AWAY) == 0
    assert sign_in(password="another-long-password", address=AWAY).status_code == 302


def test_failures_are_forgotten_after_a_day_and_never_fill_the_disk(clock, monkeypatch):
    monkeypatch.setattr(delays, "MOST", 9)
    for number in range(20):
        clock.at += timedelta(seconds=1)
        delays.count_failure(f"name{number}", f"192.0.2.{number}")
    assert FailedSignIns.objects.count() <= 9

    clock.at += timedelta(days=2)
    delays.count_failure("ada", HOME)
    assert FailedSignIns.objects.count() == 3


def test_one_half_of_ipv6_addresses_is_one_place():
    for number in range(5):
        delays.count_failure("ada", f"2001:db8::{number}")

    assert delays.find_wait("ada", "2001:db8::ffff") == 1
    assert delays.find_wait("bob", "2001:db8:0:1::1") == 0


def test_a_clock_that_was_set_back_makes_nobody_wait_for_ever(clock):
    fail(5)
    clock.at -= timedelta(days=300)

    assert delays.find_wait("ada", HOME) == delays.LONGEST


def test_a_password_of_more_than_4_kb_is_not_even_hashed(monkeypatch):
    def hash_it(*args, **more):
        raise AssertionError

    monkeypatch.setattr("django.contrib.auth.forms.authenticate", hash_it)

    response = sign_in(password="é" * 2049)

    assert response.context_data["form"].non_field_errors() == [WRONG]
    assert FailedSignIns.objects.count() == 3


def test_nobody_can_have_a_password_that_would_be_refused(owner):
    long = "x" * 5000

    page = owner.post("/admin/password_change/", {"old_password": RIGHT, "new_password1": long, "new_password2": long})

    assert "longer than 4,096 bytes" in page.content.decode()


def test_what_was_typed_is_written_down_nowhere(caplog):
    with caplog.at_level("INFO", "nola.security"):
        sign_in("my-secret-in-the-wrong-box", "hunter2")
        sign_in("ada", "hunter2")

    lines = [json.loads(record.message) for record in caplog.records]
    assert lines == [
        {"event": "sign-in failed", "actor": "somebody", "address": HOME},
        {"event": "sign-in failed", "actor": "user:ada", "address": HOME},
    ]
    stored = str([*SecurityEvent.objects.values_list(), *FailedSignIns.objects.values_list()])
    assert "hunter2" not in stored
    assert "wrong-box" not in stored


def test_each_failure_is_a_line_and_each_minute_a_row(caplog):
    with caplog.at_level("INFO", "nola.security"):
        fail(4)

    assert len(caplog.records) == 4
    assert SecurityEvent.objects.filter(event="sign-in failed").count() == 1


@pytest.mark.parametrize(
    ("public", "headers", "address"),
    [
        ("", {"X-Forwarded-For": AWAY, "X-Forwarded-Proto": "https"}, HOME),
        ("https", {"X-Forwarded-For": f"10.9.9.9, {AWAY}", "X-Forwarded-Proto": "https"}, AWAY),
        ("https", {"X-Forwarded-For": AWAY}, HOME),
        ("https", {"X-Forwarded-For": "nonsense", "X-Forwarded-Proto": "https"}, HOME),
    ],
)
def test_a_proxy_is_believed_only_where_there_is_one(settings, public, headers, address):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if public else None

    sign_in(**headers)

    assert SecurityEvent.objects.get(event="signed in").address == address


def test_the_page_says_where_the_first_password_is_while_it_is_there(client, settings, tmp_path):
    settings.NOLA_DB_DIR = tmp_path
    assert b"db/admin-password" not in client.get("/admin/login/").content

    (tmp_path / "admin-password").write_text("secret-of-the-first-run")

    page = client.get("/admin/login/").content
    assert b"db/admin-password" in page
    assert b"secret-of-the-first-run" not in page


def test_a_new_password_ends_all_other_sessions(owner):
    other = Client()
    other.force_login(User.objects.get())
    new = "another-long-password"

    owner.post("/admin/password_change/", {"old_password": RIGHT, "new_password1": new, "new_password2": new})

    assert owner.get("/admin/").status_code == 200
    assert other.get("/admin/").status_code == 302
    assert other.get("/api/state").status_code == 401


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
def test_whoever_is_put_out_is_out_at_once(owner, change):
    User.objects.update(**change)

    assert owner.get("/admin/").status_code == 302
    assert owner.get("/api/state").status_code == 401


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 second"), (40, "40 seconds"), (128, "2 minutes"), (900, "15 minutes")]
)
def test_a_wait_is_said_in_words(seconds, words):
    assert format_wait(seconds) == words


@pytest.mark.django_db(transaction=True)
def test_failures_at_the_same_time_are_all_counted():
    def fail(_):
        delays.count_failure("ada", HOME)
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fail, range(40)))

    assert set(FailedSignIns.objects.values_list("count", flat=True)) == {40}
