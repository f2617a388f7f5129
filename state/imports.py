"""Documents from files into the state: one revision, and never over what somebody wrote in Nola since."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Max

from state import store
from state.edits import Edit
from state.legacy import Found
from state.models import Change, Revision
from state.report import Category, Report, Unit
from state.revisions import Author, Source

OURS = {Source.IMPORT, Source.SEED}  # what these wrote, an import may replace


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a key, and why."""

    category: Category
    text: str

    @property
    def writes(self) -> bool:
        return self.category in (Category.ADDED, Category.UPDATED)


def bring(
    found: Mapping[str, Found], author: Author, report: Report, *, replace: bool = False, dry_run: bool = False
) -> None:
    """Store the documents, except where somebody has edited or deleted the key; `replace` stores them there too."""
    accepted = {key: one for key, one in found.items() if _acceptable(one, report)}
    decisions: dict[str, Decision] = {}

    def plan() -> list[Edit]:
        # Decided on the very entries that the commit compares under the lock, so no edit can slip in between.
        edits = store.plan_keys({key: one.document for key, one in accepted.items()})
        decisions.update(_decided(edits, replace))
        return [edit for edit in edits if decisions[edit.key].writes]

    if dry_run:
        plan()
    else:
        store.commit(plan, author)
    for key, decision in decisions.items():
        report.add(decision.category, Unit.KEYS, accepted[key].file.name, decision.text)


def last_revisions(kind: str, keys: Collection[str]) -> dict[str, int]:
    """The revision that last changed each key of a kind, where history knows it."""
    found: dict[str, int] = {}
    names = sorted(keys)
    for start in range(0, len(names), 500):
        changes = Change.objects.filter(kind=kind, key__in=names[start : start + 500]).order_by()
        found.update(changes.values_list("key").annotate(Max("revision_id")))
    return found


def strangers(revisions: Iterable[int]) -> dict[int, Revision]:
    """Of these revisions those that neither an import nor the seeds made: somebody's own work."""
    found = Revision.objects.in_bulk(list(set(revisions)))
    return {seq: one for seq, one in found.items() if one.source not in OURS}


def _acceptable(one: Found, report: Report) -> bool:
    limit = settings.NOLA_MAX_BODY_MB * 1024 * 1024
    size = len(one.document.text.encode())
    try:
        store.check_key(one.key)
    except store.BadKey as error:
        report.add(Category.FAILED, Unit.KEYS, one.file.name, f"{error}; rename the file")
        return False
    if size > limit:
        text = f"{one.key} would have {size:,} bytes, over the limit; raise NOLA_MAX_BODY_MB and import again"
        report.add(Category.FAILED, Unit.KEYS, one.file.name, text)
    return size <= limit


def _decided(edits: Collection[Edit], replace: bool) -> dict[str, Decision]:
    revisions = {edit.key: edit.was.revision for edit in edits if edit.was}
    revisions |= last_revisions("state", [edit.key for edit in edits if not edit.was])
    foreign = strangers(revisions.values())
    return {edit.key: _decision(edit, foreign.get(revisions.get(edit.key, 0)), replace) for edit in edits}


def _decision(edit: Edit, by: Revision | None, replace: bool) -> Decision:
    """`by` is the revision of somebody else that last changed the key, if one did."""
    if not edit.forward:
        return Decision(Category.DUPLICATE, f"{edit.key} is in Nola already, as it is here")
    if by and not replace:
        did = "changed" if edit.was else "deleted"
        text = f"{edit.key} was {did} in Nola by {by.actor} (revision {by.seq}) and stays so; --replace overrides"
        return Decision(Category.CONFLICTING, text)
    return Decision(Category.UPDATED if edit.was else Category.ADDED, edit.key)
