"""The page of one checkpoint: what restoring it would change, and restoring all of it or a part. Undone from there."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from access.rights import Right, may
from state import store, undo
from state.admin import author_of
from state.checkpoints.files import find_checkpoint
from state.checkpoints.restore import (
    BadCheckpoint,
    FixtureContents,
    Mode,
    RestoreChoice,
    plan_restore,
    read_fixture,
    restore_all,
    restore_keys,
    restore_parts,
)
from state.checkpoints.rows import PARTS
from state.edits import Edit
from state.jsondoc.diff import Op
from state.jsondoc.old_values import with_old_values
from state.jsondoc.pointer import format_pointer, parse_index, parse_pointer
from state.jsondoc.text import JSONValue, dump_json
from state.pages import checkpoints
from state.pages.checkpoints import guard_view, render_page, rows_of
from state.revisions import Author, Source

MOST_SHOWN = 256 * 1024  # characters of the changes of one key
MOST_PARTS = 100  # of a key that can be restored alone, as far as they are offered
Plan = Callable[[], Sequence[Edit]]


class Moved(BadCheckpoint):
    """Somebody changed what is to be restored after the preview was made; nothing was done."""


def list_urls() -> list[URLPattern]:
    """The addresses of both pages, in the namespace `checkpoints`."""
    return [
        path("", guard_view(checkpoints.list_checkpoints), name="index"),
        path("create/", guard_view(checkpoints.create_checkpoint, changes=True), name="create"),
        path("upload/", guard_view(checkpoints.upload_checkpoint, changes=True), name="upload"),
        path("undo/", guard_view(take_back, changes=True), name="undo"),
        path("<str:name>/", guard_view(show_preview), name="one"),
        path("<str:name>/changes/", guard_view(show_changes), name="changes"),
        path("<str:name>/missing/", guard_view(count_missing), name="missing"),
        path("<str:name>/verdict/", guard_view(checkpoints.judge_checkpoint), name="verdict"),
        path("<str:name>/file/", guard_view(checkpoints.download_checkpoint), name="file"),
        path("<str:name>/verify/", guard_view(checkpoints.verify_checkpoint_view, changes=True), name="verify"),
        path("<str:name>/delete/", guard_view(checkpoints.delete_checkpoint, changes=True, asks=True), name="delete"),
        path("<str:name>/accept/", guard_view(checkpoints.accept_checkpoint, changes=True, asks=True), name="accept"),
        path("<str:name>/restore/", guard_view(restore_checkpoint, changes=True), name="restore"),
    ]


# Looking


def show_preview(request: HttpRequest, name: str) -> HttpResponse:
    """What has changed since, and what restoring would do: the page from which it is restored."""
    found = find_checkpoint(name)
    contents = read_fixture(found.path)
    head = store.head()
    choice = _choice(contents, {**request.GET.dict(), "mode": ""})
    edits = [one for one in plan_restore(contents, choice)() if one.forward]
    would = [[one.key, _kind(one.forward), len(one.forward)] for one in edits]
    later = [one for one in would if one[1] == "remove"]
    is_merge = not contents.is_whole or request.GET.get("mode", "merge" if later else "") == "merge"
    would = [one for one in would if not is_merge or one not in later]
    [row] = rows_of([found], {found.path: ""})
    parts = [part for part in contents.parts if may(request.user, PARTS[part].reads)]
    context = {
        "title": f"Checkpoint {name}",
        "checkpoint": row,
        "is_whole": contents.is_whole,
        "holds": len(contents.documents),
        "mode": "merge" if is_merge else "replace",
        "later": _count(len(later), "key"),
        "later_count": len(later),
        "pointer": choice.pointer,
        "place": parse_pointer(choice.pointer or ""),
        "would": would,
        "does": _count_deeds([str(kind) for _, kind, _ in would]),
        "parts": parts if choice.pointer is None else [],
        "head": head,
        "may_change": may(request.user, Right.WRITE_STATE),
        "may_bring_back": all(may(request.user, PARTS[part].writes) for part in parts),
    }
    return render_page(request, "state/checkpoint.html", context)


def _kind(patch: list[Op]) -> str:
    """What restoring does to a key: add, remove or replace it, or change some places in it."""
    whole = len(patch) == 1 and patch[0]["path"] == ""
    return str(patch[0]["op"]) if whole else "change"


def _count_deeds(kinds: Sequence[str]) -> list[tuple[str, str]]:
    """What restoring does to how many keys: [("change", "2 keys"), ("remove", "1,000")]."""
    removed, added = kinds.count("remove"), kinds.count("add")
    counts = {"change": len(kinds) - removed - added, "bring back": added, "remove": removed}
    some = [(deed, number) for deed, number in counts.items() if number]
    return [(deed, f"{number:,}" if place else _count(number, "key")) for place, (deed, number) in enumerate(some)]


def show_changes(request: HttpRequest, name: str) -> HttpResponse:
    """What restoring would change in one key, with what is there now, and which parts of it can be restored alone."""
    contents = read_fixture(find_checkpoint(name).path)
    choice = _choice(contents, request.GET)
    if "key" in request.GET and choice.pointer is None:
        choice = replace(choice, keys=[request.GET["key"]], mode=choice.mode or _mode(contents))
    edits = [one for one in plan_restore(contents, choice)() if one.forward]
    shown = {one.key: _shown(with_old_values(one.forward, one.inverse)) for one in edits}
    answer = {
        "patches": shown,
        "left_out": sum(len(one.forward) - len(shown[one.key]) for one in edits),
        "parts": [part for one in edits for part in _parts(contents, one)],
    }
    return HttpResponse(dump_json(answer), content_type="application/json")


def _shown(ops: list[Op]) -> list[Op]:
    """As many of the operations as a page can show."""
    room = MOST_SHOWN
    kept = []
    for op in ops:
        size = len(dump_json(op))
        if size <= room:
            room -= size
            kept.append(op)
    return kept


def _parts(contents: FixtureContents, edit: Edit) -> Iterator[JSONValue]:
    """Pointers to what differs, and to what that lies in, as far as the checkpoint has it."""
    document = contents.documents.get(edit.key)
    if document is None:
        return
    ways = (parse_pointer(op["path"]) for op in edit.forward)
    prefixes = {way[:depth]: None for way in ways for depth in range(1, len(way) + 1)}
    there = [tokens for tokens in prefixes if _has(document.value, tokens)]
    yield from (format_pointer((edit.key, *tokens)) for tokens in sorted(there)[:MOST_PARTS])


def _has(value: Any, tokens: Sequence[str]) -> bool:
    for token in tokens:
        number = parse_index(token)
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and number is not None and number < len(value):
            value = value[number]
        else:
            return False
    return True


def count_missing(request: HttpRequest, name: str) -> JsonResponse:
    """How many conversations and messages are missing, and would come back."""
    contents = read_fixture(find_checkpoint(name).path)
    if not all(may(request.user, PARTS[part].reads) for part in contents.parts):
        raise PermissionDenied
    return JsonResponse(restore_parts(contents, None))


def _choice(contents: FixtureContents, asked: Mapping[str, str]) -> RestoreChoice:
    """What of it is asked for. Raises BadRequest."""
    if asked.get("pointer"):
        return RestoreChoice(pointer=asked["pointer"])
    mode = _mode(contents, asked.get("mode", ""))
    if "keys" not in asked:
        return RestoreChoice(mode)
    try:
        keys = json.loads(asked["keys"])
    except ValueError:
        keys = None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise BadRequest("keys is a JSON array of names")
    return RestoreChoice(mode, keys)


def _mode(contents: FixtureContents, asked: str = "") -> Mode:
    return "replace" if contents.is_whole and asked != "merge" else "merge"


# Doing


def restore_checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    contents = read_fixture(find_checkpoint(name).path)
    choice = _choice(contents, request.POST)
    back = HttpResponseRedirect(_address(name, choice))
    plan = plan_restore(contents, choice)
    seen = request.POST.get("seen", "")
    if seen.isascii() and seen.isdigit():
        plan = _as_seen(plan, int(seen))
    by = author_of(request, request.POST.get("reason", "").strip()[:1000])
    author = Author(by.actor, Source.RESTORE, by.reason, {"checkpoint": name})
    try:
        if contents.parts and request.POST.get("parts") == "yes":
            _restore_with_parts(request, contents, plan, author)
        else:
            _restored(request, contents, restore_keys(plan, author), name)
    except Moved as error:
        messages.warning(request, checkpoints.make_sentence(error))
    return back


def _address(name: str, choice: RestoreChoice) -> str:
    mode = "" if choice.mode is None else f"?mode={choice.mode}"
    return reverse("checkpoints:one", args=[name]) + mode


def _as_seen(plan: Callable[[], list[Edit]], seen: int) -> Callable[[], list[Edit]]:
    """The plan, which raises Moved if what it changes was written after the preview was made."""

    def planned() -> list[Edit]:
        found = plan()
        late = [one.key for one in found if one.forward and one.was and one.was.revision > seen]
        if late:
            more = f" and {len(late) - 3} more" if len(late) > 3 else ""
            raise Moved(
                f"{', '.join(late[:3])}{more} changed while you were looking, so nothing was restored. This is what it"
                " would change now"
            )
        return found

    return planned


def _restored(request: HttpRequest, contents: FixtureContents, written: store.Written, name: str) -> None:
    if not written.changed:
        messages.info(request, f"All is as in {name} already; nothing was changed.")
        return
    text = f"{', '.join(_tell_keys(contents, written))} in revision {written.revision}."
    _say(request, text, {"revision": str(written.revision), "name": name})


def _tell_keys(contents: FixtureContents, written: store.Written, *others: str) -> list[str]:
    """How many keys came back, with what else did, and how many went."""
    gone = len({one.key for one in written.changed} - contents.documents.keys())
    restored = len(written.changed) - gone
    back = [*([_count(restored, "key")] if restored else []), *others]
    removed = [f"{gone:,} removed" if back else f"{_count(gone, 'key')} removed"] if gone else []
    return [*([f"{', '.join(back)} restored"] if back else []), *removed]


def _restore_with_parts(request: HttpRequest, contents: FixtureContents, plan: Plan, author: Author) -> None:
    name = str(author.info["checkpoint"])
    if not all(may(request.user, PARTS[part].writes) for part in contents.parts):
        raise PermissionDenied
    made = restore_all(contents, plan, author)
    others = [_count(count, what[:-1]) for what, count in made.brought_back.items() if count]
    said = _tell_keys(contents, made.written, *others)
    if not said:
        messages.info(request, f"All is as in {name} already; nothing was changed.")
        return
    _say(request, f"{', '.join(said)}.", {"batch": made.batch, "name": name})


def _count(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


def _say(request: HttpRequest, text: str, undoing: Mapping[str, str]) -> None:
    """What was done, with a button that takes it back."""
    inputs = {"csrfmiddlewaretoken": get_token(request), **undoing}
    hidden = [format_html('<input type="hidden" name="{}" value="{}">', *pair) for pair in inputs.items()]
    button = '<form method="post" action="{}" class="nola-undo">{} What was there before is kept in a checkpoint.'
    html = format_html(button + " {}<button>Undo</button></form>", reverse("checkpoints:undo"), text, _joined(hidden))
    messages.success(request, html)


def _joined(parts: Sequence[str]) -> str:
    return format_html("{}" * len(parts), *parts)


def take_back(request: HttpRequest) -> HttpResponse:
    """Undo a restore, from the button that it leaves."""
    batch, revision = request.POST.get("batch", ""), request.POST.get("revision", "")
    if batch:
        revisions = undo.find_batch(batch)
    elif revision.isascii() and revision.isdigit() and len(revision) < 19:
        revisions = undo.find_revision(int(revision))
    else:
        raise BadRequest("undo names a revision or a batch")
    if not all(may(request.user, right) for right in undo.find_rights(revisions)):
        raise PermissionDenied
    author = Author(author_of(request).actor, Source.UNDO, info={"undoes": revisions})
    written = store.commit(undo.plan(revisions), author)
    if written.changed:
        messages.success(request, f"The restore is taken back, in revision {written.revision}.")
    else:
        messages.info(request, "That was taken back already; nothing was changed.")
    return HttpResponseRedirect(reverse("checkpoints:one", args=[request.POST.get("name", "") or "-"]))
