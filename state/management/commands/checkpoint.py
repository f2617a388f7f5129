import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.actors import cli_actor
from state import edits, store
from state.checkpoints.files import (
    BadCheckpointName,
    Checkpoint,
    UnknownCheckpoint,
    accept_edit,
    find_checkpoint,
    list_seeds,
    prune_checkpoints,
    read_checkpoints,
    save_checkpoint,
)
from state.checkpoints.header import ALL
from state.checkpoints.restore import (
    BadCheckpoint,
    FixtureContents,
    RestoreChoice,
    Restored,
    compare_documents,
    diff_since,
    plan_restore,
    read_fixture,
    restore_all,
    restore_keys,
    restore_parts,
)
from state.checkpoints.verify import DamagedCheckpoint
from state.files.atomic import CannotWrite, NoRoom
from state.jsondoc.diff import Op
from state.jsondoc.pointer import BadPointer, Blocked, get_node, parse_pointer
from state.jsondoc.text import NotAcceptable, decode_json, dump_json, format_json, parse_json
from state.models import StateEntry
from state.report import format_count, name_undo
from state.revisions import Author, Source

REFUSALS = (
    UnknownCheckpoint,
    BadCheckpointName,
    DamagedCheckpoint,
    BadCheckpoint,
    NoRoom,
    CannotWrite,
    BadPointer,
    Blocked,
    store.BadKey,
    edits.TooLarge,
    edits.TooDeep,
    LookupError,
    NotAcceptable,
)


class Command(BaseCommand):
    help = "Keep the state in files that can be read, compared and restored."

    def add_arguments(self, parser: CommandParser) -> None:
        parsers = parser.add_subparsers(dest="call", required=True, metavar="what")

        def add(name: str, what: str) -> CommandParser:
            return parsers.add_parser(name, help=what, description=what)

        create = add("create", "Write the state as it is now to checkpoints/, and verify the file.")
        create.add_argument("name", nargs="?", help="letters, digits, dots, dashes; without one it is named by time")
        create.add_argument("--keys", nargs="+", metavar="KEY", help="only these keys")
        create.add_argument("--conversations", action="store_true", help="conversations and messages too")
        create.add_argument("--why", default="", help="kept in the file")
        add("list", "List checkpoints and seeds, newest first, each with its verdict.")
        show = add("show", "Print a checkpoint, or one node of it.")
        show.add_argument("name")
        show.add_argument("pointer", nargs="?", default=None, help="such as /Identity/about")
        diff = add("diff", "Print what has changed since a checkpoint, as JSON Patch for each key.")
        diff.add_argument("name")
        diff.add_argument("other", nargs="?", help="up to this checkpoint, instead of up to now")
        verify = add("verify", "Load checkpoints into a scratch database and see that the same comes out.")
        verify.add_argument("names", nargs="*", metavar="name", help="all, if none is named")
        restore = add("restore", "Bring back a checkpoint or a fixture file, after a preview, as one revision.")
        restore.add_argument("name", help="a checkpoint, a seed, or the path of a .json file")
        restore.add_argument("--mode", choices=["merge", "replace"], help="replace: keys that it lacks go")
        restore.add_argument("--keys", nargs="+", metavar="KEY", help="only these keys")
        restore.add_argument("--pointer", help="only this node, such as /Identity/about")
        restore.add_argument("--dry-run", action="store_true", help="show the patch, and change nothing")
        restore.add_argument("--yes", action="store_true", help="do not ask")
        add("prune", "Remove old automatic checkpoints; the newest, and one a day, stay.")
        accept = add("accept", "Let a file that you edited on purpose count as it stands now.")
        accept.add_argument("file", help="a checkpoint's name, or a path")

    def handle(self, *, call: str, **options: Any) -> None:
        try:
            getattr(self, f"do_{call}")(**options)
        except REFUSALS as error:
            raise CommandError(str(error)) from None

    def do_create(self, name: str | None, keys: list[str] | None, why: str, conversations: bool, **_: Any) -> None:
        for key in keys or []:
            if not StateEntry.objects.filter(pk=key).exists():
                raise CommandError(f"there is no key {key!r}")
        contents = ("state", "conversations") if conversations else ("state",)
        made = save_checkpoint(name, why=why or "by hand", keys=keys, contents=contents)
        self.stdout.write(
            f"{made.path} holds revision {made.header.revision if made.header else '?'}, and is verified."
        )

    def do_list(self, **_: Any) -> None:
        damaged = 0
        for one in [*read_checkpoints(), *list_seeds()]:
            damaged += bool(one.problem)
            self.stdout.write(describe_checkpoint(one))
        if damaged:
            raise CommandError(f"{damaged} cannot be restored from, as said above.")

    def do_show(self, name: str, pointer: str | None, **_: Any) -> None:
        found = _found(name)
        if pointer is None:
            self.stdout.write(decode_json(found.path.read_bytes()), ending="")
            return
        state = {key: document.value for key, document in read_fixture(found.path).documents.items()}
        tokens = parse_pointer(pointer)
        self.stdout.write(format_json(parse_json(get_node(dump_json(state).encode(), tokens)).value))

    def do_diff(self, name: str, other: str | None, **_: Any) -> None:
        contents = read_fixture(_found(name).path)
        if other is None:
            patches = diff_since(contents)
        else:
            patches = compare_documents(contents.documents, read_fixture(_found(other).path).documents)
        self._print_patches(patches, "Nothing has changed.")

    def do_verify(self, names: list[str], **_: Any) -> None:
        found = [_found(name) for name in names] or [*read_checkpoints(), *list_seeds()]
        for number, one in enumerate(found, 1):
            self._progress(f"verifying {number} of {len(found)}")
            self.stdout.write(f"{one.name}: {one.problem or 'sound'}")
        damaged = sum(bool(one.problem) for one in found)
        if damaged:
            raise CommandError(f"{damaged} of {len(found)} cannot be restored from.")

    def do_restore(self, name: str, dry_run: bool, yes: bool, **options: Any) -> None:
        found = _found(name)
        contents = read_fixture(found.path)
        plan = plan_restore(contents, RestoreChoice(options["mode"], options["keys"], options["pointer"]))
        patches = {edit.key: edit.forward for edit in plan() if edit.forward}
        self._print_patches(patches, "All keys are as in the checkpoint.")
        is_whole = options["keys"] is None and options["pointer"] is None
        back = restore_parts(contents, None) if is_whole else {}
        for what, count in back.items():
            self.stdout.write(f"{count} {what} are missing, and come back")
        if dry_run or not (patches or any(back.values())) or not (yes or self._agreed(contents, patches)):
            return
        author = Author(cli_actor(), Source.RESTORE, info={"checkpoint": found.name})
        done = restore_all(contents, plan, author) if is_whole else Restored(restore_keys(plan, author), {}, "")
        more = ", and ".join(f"{count:,} {what}" for what, count in done.brought_back.items() if count)
        keys = format_count(len(done.written.changed), "key")
        way_back = name_undo(done.written.revision, done.batch if more else "")
        self.stdout.write(
            f"{keys}{f', and {more}' if more else ''} restored, up to revision {store.head()}. {way_back}"
        )

    def do_prune(self, **_: Any) -> None:
        gone = prune_checkpoints()
        for one in gone:
            self.stdout.write(f"removed {one.name}")
        self.stdout.write(f"{len(gone)} removed, {len(read_checkpoints())} stay.")

    def do_accept(self, file: str, **_: Any) -> None:
        found = _found(file)
        if found.is_seed:
            raise CommandError("a seed is no checkpoint: it needs no header")
        made = accept_edit(found.path)
        whole = "" if made.scope == ALL else ", of some keys: a restore leaves the others alone"
        self.stdout.write(f"{found.path} counts as it stands now{whole}.")

    def _agreed(self, contents: FixtureContents, patches: dict[str, list[Op]]) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("Nothing was changed. Say --yes to restore without being asked.")
        gone = sum(key not in contents.documents for key in patches)
        deletes = f", {gone} of them deleted" if gone else ""
        return input(f"Restore {len(patches)} keys{deletes}? [y/N] ").strip().lower() in ("y", "yes")

    def _print_patches(self, patches: dict[str, list[Op]], nothing: str) -> None:
        for key, patch in patches.items():
            self.stdout.write(key)
            for op in patch:
                self.stdout.write(f"  {dump_json(op)}")
        if not patches:
            self.stdout.write(nothing)

    def _progress(self, text: str) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r\033[K{text}\r", ending="")


def _found(name: str) -> Checkpoint:
    """A checkpoint by name, or any file by its path."""
    path = Path(name).expanduser()
    if ("/" in name or name.endswith(".json")) and path.is_file():
        return Checkpoint(path.absolute())
    return find_checkpoint(name.removesuffix(".json"))


def describe_checkpoint(one: Checkpoint) -> str:
    """One line about a checkpoint."""
    if one.is_seed:
        about = "seed"
    elif one.header:
        about = f"revision {one.header.revision}, {one.header.why}"
        about += "" if one.header.scope == ALL else ", some keys"
    else:
        about = "a fixture without header"
    verdict = f"DAMAGED: {one.problem}" if one.problem else "sound"
    return f"{one.name:<44} {one.at:%Y-%m-%d %H:%M} UTC {one.size:>11,} bytes  {about}  [{verdict}]"
