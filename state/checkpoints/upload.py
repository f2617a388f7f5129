"""Files that a person brings: a checkpoint or a plain fixture, which is verified before it counts as one of ours."""

import re
from pathlib import PurePath

from django.conf import settings

from state import store
from state.checkpoints.files import AUTOMATIC, Checkpoint, accept_edit, check_checkpoint_name, place_draft
from state.checkpoints.serializers import ENTRY, parse_rows
from state.checkpoints.verify import DamagedCheckpoint, verify_checkpoint
from state.files.atomic import draft_file
from state.jsondoc.encoding import explain_encoding
from state.jsondoc.text import BOM

OTHER = (
    "this is neither a checkpoint nor a fixture, which are lists of rows. An ordinary JSON document becomes a key in"
    " the tree; for a folder of them there is ./nola importlegacy"
)


def suggest_name(filename: str) -> str:
    """A name for a file, after what it is called where it comes from."""
    stem = re.sub(r"\.json$", "", PurePath(filename.replace("\\", "/")).name, flags=re.IGNORECASE)
    cleaned = re.sub("[^A-Za-z0-9._-]+", "-", stem.removeprefix(AUTOMATIC)).strip("-.")
    return cleaned[:100] or "uploaded"


def keep_upload(name: str, raw: bytes, *, as_it_stands: bool = False) -> Checkpoint:
    """Add a file to the checkpoints. `as_it_stands`: its owner edited it on purpose, so its header is made anew.

    Raises Edited, Damaged, BadName, store.BadKey, NoRoom and CannotWrite; then nothing is kept.
    """
    check_checkpoint_name(name)
    if other := explain_encoding(raw):
        raise DamagedCheckpoint(f"it is {other}")
    text = raw.removeprefix(BOM)
    if not text.lstrip().startswith(b"["):
        raise DamagedCheckpoint(OTHER)
    path = settings.NOLA_CHECKPOINT_DIR / f"{name}.json"
    with draft_file(path.parent, path.name) as draft:
        draft.write_bytes(text)
        if as_it_stands:
            accept_edit(draft)
        found = verify_checkpoint(draft)
        keys = [row["pk"] for row in parse_rows(draft.read_bytes()) if row["model"].lower() == ENTRY]
        if not found and not keys:
            raise DamagedCheckpoint("it holds no key, so there is nothing in it to restore")
        for key in keys:
            store.check_key(key)
        return place_draft(draft, path)
