"""A predecessor's folder, read: which files hold state, which chats, and which are none of its."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from conversations.imports.legacy_chat_files import (
    Chat,
    NotAChat,
    is_chat,
    may_hold_talk,
    must_hold_chats,
    read_lines,
    read_turns,
)
from conversations.imports.legacy_state import ImportRun
from conversations.imports.reading import find_export, name_export
from state.files.sources import NoFolder, SourceFile, Unreadable, find_files, load_file, read_bytes
from state.jsondoc.text import Document
from state.report import Category, Report, Unit, make_printable


def read_folder(path: Path, run: ImportRun) -> tuple[dict[SourceFile, Document | None], list[Chat]]:
    """The state files with their documents, None for one that failed, and the chats. Raises NoFolder."""
    documents: dict[SourceFile, Document | None] = {}
    chats: list[Chat] = []
    report = run.report
    files = _without_exports(find_files(path, report), path, report)
    names = {file.name for file in files}
    for number, file in enumerate(files, 1):
        run.progress(f"reading file {number} of {len(files)}")
        if file.suffix == ".txt" and not may_hold_talk(file):
            report.add(Category.SKIPPED, Unit.FILES, file.name, "a text file outside of Stimuli and Feeds")
            continue
        try:
            chats += _read(file, documents, report, names)
        except (Unreadable, NotAChat) as error:
            report.add(Category.FAILED, Unit.FILES, file.name, str(error))
        else:
            report.add(Category.READ, Unit.FILES, file.name)
    return documents, chats


def _without_exports(files: Sequence[SourceFile], root: Path, report: Report) -> list[SourceFile]:
    """The files but those in folders that hold an export of chats, which is another command's. Raises NoFolder."""
    exports = {file.inside: name for file in files if (name := find_export(file))}
    if () in exports:
        raise NoFolder(
            f"the folder {make_printable(root)} is an export of chats of {exports[()]}, and not state; bring it with:"
            f" ./nola importchats {make_printable(root)}"
        )
    for folder, name in exports.items():
        text = f"an export of chats of {name}, and not state; ./nola importchats takes the folder"
        report.add(Category.SKIPPED, Unit.FILES, "/".join(folder) + "/", text)
    return [file for file in files if not any(file.inside[: len(folder)] == folder for folder in exports)]


def _read(
    file: SourceFile, documents: dict[SourceFile, Document | None], report: Report, names: AbstractSet[str]
) -> list[Chat]:
    """The chats in a file; a state file goes to `documents`."""
    if file.suffix == ".txt":
        return read_lines(file, read_bytes(file), report, names)
    if not must_hold_chats(file):
        documents[file] = None
    document = load_file(file)
    if is_chat(file, document.value) and isinstance(document.value, dict):
        documents.pop(file, None)
        return [read_turns(file, document.value, report, names)]
    if name := name_export(document.value):
        documents.pop(file, None)
        text = f"chats of {name}, and not state; ./nola importchats takes the file"
        report.add(Category.SKIPPED, Unit.FILES, file.name, text)
        return []
    documents[file] = document
    report.add(Category.READ, Unit.KEYS, file.name)
    return []
