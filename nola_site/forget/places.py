"""Where texts are kept in the database: each table and column that holds what people or programs have written.

A test holds it against the models: a new column stands in one of the two lists.
"""

import json
import zlib
from collections.abc import Callable
from typing import Any

from nola_site.forget.redaction import Redaction
from state.jsondoc.text import dump_json

Redact = Callable[[Redaction, Any], Any]  # from what the column holds to what it is to hold


def _text(redaction: Redaction, kept: str) -> str:
    return redaction.text(kept)


def _name(redaction: Redaction, kept: str) -> str:
    return redaction.name(kept)


def _document(redaction: Redaction, kept: str) -> str:
    return dump_json(redaction.value(json.loads(kept)))


def _own(redaction: Redaction, kept: str) -> str:
    """JSON whose names and numbers are the program's."""
    return dump_json(redaction.texts(json.loads(kept)))


def _names(redaction: Redaction, kept: str) -> str:
    return dump_json([redaction.name(name) for name in json.loads(kept)])


def _pointers(redaction: Redaction, kept: str) -> str:
    return dump_json([redaction.pointer(pointer) for pointer in json.loads(kept)])


def _patches(redaction: Redaction, kept: str) -> str:
    """Operations on keys."""
    return dump_json({redaction.name(key): redaction.payload("state", ops) for key, ops in json.loads(kept).items()})


def _packed(redaction: Redaction, kept: bytes) -> bytes:
    """The report of a receipt: words and values as a model saw them, in the program's own members."""
    text = zlib.decompress(kept).decode() if kept else ""
    return zlib.compress(_own(redaction, text).encode()) if redaction.is_in(text) else kept


HISTORY = "state_change"  # which `history` redacts, kind by kind
PACKED = {"document"}  # columns that must be opened to look into them
COLUMNS: dict[str, dict[str, Redact]] = {
    "state_storage": {"key_name": _name, "value_json": _document},
    "state_revision": {"actor": _text, "reason": _text, "info": _own},
    "state_receipt": {"actor": _text, "sessions": _names, "document": _packed},
    "state_proposal": {
        "actor": _text, "client": _text, "reason": _text, "patches": _patches, "places": _pointers, "decided_by": _text,
        "answer": _text, "accepted": _pointers,
    },
    "conversation": {
        "session_id": _name, "title": _text, "channel": _text, "source": _text, "started_text": _text,
        "user_id": _text, "metadata": _document,
    },
    "conversation_history": {
        "user_id": _text, "message": _text, "speaker": _text, "timestamp_text": _text, "stimuli_type": _text,
        "client_id": _name, "metadata": _document,
    },
    "security_log": {"actor": _text, "detail": _text, "address": _text},
    "access_apikey": {"name": _name, "places": _pointers, "user_id": _text},
    "django_admin_log": {"object_id": _text, "object_repr": _text, "change_message": _text},
}  # fmt: skip
SHOWN = {"state_receipt", "state_proposal"}  # what a node was stands there by its words alone, and goes with it
HASHES = {"state_proposal": ("digest", "patches")}  # a column that has the SHA-256 of another, in hex
KEYS = {  # what tells the rows of a table apart; else it is the id
    "state_storage": "key_name",
    "state_revision": "seq",
}
GOES = {  # of these the rows go that hold it: they are of use for a day
    "state_idempotency": ("credential", "key", "place")
}
NAMES = {  # what the tables hold, for people
    "state_storage": "keys",
    "state_change": "changes",
    "state_revision": "revisions (who, why)",
    "state_receipt": "receipts of contexts",
    "state_proposal": "proposals",
    "conversation": "conversations",
    "conversation_history": "messages",
    "security_log": "rows of the security log",
    "access_apikey": "API keys",
    "django_admin_log": "rows of the admin's own log",
    "state_idempotency": "notes of sent requests",
    "django_session": "sessions",
}
HOLDS_NONE = {  # columns of texts that the program makes, and nobody else
    "state_revision": {"source", "chain"},
    "state_change": {"kind", "result_hash", "salt", "digest"},
    "state_idempotency": {"request"},
    "state_receipt": {"receipt", "media_type"},
    "state_proposal": {"source", "digest", "state"},
    "state_meta": {"store_id", "epoch", "last_chain"},
    "state_snapshot": {"key", "document", "blame"},  # made anew for each key whose history is redacted
    "conversation_history": {"status"},
    "security_log": {"event"},
    "access_apikey": {"prefix", "sha256", "previous_sha256", "scopes"},
    "access_failedsignins": {"place"},
    "auth_permission": {"name", "codename"},
    "auth_group": {"name"},
    "auth_user": {"password", "username", "first_name", "last_name", "email"},  # people: they are told of, and stay
    "django_content_type": {"app_label", "model"},
    "django_session": {"session_key", "session_data"},  # signed; those that hold it end
}
PEOPLE = "SELECT username, first_name, last_name, email FROM auth_user"
