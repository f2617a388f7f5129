"""Keys with limits, for tests of what they read and write."""

import json

from django.test import Client

from access.models import ApiKey

JSON = "application/json"
MARK = "zebra"  # in all that must not show
KEY = "nola_the-key-of-"


def limited(make_key, scopes=("read", "write", "admin"), name="bob", **limits):
    """The client of a key with these limits."""
    make_key(KEY + name, name, scopes)
    ApiKey.objects.filter(name=name).update(**limits)
    return Client(headers={"Authorization": f"Bearer {KEY}{name}"})


def send(client, method, path, body=None, **headers):
    response = client.generic(method, f"/api{path}", json.dumps(body), JSON, headers=headers)
    return response.status_code, json.loads(response.content or "null")


def say(client, session, *texts, **more):
    status, body = send(
        client, "POST", f"/conversations/{session}/messages", [{**said(text), **more} for text in texts]
    )
    assert status in (200, 201), body
    return [one["id"] for one in body["messages"]]


def said(text, speaker="user"):
    return {"speaker": speaker, "message": text}
