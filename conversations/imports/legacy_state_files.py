"""The state files of the JSON-file predecessor, as documents by key. Pure reading: nothing here writes.

Raw files beat `identity.json`, which beats `Nola.json`: the last two hold copies that were filtered to one level. They
only fill gaps, of raw files as of what Nola has, and each section of theirs that is not used is reported.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from conversations.imports.local_paths import make_relative
from state.files.sources import SourceFile, escape_name
from state.jsondoc.text import NOTHING, Document, JSONValue, Nothing, make_document
from state.report import Category, Report, Unit

Object = dict[str, JSONValue]
LEVELS = ("level_1", "level_2", "level_3")
MODULES = {"userid", "machineid"}
AGGREGATES = {"identity": 0, "nola": 1}  # by stem, the better one first


@dataclass(frozen=True, slots=True)
class ModuleCopy:
    """What an aggregate file holds of a module: possibly filtered."""

    module: str
    data: Object
    file: SourceFile


@dataclass(frozen=True, slots=True)
class CopiedPart:
    """What becomes of a part of a copy. One to be added is so only when its key is written; `path` is its place."""

    category: Category
    file: str
    text: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateDocument:
    """The document of a key, the file it comes from, what copies had to do with it, and those it is all made of."""

    key: str
    document: Document
    file: SourceFile
    parts: tuple[CopiedPart, ...] = ()
    copies: tuple[ModuleCopy, ...] = ()


def collect_documents(read: Mapping[SourceFile, Document | None], report: Report) -> dict[str, StateDocument]:
    """The documents of all state files by key; None stands for a file that could not be read."""
    raw = find_raw_keys(read)
    found, copies = _sort(read, raw)
    named = _named(found, raw, report)
    winners = {escape_name(key): key for key, one in named.items() if _is_winner(one, raw)}
    failed = {escape_name(raw.get(file, file.stem)): file for file, document in read.items() if document is None}
    for module, group in _by_module(copies, report).items():
        if module in winners:
            key = winners[module]
            named[key] = _filled(named[key], group)
        elif module in failed:
            _leave_out(group, failed[module], report)
        else:
            named |= _named([_made(group)], raw, report, taken=named)
    return named


def _is_winner(one: StateDocument, raw: Mapping[SourceFile, str]) -> bool:
    """Whether copies of this key give way to it: it has its own name, and is no rest of an aggregate."""
    return one.key == raw.get(one.file, one.file.stem) and (one.file in raw or escape_name(one.key) not in AGGREGATES)


def _by_module(copies: Iterable[ModuleCopy], report: Report) -> dict[str, list[ModuleCopy]]:
    """The copies of each module, the best first."""
    modules: dict[str, list[ModuleCopy]] = {}
    for copy in sorted(copies, key=lambda one: AGGREGATES[escape_name(one.file.stem)]):
        if copy.data:
            modules.setdefault(escape_name(copy.module), []).append(copy)
        else:
            report.add(Category.SKIPPED, Unit.SECTIONS, copy.file.name, f"the copy of {copy.module} is empty")
    return modules


def find_raw_keys(files: Iterable[SourceFile]) -> dict[SourceFile, str]:
    """Which files are the raw file of a key, and of which: it is named by its folder."""
    folders: dict[str, list[SourceFile]] = {}
    for file in files:
        if file.suffix == ".json" and _is_raw_folder(file.folders):
            folders.setdefault(str(file.path.parent), []).append(file)
    keys: dict[SourceFile, str] = {}
    spellings: dict[str, str] = {}
    for group in folders.values():
        primary = _primary(group)
        if primary:
            name = primary.around[-1].strip()
            keys[primary] = spellings.setdefault(escape_name(name), name)
    return keys


def _is_raw_folder(folders: Sequence[str]) -> bool:
    return bool(folders) and (folders[-1] in MODULES or folders[-2:-1] == ("identity_thread",))


def _primary(group: Sequence[SourceFile]) -> SourceFile | None:
    """Of the files in a raw folder the one with the folder's name, else `user` for `userID`, else the only one."""
    name = group[0].folders[-1]
    for stem in (name, name.removesuffix("id")):
        for file in group:
            if escape_name(file.stem) == stem:
                return file
    return group[0] if len(group) == 1 else None


def _sort(
    read: Mapping[SourceFile, Document | None], raw: Mapping[SourceFile, str]
) -> tuple[list[StateDocument], list[ModuleCopy]]:
    """Documents that are brought over, raw ones first, and the copies taken out of the aggregates."""
    modules = MODULES | {escape_name(key) for key in raw.values()}
    known = {file.name for file in read}
    found, copies = [], []
    for file, document in read.items():
        if document is None:
            continue
        if file not in raw and escape_name(file.stem) in AGGREGATES and isinstance(document.value, dict):
            parts, rest = _taken_apart(file, make_relative(document.value, known), modules)
            copies += parts
            if parts and not rest:
                continue
            document = make_document(rest)
        found.append(StateDocument(raw.get(file, file.stem), document, file))
    return sorted(found, key=lambda one: one.file not in raw), copies


def _taken_apart(file: SourceFile, value: Any, modules: set[str]) -> tuple[list[ModuleCopy], Object]:
    """The modules in an aggregate, and what is left without them."""
    modules = modules | _listed_modules(value.get("metadata"))
    copies: list[ModuleCopy] = []
    rest: Object = {}
    for name, member in value.items():
        if name == "IdentityConfig" and isinstance(member, dict):
            parts, left = _identity_config(file, member)
        else:
            parts, left = _module(file, name, member, known=escape_name(name) in modules)
        copies += parts
        if left is not NOTHING:
            rest[name] = left
    return copies, rest


def _listed_modules(metadata: JSONValue) -> set[str]:
    names = metadata.get("modules") if isinstance(metadata, dict) else None
    return {escape_name(name) for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _identity_config(file: SourceFile, member: Object) -> tuple[list[ModuleCopy], JSONValue | Nothing]:
    """`IdentityConfig` of Nola.json: modules under `data`, or next to its metadata where the wrapper is missing."""
    data = member.get("data")
    inner = data if isinstance(data, dict) else member
    if not inner:
        return [], member
    copies: list[ModuleCopy] = []
    rest: Object = {}
    for name, section in inner.items():
        parts, left = _module(file, name, section, known=True)
        copies += parts
        if left is not NOTHING:
            rest[name] = left
    if inner is data:
        around: Object = {name: one for name, one in member.items() if name != "data"}
        rest = {**around, "data": rest} if rest else around
    return copies, rest or NOTHING


def _module(
    file: SourceFile, name: str, member: JSONValue, *, known: bool
) -> tuple[list[ModuleCopy], JSONValue | Nothing]:
    """A member of an aggregate as a copy of a module and what is left of it, or as it is if it is none."""
    if name == "metadata" or not isinstance(member, dict):
        return [], member
    data, metadata = member.get("data"), member.get("metadata")
    if isinstance(data, dict) and (known or isinstance(metadata, dict)):
        left: Object = {key: value for key, value in member.items() if key != "data"}
    elif known:
        data = {key: value for key, value in member.items() if key != "metadata" or not isinstance(value, dict)}
        left = {"metadata": metadata} if isinstance(metadata, dict) else {}
    else:
        return [], member
    return [ModuleCopy(name, data, file)], left or NOTHING


def _leave_out(copies: Sequence[ModuleCopy], failed: SourceFile, report: Report) -> None:
    for copy in copies:
        text = f"the copy of {copy.module} is not used, because its raw file {failed.name} failed"
        report.add(Category.SKIPPED, Unit.SECTIONS, copy.file.name, text, len(copy.data))


def _made(copies: Sequence[ModuleCopy]) -> StateDocument:
    """A key without a raw file: the best copy, its gaps filled from the others."""
    best = copies[0]
    text = f"{best.module} is made from this copy, possibly filtered to one level; there is no raw file"
    parts = [CopiedPart(Category.NOTED, best.file.name, text)]
    parts += [CopiedPart(Category.ADDED, best.file.name, f"{best.module}.{name}", (name,)) for name in best.data]
    document = make_document(dict(best.data))
    return _filled(StateDocument(best.module, document, best.file, tuple(parts), tuple(copies)), copies[1:])


def _filled(winner: StateDocument, copies: Sequence[ModuleCopy]) -> StateDocument:
    """The winner, with what only the copies have."""
    document, parts = fill_document(winner.document.value, winner.file.name, copies)
    return replace(winner, document=document, parts=(*winner.parts, *parts))


def fill_document(value: JSONValue, winner: str, copies: Iterable[ModuleCopy]) -> tuple[Document, list[CopiedPart]]:
    """A document with what only the copies have. Where both have something, the winner's stays."""
    parts: list[CopiedPart] = []
    for copy in copies:
        if isinstance(value, dict):
            value = _fill(value, copy, winner, parts)
        else:
            text = f"{copy.module} is not used: {winner} wins, and it is not an object"
            parts += [CopiedPart(Category.SKIPPED, copy.file.name, text)] * len(copy.data)
    return make_document(value), parts


def _fill(value: Object, copy: ModuleCopy, winner: str, parts: list[CopiedPart]) -> Object:
    filled = dict(value)
    for name, section in copy.data.items():
        what = f"{copy.module}.{name}"
        there = filled.get(name)
        if name not in filled:
            filled[name] = section
            text = f"{what}, which {winner} does not have"
            parts.append(CopiedPart(Category.ADDED, copy.file.name, text, (name,)))
        elif _covers(there, section):
            parts.append(CopiedPart(Category.DUPLICATE, copy.file.name, f"{what} says what {winner} says"))
        elif _is_levelled(there) and _is_levelled(section):
            missing = _missing_levels(name, there, section, copy, winner, parts)
            filled[name] = {**there, **missing}
        else:
            parts.append(_differing(what, copy.file, winner))
    return filled


def _missing_levels(
    name: str, there: Object, section: Object, copy: ModuleCopy, winner: str, parts: list[CopiedPart]
) -> Object:
    """The levels that a section lacks and the copy has; one that differs stays as it is."""
    what = f"{copy.module}.{name}"
    missing = {level: value for level, value in section.items() if level not in there}
    for level, value in section.items():
        if level in there and not _same(there[level], value):
            parts.append(_differing(f"{what}.{level}", copy.file, winner))
    if missing:
        text = f"{', '.join(missing)} of {what}, which {winner} does not have"
        parts.append(CopiedPart(Category.ADDED, copy.file.name, text, (name, next(iter(missing)))))
    return missing


def _differing(what: str, file: SourceFile, winner: str) -> CopiedPart:
    return CopiedPart(Category.SKIPPED, file.name, f"{what} differs and is not used: {winner} wins")


def _covers(whole: JSONValue, part: JSONValue) -> bool:
    """Whether `part` is `whole`, one of its levels, or what filtering it gives."""
    views = [whole, *(filter_level(whole, level) for level in (1, 2, 3))]
    if _is_levelled(whole):
        views += [whole[name] for name in LEVELS if name in whole]
        if _is_levelled(part):
            return all(name in whole and _same(whole[name], level) for name, level in part.items())
    return any(_same(view, part) for view in views)


def filter_level(value: JSONValue, level: int) -> JSONValue | Nothing:
    """A value as the predecessor filtered it: each levelled object becomes its level, else the nearest lower one."""
    if isinstance(value, list):
        return [seen for seen in (filter_level(item, level) for item in value) if seen is not NOTHING]
    if not isinstance(value, dict):
        return value
    picked = next((value[name] for name in reversed(LEVELS[:level]) if name in value), NOTHING)
    if _is_levelled(value):
        return picked if picked is NOTHING else filter_level(picked, level)
    seen = {name: filter_level(member, level) for name, member in value.items()}
    return {name: member for name, member in seen.items() if member is not NOTHING}


def _is_levelled(value: JSONValue) -> TypeGuard[Object]:
    return isinstance(value, dict) and any(name in value for name in LEVELS)


def _same(one: object, other: object) -> bool:
    """Equal as JSON: 1 is not true, but the order of members does not matter in a copy."""
    if one is NOTHING or other is NOTHING:
        return False
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _named(
    found: Iterable[StateDocument],
    raw: Mapping[SourceFile, str],
    report: Report,
    taken: Mapping[str, StateDocument] | None = None,
) -> dict[str, StateDocument]:
    """Each document under a key of its own: of two for one key the first keeps it, an equal one is left out."""
    named: dict[str, StateDocument] = {}
    taken = taken or {}
    for one in found:
        first = named.get(one.key) or taken.get(one.key)
        if first is None:
            named[one.key] = one
        elif first.document.text == one.document.text:
            report.add(Category.DUPLICATE, Unit.KEYS, one.file.name, f"{one.key}: the same as {first.file.name}")
        else:
            used = named.keys() | taken.keys()
            key = next(name for name in _other_names(one, one.file in raw) if name not in used)
            text = f"another {one.key} than {first.file.name}; brought over beside it, as {key}"
            report.add(Category.CONFLICTING, Unit.KEYS, one.file.name, text)
            named[key] = replace(one, key=key)
    return named


def _other_names(one: StateDocument, is_raw: bool) -> Iterator[str]:
    """Names for a second document of a key: with the folder it lies in, then with more of its path, then numbered."""
    around = [name.strip() for name in (one.file.inside[:-1] if is_raw else one.file.inside)]
    for start in range(len(around) - 1, -1, -1):
        yield ".".join([*around[start:], one.key])
    yield from (f"{one.key}~{number}" for number in range(2, 1_000_000))
