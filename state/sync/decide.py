"""What is to become of a file and its key: decided for each from the file, what is stored, and what both once were.

Nothing here writes. A step says what to do on either side, and how the two then stand to each other.
"""

import json
from functools import partial
from typing import Literal

from state import chain, edits, merging, store
from state.address import Address
from state.edits import Edit
from state.entries import Stored
from state.files.envelopes import envelope_level, is_envelope, other_metadata
from state.jsondoc.levels import show_at_level
from state.jsondoc.text import NOTHING, Document, JSONValue, Nothing, dump_json, make_document
from state.merging import MergeConflict
from state.models import Change
from state.registry import Conflict
from state.report import Category, Unit
from state.sync.folder import hash_bytes
from state.sync.step import Common, SyncItem, SyncStep, SyncTerms, Target, leaf_conflicts, list_changes, note_conflict


def decide_step(item: SyncItem, was: Stored | None, terms: SyncTerms, is_known: bool) -> SyncStep:
    """`is_known` says whether what both were at the last sync is known still. Raises Unreadable."""
    step = SyncStep(item, was)
    try:
        if terms.level is not None:
            return _at_level(step, was, terms)
        if item.seen is None:
            return _without_file(step, was, terms)
        document = _opened(step, was, terms)
        step.opened = document.text
        if was is None:
            return _without_key(step, document, terms, is_known)
        return _both(step, document, was, terms, is_known)
    except MergeConflict as error:
        return note_conflict(step, error.conflicts, f"changed on both sides since revision {find_conflict_base(item)}")
    except (edits.TooLarge, edits.TooDeep, store.BadKey) as error:
        return SyncStep(item, was).say(Category.FAILED, Unit.FILES, str(error))


def find_conflict_base(item: SyncItem) -> int:
    return item.note.revision if item.note else 0


# Files that are there


def _opened(step: SyncStep, was: Stored | None, terms: SyncTerms) -> Document:
    """The value in the file, out of its envelope if it has one."""
    assert step.item.seen
    whole = step.item.seen.document()
    noted = step.item.note.is_enveloped if step.item.note else False
    is_value = not noted and was is not None and is_envelope(json.loads(was.text))
    if is_value or not is_envelope(whole.value):
        step.is_enveloped = bool(terms.envelope) and not is_value
        return whole
    others = other_metadata(whole.value["metadata"])
    step.is_enveloped = terms.envelope is not False or bool(others)
    if others and not step.item.is_same:
        names = ", ".join(others)
        step.say(Category.NOTED, Unit.FILES, f"its metadata {names} is of the file alone: it stays there, not in Nola")
    return make_document(whole.value["data"])


def _both(step: SyncStep, document: Document, was: Stored, terms: SyncTerms, is_known: bool) -> SyncStep:
    if document.text == was.text:
        return _in_step(step, was, terms)
    if not is_known:
        return _strangers(step, document, was, terms)
    if step.item.is_same:
        return _newer_key(step, was, terms)
    return _newer_file(step, document, was, terms)


def _in_step(step: SyncStep, was: Stored, terms: SyncTerms) -> SyncStep:
    step.common = Common.ALL
    note = step.item.note
    is_enveloped = _is_enveloped(step.item)
    if terms.pulls and terms.envelope is not None and step.is_enveloped != is_enveloped:
        step.target = was.text
        step.say(Category.UPDATED, Unit.FILES, "put into its envelope" if step.is_enveloped else "out of its envelope")
    else:
        step.is_enveloped = is_enveloped
        if note is None:
            step.say(Category.NOTED, Unit.FILES, "is the same as in Nola; from now on both are kept in step")
    return step


def _is_enveloped(item: SyncItem) -> bool:
    """Whether the file, whose value is in step, is written in an envelope."""
    value = item.seen.document().value if item.seen else None
    noted = item.note.is_enveloped if item.note else None
    return is_envelope(value) and noted is not False


def _newer_key(step: SyncStep, was: Stored, terms: SyncTerms) -> SyncStep:
    """Only the key has changed."""
    if terms.pulls:
        step.common, step.target = Common.ALL, was.text
        return step.say(Category.UPDATED, Unit.FILES, "brought up to date")
    return step


def _newer_file(step: SyncStep, document: Document, was: Stored, terms: SyncTerms) -> SyncStep:
    """The file has changed, and perhaps the key."""
    partial = "" if terms.prefer == "file" else _partial(step.item, document, was)
    if partial:
        return step.say(Category.CONFLICTING, Unit.KEYS, partial)
    edit, step.is_overruled = _merged(step.item, document, was, terms)
    text = edit.text or ""
    if not terms.pushes:
        if step.item.is_stored(was.revision):
            return step.say(Category.NOTED, Unit.FILES, "was edited; push or sync brings that into Nola")
        step.common = Common.ALL if text == was.text else Common.STORED
        return _to_file(step, text, document)
    if edit.forward:
        step.edit = edit
        step.say(Category.UPDATED, Unit.KEYS, list_changes(edit))
    if text == document.text:
        step.common = Common.ALL
        return step
    if terms.pulls:
        step.common = Common.ALL
        return _to_file(step, text, document)
    step.common = Common.FILE
    return step


def _to_file(step: SyncStep, text: str, document: Document) -> SyncStep:
    if text != document.text:
        step.target = text
        step.say(Category.UPDATED, Unit.FILES, "what changed in Nola since was merged into it")
    return step


def _merged(item: SyncItem, document: Document, was: Stored, terms: SyncTerms) -> tuple[Edit, bool]:
    """The edit that brings a changed file to the key, and whether the file was overruled. Raises MergeConflict."""
    address = Address(item.key)
    edit_from = partial(edits.put, address, document)

    def rebase_with(prefer: Literal["mine", "theirs"] | None) -> Edit:
        assert item.note
        if not isinstance(item.note.base, Nothing):
            return merging.rebase_edit_on_text(item.key, was, dump_json(item.note.base), edit_from, prefer)
        return merging.rebase_edit(address, was, item.note.revision, edit_from, prefer)

    try:
        return rebase_with(None), False
    except MergeConflict:
        if terms.prefer is None:
            raise
        return rebase_with("mine" if terms.prefer == "file" else "theirs"), terms.prefer == "db"


def _partial(item: SyncItem, document: Document, was: Stored) -> str:
    """What to say of a file that holds only a level of the value, so that its push would drop the rest; else ""."""
    whole = item.seen.document().value if item.seen else None
    said = envelope_level(whole["metadata"]) if is_envelope(whole) else 3
    if said < 3:
        level = said
    elif "level_" in was.text:
        value = json.loads(was.text)
        shown = (n for n in (1, 2, 3) if _level_text(value, n) == document.text)
        level = next(shown, 0)
    else:
        level = 0
    if not level:
        return ""
    return (
        f"holds only level {level} of {item.key}; a push would drop the rest for everybody. Nothing was taken from it."
        " Put all of the value into the file, or say --prefer file if it is all that should be left"
    )


def _level_text(value: JSONValue, level: int) -> str | None:
    shown = show_at_level(value, level)
    return None if shown is NOTHING else dump_json(shown)


def _strangers(step: SyncStep, document: Document, was: Stored, terms: SyncTerms) -> SyncStep:
    """The two differ, and what they once had in common is not known."""
    older = _older(step.item.key, document.text)
    if terms.prefer == "file":
        edit = edits.put(Address(step.item.key), document, was)
        if terms.pushes:
            step.common, step.edit = Common.ALL, edit
            return step.say(Category.UPDATED, Unit.KEYS, list_changes(edit))
    if older or terms.prefer == "db":
        if not terms.pulls:
            return step.say(
                Category.SKIPPED, Unit.FILES, f"is as its key was in revision {older}; Nola has a newer one"
            )
        step.common, step.target, step.is_overruled = Common.ALL, was.text, not older
        return step.say(Category.UPDATED, Unit.FILES, "brought up to date")
    partial = _partial(step.item, document, was)
    if partial:
        return step.say(Category.CONFLICTING, Unit.KEYS, partial)
    why = (
        "an older database was put back since, or something was forgotten"
        if step.item.note
        else "they were never in step here"
    )
    theirs = json.loads(was.text)
    met = leaf_conflicts(step.item.key, "", theirs, document.value, was.revision)
    met = met or [Conflict("state", step.item.key, "", NOTHING, theirs, document.value, was.revision)]
    return note_conflict(step, met, f"differs from Nola, and there is no common revision to merge from ({why})")


def _older(key: str, text: str) -> int | None:
    """The last revision in which a key had this text, if it ever had."""
    hashes = [chain.hash_text(text), hash_bytes(text.encode())]  # as it is kept now, and as it once was
    changes = Change.objects.filter(kind="state", key=key, result_hash__in=hashes).order_by("-revision_id")
    return changes.values_list("revision_id", flat=True).first()


# One side is gone, or not yet there


def _without_file(step: SyncStep, was: Stored | None, terms: SyncTerms) -> SyncStep:
    item = step.item
    if was is None:
        step.common = Common.NOTHING
        return step
    if item.note is None or (terms.pulls and (not terms.pushes or terms.prefer == "db")):
        step.common, step.target = Common.ALL, was.text
        step.is_enveloped = terms.new_enveloped if item.note is None else item.note.is_enveloped
        return step.say(Category.ADDED, Unit.FILES, "written" if item.note is None else "it was gone, and is back")
    is_unchanged = item.is_stored(was.revision)
    if terms.delete and (is_unchanged or terms.prefer == "file"):
        step.common, step.edit = Common.NOTHING, edits.remove(Address(item.key), was)
        return step.say(Category.DELETED, Unit.KEYS, f"{item.key}: its file is gone")
    if terms.delete:
        met = [Conflict("state", item.key, "", NOTHING, json.loads(was.text), NOTHING, was.revision)]
        return note_conflict(step, met, "its file is gone, and the key was changed in Nola since")
    step.asks = Unit.KEYS if is_unchanged else None
    text = "its file is gone; the key stays. --delete deletes it too, pull brings the file back"
    return step.say(Category.SKIPPED, Unit.KEYS, text)


def _without_key(step: SyncStep, document: Document, terms: SyncTerms, is_known: bool) -> SyncStep:
    item = step.item
    is_new = item.note is None
    if terms.pushes and (is_new or terms.prefer == "file"):
        store.check_key(item.key)
        step.common, step.edit = Common.ALL, edits.put(Address(item.key), document, None)
        step.is_enveloped = _is_enveloped(item)
        return step.say(Category.ADDED, Unit.KEYS, item.key)
    if is_new:
        return step.say(Category.SKIPPED, Unit.FILES, "is not in Nola; push or sync brings it in")
    if not is_known or not item.is_same:
        if terms.prefer == "db" and terms.pulls:
            step.common, step.target, step.is_overruled = Common.NOTHING, Target.REMOVE, True
            return step.say(Category.DELETED, Unit.FILES, "its key is gone from Nola")
        base: JSONValue | Nothing = NOTHING
        met = [Conflict("state", item.key, "", base, NOTHING, document.value, None)]
        why = "its key was deleted in Nola, and the file changed since"
        return note_conflict(step, met, why if is_known else "its key is gone: an older database was put back since")
    if terms.pulls and terms.delete:
        step.common, step.target = Common.NOTHING, Target.REMOVE
        return step.say(Category.DELETED, Unit.FILES, "its key was deleted in Nola")
    step.asks = Unit.FILES if terms.pulls else None
    way = "--delete removes the file too, " if terms.pulls else ""
    text = f"its key was deleted in Nola; the file stays. {way}push --prefer file brings the key back"
    return step.say(Category.SKIPPED, Unit.FILES, text)


# A folder that holds one level of each key


def _at_level(step: SyncStep, was: Stored | None, terms: SyncTerms) -> SyncStep:
    assert terms.level
    item = step.item
    text = _level_text(json.loads(was.text), terms.level) if was else None
    step.is_enveloped = terms.new_enveloped
    found: Document | None = None
    if item.seen:
        found = whole = item.seen.document()
        if terms.new_enveloped and is_envelope(whole.value):
            found = make_document(whole.value["data"])
    if found is None:
        step.common = Common.ALL if text is not None else Common.NOTHING
        if text is not None:
            step.target = text
            step.say(Category.ADDED, Unit.FILES, f"written at level {terms.level}")
        return step
    if found.text == text:
        step.common = Common.ALL
        if terms.new_enveloped and not is_envelope(whole.value):
            step.target = text
            step.say(Category.UPDATED, Unit.FILES, "put into its envelope")
        return step
    if not item.is_same and terms.prefer != "db":
        why = "was edited" if item.note else "differs from Nola"
        text = f"{why}, and a folder of level {terms.level} is never pushed; --prefer db replaces it, and keeps a copy"
        return step.say(Category.CONFLICTING, Unit.KEYS, text)
    step.is_overruled = not item.is_same
    if text is not None:
        step.common, step.target = Common.ALL, text
        return step.say(Category.UPDATED, Unit.FILES, "brought up to date")
    if terms.delete:
        step.common, step.target = Common.NOTHING, Target.REMOVE
        return step.say(Category.DELETED, Unit.FILES, f"nothing of {item.key} shows at level {terms.level} any more")
    step.asks = Unit.FILES
    return step.say(Category.SKIPPED, Unit.FILES, "shows nothing at this level any more; --delete removes the file")
