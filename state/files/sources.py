"""A folder of JSON and text files, as somebody left it. What cannot be read is reported, and the rest goes on.

`os.path` asks here and not `Path`, which raises where a folder may not be looked into.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from django.conf import settings

from state.jsondoc.encoding import explain_encoding
from state.jsondoc.text import BOM, Document, NotAcceptable, parse_json
from state.report import Category, Report, Unit, make_printable

SKIPPED_FOLDERS = {"node_modules", "venv", "__pycache__", "site-packages"}
TOOL_FILES = {
    "package.json", "package-lock.json", "npm-shrinkwrap.json", "composer.json", "jsconfig.json", "lerna.json",
    "turbo.json", "vercel.json", "angular.json", "deno.json", "pyrightconfig.json", "components.json",
}  # fmt: skip


class NoFolder(Exception):
    """The folder to import is not there, or is no folder."""


class Unreadable(Exception):
    """A file that cannot be read; says why, and the way out."""


@dataclass(frozen=True)
class SourceFile:
    """A file in the folder. `around` are the names of the folders it lies in, two above the imported one included."""

    path: Path
    name: str
    around: tuple[str, ...]
    depth: int

    @property
    def stem(self) -> str:
        return self.path.stem

    @property
    def suffix(self) -> str:
        return self.path.suffix.casefold()

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """The names around it in one spelling: on macOS `Stimuli`, `stimuli` and `Stimuli ` were met as one."""
        return tuple(escape_name(name) for name in self.around)

    @property
    def inside(self) -> tuple[str, ...]:
        """The folders around it without those above the imported one, which are nobody's business."""
        return self.around[len(self.around) - self.depth :]

    @cached_property
    def changed(self) -> datetime:
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)


def escape_name(name: str) -> str:
    return name.strip().casefold()


def find_files(root: Path, report: Report) -> list[SourceFile]:
    """The JSON and text files of a folder, shallow ones first. Raises NoFolder."""
    if not os.path.isdir(root):
        problem = "is a file; give the folder it lies in" if os.path.exists(root) else "is not there"
        raise NoFolder(f"the folder {make_printable(root)} {problem}")
    whole = root.resolve()
    found = sorted(_walk(whole, report), key=lambda path: (len(path.parts), path.parts))
    others = Counter(path.suffix.casefold() or path.name for path in found if not _is_data(path))
    if others:
        kinds = ", ".join(make_printable(suffix) for suffix, _ in others.most_common(6))
        report.add(Category.NOTED, Unit.FILES, "other files", f"{others.total()} not read ({kinds})")
    return [_file(whole, path) for path in found if _is_data(path) and _wanted(path, whole, report)]


def read_bytes(file: SourceFile) -> bytes:
    """Its bytes, without a byte order mark. Raises Unreadable."""
    limit = settings.NOLA_MAX_BODY_MB * 1024 * 1024
    try:
        size = file.path.stat().st_size
        if size > limit:
            megabytes = -(-size // (1024 * 1024))
            raise Unreadable(f"{size:,} bytes, over the limit; set NOLA_MAX_BODY_MB={megabytes} and import again")
        raw = file.path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror or error}") from None
    if other := explain_encoding(raw):
        raise Unreadable(f"is {other}")
    return raw.removeprefix(BOM)


def load_file(file: SourceFile) -> Document:
    """Its JSON document. Raises Unreadable, naming line and column."""
    try:
        return parse_json(read_bytes(file))
    except NotAcceptable as error:
        raise Unreadable(explain_error(error)) from None


def explain_error(error: NotAcceptable) -> str:
    """What is wrong with a text, and the way out where the reason alone does not show it."""
    return f"{error}; save the file as UTF-8" if error.reason.startswith("not UTF-8:") else str(error)


def _walk(root: Path, report: Report) -> Iterator[Path]:
    """All files below, relative; folders of tools, hidden ones and links to folders are passed over and reported."""

    def note_refusal(error: OSError) -> None:
        name = make_printable(os.path.relpath(error.filename, root))
        report.add(Category.FAILED, Unit.FILES, name, f"the folder cannot be opened: {error.strerror}")

    for folder, subfolders, names in os.walk(root, onerror=note_refusal):
        here = Path(folder)
        kept = []
        for name in sorted(subfolders):
            reason = _passed_over(here / name)
            if reason:
                report.add(Category.SKIPPED, Unit.FILES, make_printable((here / name).relative_to(root)) + "/", reason)
            else:
                kept.append(name)
        subfolders[:] = kept
        yield from ((here / name).relative_to(root) for name in names)


def _passed_over(folder: Path) -> str:
    if os.path.islink(folder):
        return "a link to another folder"
    if folder.name.startswith("."):
        return "a hidden folder"
    if folder.name in SKIPPED_FOLDERS or os.path.exists(folder / "pyvenv.cfg"):
        return "a folder of a tool"
    return ""


def _is_data(path: Path) -> bool:
    return path.suffix.casefold() in (".json", ".txt")


def _wanted(path: Path, root: Path, report: Report) -> bool:
    """Whether to read a file; one that is not read is reported."""
    reason = ""
    name = path.name.casefold()
    if name.startswith("."):
        reason = "a hidden file"
    elif name in TOOL_FILES or (name.startswith("tsconfig") and name.endswith(".json")):
        reason = "the configuration of a tool"
    elif os.path.exists(root / path) and not os.path.isfile(root / path):
        reason = "not a regular file"
    if reason:
        report.add(Category.SKIPPED, Unit.FILES, make_printable(path), reason)
    return not reason


def _file(root: Path, path: Path) -> SourceFile:
    around = (*root.parts[-2:], *path.parts[:-1])
    return SourceFile(root / path, make_printable(path), around, len(path.parts) - 1)
