"""The hashes that make an altered history show: a digest per change, and a chain over all revisions.

Both are SHA-256 over a compact JSON array. A digest covers salt, kind, key, forward, inverse and result hash; a link
covers the previous link, the revision row and the digests of its changes. A redaction keeps the digest, so the chain
holds although the payload is gone. Hashes are kept as base64url (RFC 4648 §5) without padding, 43 characters; rows of
older databases have them as 64 hex digits, and a link or digest covers them as they are kept.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from state.jsondoc.text import JSONValue, dump_json
from state.models import Revision


def digest_change(salt: str, kind: str, key: str, forward: str, inverse: str, result_hash: str) -> str:
    """The digest of a change, its patches as stored text, as history keeps it."""
    return _hash([salt, kind, key, forward, inverse, result_hash])


def link_revision(previous: str, revision: Revision, digests: Sequence[str]) -> str:
    """The chain value of a revision, from the one before it ("" before the first)."""
    at = revision.at.isoformat(timespec="microseconds")
    row: list[JSONValue] = [
        revision.seq,
        at,
        revision.actor,
        revision.source,
        revision.reason,
        dump_json(revision.info),
    ]
    return _hash([previous, row, list(digests)])


def hash_text(text: str) -> str:
    """The SHA-256 of a text, as history keeps it."""
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def is_same(kept: str, computed: str) -> bool:
    """Whether a hash of the history, old or new, is the one that was computed."""
    return bytes.fromhex(kept) == urlsafe_b64decode(computed + "=") if len(kept) == 64 else kept == computed


def _hash(parts: list[JSONValue]) -> str:
    return hash_text(dump_json(parts))
