"""Pages that say what is wrong: in our words, and with a way back."""

import sqlite3

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client

from nola_site.pages.tests.speech import spoken, title, words
from nola_site.serving.calls import CallMiddleware

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["/nothing", "/admin/proposals/77/"])
def test_what_is_not_there_is_said_with_a_way_back(owner, address):
    response = owner.get(address)

    assert (response.status_code, title(response)) == (404, "Nothing is here · Nola")
    assert f"<code>{address}</code>" in response.content.decode()
    assert 'href="/admin/">Overview' in response.content.decode()
    assert spoken(response) == []


def test_somebody_who_is_not_signed_in_reads_no_more_than_that(db):
    response = Client().get("/nothing/secret-name")

    assert response.status_code == 404
    assert title(response) == "Nothing is here · Nola"
    assert "secret-name" not in response.content.decode() and "Activity" not in response.content.decode()
    assert 'href="/admin/">Sign in' in response.content.decode()


def test_what_is_not_allowed_is_said_in_our_words(db):
    User.objects.create_user("eve", password="a-long-password", is_staff=True)
    client = Client()
    client.force_login(User.objects.get())

    response = client.get("/admin/state/tree/")

    assert response.status_code == 403
    assert title(response) == "This is not open to you · Nola"


def test_a_form_that_has_run_out_is_said_in_our_words(owner):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get())

    response = client.post("/admin/forget/", {"what": "x"})

    assert response.status_code == 403
    assert title(response) == "This form has run out · Nola"
    assert spoken(response) == []


def test_what_cannot_be_read_is_said_in_our_words(db):
    response = Client().get("/admin/", headers={"host": "elsewhere.example"})

    assert response.status_code == 400
    assert title(response) == "This cannot be read · Nola"


def test_a_fault_of_ours_is_said_in_our_words(owner, monkeypatch):
    def fail(*_):
        raise RuntimeError("a secret of the program")

    monkeypatch.setattr("state.pages.proposals.list_proposals", fail)
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get())

    response = client.get("/admin/proposals/")

    assert response.status_code == 500
    assert title(response) == "Something went wrong · Nola"
    assert "secret" not in response.content.decode()


@pytest.mark.sqlite
def test_a_memory_that_cannot_be_written_now_says_that_what_was_typed_is_still_there(owner, rf):
    error = OperationalError("database is locked")
    error.__cause__ = sqlite3.OperationalError()
    error.__cause__.sqlite_errorcode = sqlite3.SQLITE_BUSY

    response = CallMiddleware(lambda request: None).process_exception(rf.post("/admin/forget/"), error)

    assert (response.status_code, title(response)) == (503, "This cannot be saved now · Nola")
    assert "what you typed is still in the form" in words(response)


def test_errors_of_the_api_stay_problem_documents(owner):
    response = owner.get("/api/nothing")

    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


def test_the_pages_before_and_after_speak_our_language_too(owner):
    before = Client().get("/admin/login/")
    after = owner.post("/admin/logout/")

    assert (title(before), title(after)) == ("Sign in · Nola", "You are signed out · Nola")
    assert spoken(before) == spoken(after) == []
