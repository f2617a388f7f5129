"""Documents from files into the state, and never over what somebody wrote in Nola since or another folder brought."""

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.db.models import Max

from access.database import engine
from conversations.imports.legacy_state_files import CopiedPart, StateDocument, fill_document
from state import edits, store
from state.address import Address
from state.checkpoints.files import create_automatic
from state.edits import Edit
from state.jsondoc.text import JSONValue
from state.models import Change, Revision
from state.report import Category, Report, Unit, make_printable
from state.revisions import Author, Source

OURS = {Source.IMPORT, Source.SEED}  # everybody else is somebody
MOST_KEYS, MOST_CHARACTERS = 1000, 4_000_000  # in one revision, so that other writers need not wait long
PAUSE = 0.15  # seconds; SQLite does not queue its writers, so they get in only while nobody writes


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One import of a folder: who runs it, how, and what comes of it. `replace` lets the files win over all.

    With `is_one_source`, files are versions of one and the same, whatever their names. With a `user_id`, all messages
    are that user's, and conversations of others are as if they were not there, but that their names are taken.
    """

    actor: str
    folder: Path  # resolved
    report: Report
    replace: bool = False
    dry_run: bool = False
    progress: Callable[[str], None] = lambda text: None
    is_one_source: bool = False
    user_id: str = ""

    @property
    def place(self) -> str:
        """Tells folders of one name apart, without telling where they are."""
        return hashlib.sha256(make_printable(self.folder).encode()).hexdigest()[:12]

    def author(self, files: Mapping[str, str]) -> Author:
        """The author of its revisions; `files` names the file that each key or conversation comes from."""
        info = {
            "batch": self.report.batch,
            "folder": make_printable(self.folder.name),
            "place": self.place,
            "files": files,
        }
        return Author(self.actor, Source.IMPORT, info=info)

    def keep_before(self) -> None:
        """An automatic checkpoint before the first of its revisions. Raises NoRoom and CannotWrite."""
        if not self.report.revisions and store.head():
            create_automatic("before import")

    def holder(self, by: Revision | None, name: str, file: str) -> str:
        """Whose is what revision `by` wrote, so that `file` may not change it; "" if it may."""
        if by is None or by.source == Source.SEED or self.replace:
            return ""
        if by.source != Source.IMPORT:
            return f"{by.actor} (revision {by.seq})"
        origin = by.info.get("files", {}).get(name, "another file")
        if by.info.get("place") == self.place and (origin == file or self.is_one_source):
            return ""
        return f"the import of {by.info.get('folder', 'another folder')}/{origin} (revision {by.seq})"

    def take_turn(self) -> None:
        """Let other writers in between two revisions of this import."""
        if self.report.revisions and not self.dry_run and not engine().queues_writers:
            time.sleep(PAUSE)


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """What becomes of a key: its edit, unless it cannot be stored, and what to say of it and of its copied parts."""

    file: str
    category: Category
    text: str
    edit: Edit | None = None
    parts: Sequence[CopiedPart] = ()

    @property
    def writes(self) -> bool:
        return self.category in (Category.ADDED, Category.UPDATED)


def import_documents(found: Mapping[str, StateDocument], run: ImportRun) -> None:
    """Store the documents, except where somebody has edited or deleted the key or it comes from another file."""
    for part in _portions(found):
        run.take_turn()
        _import(part, run)


def find_strangers(revisions: Collection[int]) -> set[int]:
    """Of these revisions those that neither an import nor the seeds made: somebody's own work."""
    found: set[int] = set()
    ours = [source.value for source in OURS]
    for some in _by_500(revisions):
        found.update(Revision.objects.filter(seq__in=some).exclude(source__in=ours).values_list("seq", flat=True))
    return found


def _portions(found: Mapping[str, StateDocument]) -> Iterator[dict[str, StateDocument]]:
    portion: dict[str, StateDocument] = {}
    size = 0
    for key, one in found.items():
        if portion and (len(portion) >= MOST_KEYS or size + len(one.document.text) > MOST_CHARACTERS):
            yield portion
            portion, size = {}, 0
        portion[key] = one
        size += len(one.document.text)
    if portion:
        yield portion


def _import(found: Mapping[str, StateDocument], run: ImportRun) -> None:
    planned: dict[str, KeyPlan] = {}
    files: dict[str, str] = {}
    keep_before = cache(run.keep_before)  # not again where it is planned anew, under the lock

    def plan() -> list[Edit]:
        # Decided on the very entries that the commit compares under the lock, so no edit can slip in between.
        planned.update(_plan(found, run))
        files.clear()
        files.update({key: one.file for key, one in planned.items() if one.writes})
        edits = [one.edit for one in planned.values() if one.edit and one.writes]
        if any(edit.forward for edit in edits) and not run.dry_run:
            keep_before()
        return edits

    if run.dry_run:
        plan()
    elif store.commit(plan, run.author(files)).changed:
        run.report.revisions += 1
    for one in planned.values():
        _report(one, run.report)


def _plan(found: Mapping[str, StateDocument], run: ImportRun) -> dict[str, KeyPlan]:
    planned: dict[str, KeyPlan] = {}
    edited: dict[str, tuple[Edit, Sequence[CopiedPart]]] = {}
    for key, one in sorted(found.items()):
        try:
            edited[key] = _edit(key, one)
        except store.BadKey as error:
            planned[key] = KeyPlan(one.file.name, Category.FAILED, f"{error}; rename the file", parts=one.parts)
        except (edits.TooLarge, edits.TooDeep) as error:
            text = f"{error}; raise the limit or split the file, and import again"
            planned[key] = KeyPlan(one.file.name, Category.FAILED, text, parts=one.parts)
    last = _last_revisions([edit for edit, _ in edited.values() if edit.forward])
    for key, (edit, parts) in edited.items():
        planned[key] = _decision(edit, parts, found[key], last.get(key), run)
    return planned


def _edit(key: str, one: StateDocument) -> tuple[Edit, Sequence[CopiedPart]]:
    """The edit that stores a document. One made of filtered copies only fills gaps of what Nola has."""
    [edit] = store.plan_put(Address(key), one.document)
    if edit.was is None or not one.copies:
        return edit, one.parts
    document, parts = fill_document(json.loads(edit.was.text), "Nola", one.copies)
    return edits.put(Address(key), document, edit.was), parts


def _decision(
    edit: Edit, parts: Sequence[CopiedPart], one: StateDocument, by: Revision | None, run: ImportRun
) -> KeyPlan:
    """`by` is the revision that last changed the key."""
    file = one.file.name
    if not edit.forward:
        text = "with more than is here" if one.copies else "as it is here"
        return KeyPlan(file, Category.DUPLICATE, f"{edit.key} is in Nola already, {text}", edit, parts)
    only_fills = edit.was and one.copies and by and by.source in OURS
    holder = "" if only_fills else run.holder(by, edit.key, file)
    if holder:
        text = f"{edit.key} was {'written' if edit.was else 'deleted'} by {holder} and stays so; --replace overrides"
        return KeyPlan(file, Category.CONFLICTING, text, edit, parts)
    return KeyPlan(file, Category.UPDATED if edit.was else Category.ADDED, edit.key, edit, parts)


def _last_revisions(planned: Iterable[Edit]) -> dict[str, Revision]:
    """The revision that last changed each key, one that deleted it too."""
    seqs: dict[str, int] = {}
    gone: list[str] = []
    for edit in planned:
        if edit.was:
            seqs[edit.key] = edit.was.revision
        else:
            gone.append(edit.key)
    for some in _by_500(gone):
        changes = Change.objects.filter(kind="state", key__in=some).order_by()
        seqs.update(changes.values_list("key").annotate(Max("revision_id")))
    found = Revision.objects.in_bulk(list(set(seqs.values())))
    return {key: found[seq] for key, seq in seqs.items() if seq in found}


def _by_500(values: Iterable) -> Iterator[list]:
    ordered = sorted(values)
    return (ordered[start : start + 500] for start in range(0, len(ordered), 500))


def _report(one: KeyPlan, report: Report) -> None:
    report.add(one.category, Unit.KEYS, one.file, one.text)
    was = json.loads(one.edit.was.text) if one.edit and one.edit.was and one.parts else None
    for part in one.parts:
        category = part.category
        if category is Category.ADDED and not one.writes:
            category = one.category
        if part.category is Category.ADDED and _holds(was, part.path):
            category = Category.DUPLICATE
        report.add(category, Unit.SECTIONS, part.file, part.text)


def _holds(value: JSONValue, path: Sequence[str]) -> bool:
    """Whether there is something at a place inside a value."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True
