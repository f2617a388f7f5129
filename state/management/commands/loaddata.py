import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import loaddata
from django.core.serializers.base import DeserializationError, DeserializedObject
from django.db import DatabaseError

from access.actors import cli_actor
from state import edits, revisions, store
from state.checkpoints.restore import restore_keys
from state.files.atomic import CannotWrite, NoRoom
from state.jsondoc.text import Document, make_document
from state.models import StateEntry
from state.report import format_count, name_undo

KEPT_BY_STORE = {"state", "conversations"}
REFERS = "; a row refers to one that is neither in a fixture nor here"


class Command(loaddata.Command):
    help = "Restore fixtures. Keys of the state go through the store: one revision, that can be undone."

    def handle(self, *fixture_labels: str, **options: Any) -> None:
        try:
            super().handle(*fixture_labels, **options)
        except (DeserializationError, DatabaseError, ValueError, OSError, EOFError) as error:
            way_out = REFERS if "foreign key" in str(error).lower() else ""
            raise CommandError(f"Nothing was loaded: {error}{way_out}") from None

    def loaddata(self, fixture_labels: Sequence[str]) -> None:
        self.documents: dict[str, Document] = {}
        super().loaddata(fixture_labels)
        author = revisions.Author(cli_actor(), revisions.Source.LOADDATA, info={"fixtures": list(fixture_labels)})
        try:
            written = restore_keys(partial(store.plan_keys, self.documents), author)
        except (store.BadKey, edits.TooLarge, edits.TooDeep, NoRoom, CannotWrite) as error:
            raise CommandError(f"Nothing was loaded: {error}") from None
        if self.documents and self.verbosity:
            self.stdout.write(summary(self.documents, written))

    def load_label(self, fixture_label: str) -> None:
        for file, *_ in self.find_fixtures(fixture_label):
            if self.parse_name(os.path.basename(file))[1] != "json":
                raise CommandError(f"Nothing was loaded: {file} is not JSON, the one format that is read strictly.")
        super().load_label(fixture_label)

    def save_obj(self, obj: DeserializedObject) -> bool:
        if isinstance(obj.object, StateEntry):
            if obj.object.pk in self.documents:
                raise CommandError(f"Nothing was loaded: the key {obj.object.pk!r} stands in the fixtures twice.")
            self.documents[obj.object.pk] = make_document(obj.object.value_json)
            return True
        if obj.object._meta.app_label in KEPT_BY_STORE:
            label = obj.object._meta.label
            raise CommandError(
                f"Nothing was loaded: loaddata restores keys of the state; a {label} is part of the history, or of a"
                " conversation. For a checkpoint with conversations: ./nola checkpoint restore FILE"
            )
        return bool(super().save_obj(obj))


def summary(documents: dict[str, Document], written: store.Written) -> str:
    if not written.changed:
        return f"All is as in the fixture already ({format_count(len(documents), 'key')}); nothing changed."
    keys = ", ".join(edit.key for edit in written.changed)
    return f"Revision {written.revision} restored {keys}. {name_undo(written.revision)}"
