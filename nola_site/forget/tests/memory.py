"""A memory for these tests, and a look into all that is stored."""

import json
import zlib

from django.db import connection

from nola_site.forget import run
from state import store
from state.address import Address
from state.history import audit
from state.jsondoc.text import make_document
from state.revisions import Author, Source

ADA = Author("user:ada", Source.API)
OWNER = Author("cli:ada", Source.FORGET, "it was never to be here")
CARD = "4111 1111 1111 1111"


def put(pointer, value, reason=""):
    key, *tokens = pointer.strip("/").split("/")
    store.put(Address(key, tuple(tokens)), make_document(value), Author("user:ada", Source.API, reason))


def forget(argument, **more):
    return run.forget(run.parse_forgettable(argument, **more), OWNER)


def post(client, path, body, **headers):
    response = client.post(path, json.dumps(body), content_type="application/json", headers=headers)
    assert response.status_code < 300, response.content
    return response.json()


def flaws():
    return list(audit.find_flaws(connection))


def stored():
    """All that is in the database, as one text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            if table.startswith("conversation_words") or table == "auth_permission":
                continue
            cursor.execute(f"SELECT * FROM {table}")
            for row in cursor.fetchall():
                found += [str(one) if not isinstance(one, bytes) else unpacked(one) for one in row]
    return "\n".join(found)


def unpacked(data):
    try:
        return zlib.decompress(data).decode()
    except zlib.error:
        return repr(data)
