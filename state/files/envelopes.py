"""A value with its metadata around it, as readers of the predecessor's files expect it: `{"metadata": .., "data": ..}`.

The metadata is told from the store, and stored nowhere:

- `last_updated`: when the key was last changed;
- `context_level`: the level that was asked for, 3 for all of it;
- `status`: "ready", and `needs_sync`: false, because the store is the truth;
- `stale_threshold_seconds`: 600, after which such a reader looks again;
- `source_file`: the name that the key has in a folder; null where the value is not that of one key.

Folders may be kept in envelopes as well as answers: the predecessor's programs read and write files, not HTTP, and go
on doing so while their owner moves.
"""

from collections.abc import Collection
from typing import Any, TypeGuard

from django.db.models import Max

from state.files.names import name_file
from state.jsondoc.text import JSONValue, dump_json
from state.models import Change, Revision

STALE_SECONDS = 600
MEMBERS = ("last_updated", "context_level", "status", "needs_sync", "stale_threshold_seconds", "source_file")

Object = dict[str, JSONValue]


def build_metadata(last_updated: str | None, level: int | None, source_file: str | None) -> Object:
    return {
        "last_updated": last_updated,
        "context_level": level or 3,
        "status": "ready",
        "needs_sync": False,
        "stale_threshold_seconds": STALE_SECONDS,
        "source_file": source_file,
    }


def wrap(text: str, about: Object) -> str:
    return f'{{"metadata":{dump_json(about)},"data":{text}}}'


def wrap_state(text: str, keys: Collection[str] | None, revision: int, level: int | None) -> str:
    """What was read at a revision of some keys, None for all of them, in its envelope."""
    name = name_file(next(iter(keys))) if keys is not None and len(keys) == 1 else None
    return wrap(text, build_metadata(_last_change(keys, revision), level, name))


def _last_change(keys: Collection[str] | None, revision: int) -> str | None:
    """When one of the keys was last changed, as of a revision."""
    changes = Change.objects.filter(kind="state", revision_id__lte=revision).order_by()
    if keys is None:
        last = changes.order_by("-revision_id").values_list("revision_id", flat=True).first()
    else:
        last = changes.filter(key__in=keys).aggregate(last=Max("revision_id"))["last"]
    at = Revision.objects.filter(pk=last or 0).values_list("at", flat=True).first()
    return at.isoformat() if at else None


def is_envelope(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a value has the shape: a member of the metadata contract is in it, and nothing beside it and the data."""
    if not isinstance(value, dict) or value.keys() != {"metadata", "data"}:
        return False
    return isinstance(value["metadata"], dict) and not value["metadata"].keys().isdisjoint(MEMBERS)


def envelope_level(about: Object) -> int:
    """The level that an envelope says its data was filtered to; 3 for all of it."""
    level = about.get("context_level")
    return int(level) if level in (1, 2, "1", "2") and not isinstance(level, bool | float) else 3


def other_metadata(about: Object) -> Object:
    """Members of the metadata that are not of the contract: those the store cannot tell."""
    return {name: value for name, value in about.items() if name not in MEMBERS}
