"""The hashes that make an altered history show: a digest per change, and a chain over all revisions.

Both are SHA-256 over a compact JSON array. A digest covers salt, kind, key, forward, inverse and result hash; a link
covers the previous link, the revision row and the digests of its changes. A redaction keeps the digest, so the chain
holds although the payload is gone.
"""

import hashlib
from collections.abc import Sequence

from state import jsontext
from state.jsontext import JSONValue
from state.models import Revision


def digest(salt: str, kind: str, key: str, forward: str, inverse: str, result_hash: str) -> str:
    """The digest of a change, its patches as stored text, as 64 hex digits."""
    return _hash([salt, kind, key, forward, inverse, result_hash])


def link(previous: str, revision: Revision, digests: Sequence[str]) -> str:
    """The chain value of a revision, from the one before it ("" before the first)."""
    at = revision.at.isoformat(timespec="microseconds")
    row: list[JSONValue] = [
        revision.seq,
        at,
        revision.actor,
        revision.source,
        revision.reason,
        jsontext.dump(revision.info),
    ]
    return _hash([previous, row, list(digests)])


def _hash(parts: list[JSONValue]) -> str:
    return hashlib.sha256(jsontext.dump(parts).encode()).hexdigest()
