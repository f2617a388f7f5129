"""Files that a person brings: a checkpoint or a plain fixture, which is verified before it counts as one of ours."""

import re
from pathlib import PurePath

from django.conf import settings

from state import atomic_files as files
from state import store
from state.checkpoints import files as checkpoint_files
from state.checkpoints import serializers
from state.checkpoints import verify as verifying
from state.checkpoints.files import AUTOMATIC, Checkpoint, Damaged
from state.jsondoc import text as jsontext

OTHER = (
    "this is neither a checkpoint nor a fixture, which are lists of rows. An ordinary JSON document becomes a key in"
    " the tree; for a folder of them there is manage.py importlegacy"
)


def name_of(filename: str) -> str:
    """A name for a file, after what it is called where it comes from."""
    stem = re.sub(r"\.json$", "", PurePath(filename.replace("\\", "/")).name, flags=re.IGNORECASE)
    cleaned = re.sub("[^A-Za-z0-9._-]+", "-", stem.removeprefix(AUTOMATIC)).strip("-.")
    return cleaned[:100] or "uploaded"


def keep(name: str, raw: bytes, *, as_it_stands: bool = False) -> Checkpoint:
    """Add a file to the checkpoints. `as_it_stands`: its owner edited it on purpose, so its header is made anew.

    Raises Edited, Damaged, BadName, store.BadKey, files.NoRoom and files.CannotWrite; then nothing is kept.
    """
    checkpoint_files.check_name(name)
    text = raw.removeprefix(jsontext.BOM)
    if not text.lstrip().startswith(b"["):
        raise Damaged(OTHER)
    path = settings.NOLA_CHECKPOINT_DIR / f"{name}.json"
    with files.drafted(path.parent, path.name) as draft:
        draft.write_bytes(text)
        if as_it_stands:
            checkpoint_files.accept(draft)
        found = verifying.verify(draft)
        keys = [row["pk"] for row in serializers.rows(draft.read_bytes()) if row["model"].lower() == serializers.ENTRY]
        if not found and not keys:
            raise Damaged("it holds no key, so there is nothing in it to restore")
        for key in keys:
            store.check_key(key)
        return checkpoint_files.place(draft, path)
