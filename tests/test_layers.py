"""Who may import whom: downwards only, no circles, and none hidden in a function. docs/architecture.md draws it."""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.server import ROOT

APPS = ("access", "state", "conversations", "nola_site")
LAYERS = [  # of `state`, the lowest first; what stands in one row may use each other, without a circle
    "jsondoc",
    "database fields models errors address entries report progress conditions locks files texts",
    "write_lock chain revisions clock guards registry",
    "history",
    "edits merging",
    "store proposals",
    "checkpoints undo transactions context",
    "backups sync api pages admin apps management",
]
RANK = {name: number for number, row in enumerate(LAYERS) for name in row.split()}
OFFERED = (  # what of `state` the apps above it may use
    "jsondoc address store registry revisions history checkpoints context undo models fields errors conditions"
    " files report locks write_lock clock chain database edits api admin"
)
OFFERED_TO_SITE = (
    OFFERED + " entries texts backups guards pages progress proposals transactions"
)  # it serves and safeguards it all

ADAPTERS = {  # modules of nola_client, and the framework that each stands on
    ("anthropic_memory", "anthropic"),
    ("langchain", "langchain_core"),
    ("langgraph", "langgraph"),
    ("openai_agents", "agents"),
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_code(path: Path) -> bool:
    return not {"tests", "migrations"} & set(path.parts)


FILES = {name_of(path): path for app in APPS for path in (ROOT / app).rglob("*.py") if is_code(path.relative_to(ROOT))}


def imports(name: str) -> Iterator[tuple[str, bool]]:
    """The modules of ours that a module imports, and whether it does so inside a function."""
    tree = ast.parse(FILES[name].read_text())
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name != "ready"
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if (found := whole if whole in FILES else node.module) in FILES:
                    yield found, id(node) in inside


def room(name: str) -> str:
    """Of `state.history.past` it is `history`: what stands directly in the app."""
    return name.split(".")[1] if "." in name else ""


def app(name: str) -> str:
    return name.split(".")[0]


def test_imports_lead_downwards():
    for name in FILES:
        for used, _ in imports(name):
            if app(used) == app(name) == "state" and room(name) and room(used):
                assert RANK[room(used)] <= RANK[room(name)], f"{name} imports {used}, which stands above it"
            elif app(used) != app(name):
                assert APPS.index(app(used)) < APPS.index(app(name)), f"{name} imports {used}"
            if app(used) == "state" and app(name) != "state":
                offered = OFFERED if app(name) == "conversations" else OFFERED_TO_SITE
                assert room(used) in offered.split(), f"{name} imports {used}, which is {app(used)}'s own"


def test_there_is_no_circle():
    graph = {name: {used for used, _ in imports(name)} - {name} for name in FILES}

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_import_hides_in_a_function_of_state_or_conversations():
    late = [(name, used) for name in FILES if app(name) != "nola_site" for used, is_late in imports(name) if is_late]

    assert late == []


def test_jsondoc_stands_alone():
    foreign = [
        (path.name, node.module)
        for path in (ROOT / "state" / "jsondoc").rglob("*.py")
        if "tests" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom | ast.Import)
        for module in [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name]
        if module and module.split(".")[0] in ("django", *APPS) and not module.startswith("state.jsondoc")
    ]

    assert foreign == []


def test_the_client_stands_alone():
    """Each module of it stands on httpx; the adapters also on what they are named for."""
    foreign = {
        (path.stem, module.split(".")[0])
        for path in (ROOT / "nola_client").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom | ast.Import)
        for module in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
        if module.split(".")[0] not in {*sys.stdlib_module_names, "nola_client", "httpx"}
    }

    assert foreign == ADAPTERS


def test_a_folder_can_be_taken_in_at_a_glance():
    folders = Counter(path.parent for path in FILES.values() if path.name != "__init__.py")

    assert {folder: count for folder, count in folders.items() if count > MOST_MODULES} == {}


MOST_MODULES = 23  # `state` itself has so many; a package, about 20


def test_one_place_alone_knows_which_database_it_is():
    particular = re.compile(r"\bvendor\b|(?<!\.)\bsqlite3\b|PRAGMA|VACUUM|sqlite_master", re.IGNORECASE)
    knowing = {name for name, path in FILES.items() if particular.search(path.read_text())}

    assert {name for name in knowing if not name.startswith("state.database.")} == set()


def test_who_writes_what_it_has_read_does_so_in_its_turn():
    """Of PostgreSQL, a transaction alone keeps nobody from writing what was read."""
    begin = {name for name, path in FILES.items() if "transaction.atomic(" in path.read_text()}

    assert begin == {
        "access.database",  # write_in_turn
        "access.security",  # one row, which depends on nothing
        "nola_site.forget.files",  # a copy
        "nola_site.safety.archive",  # a database of its own
        "nola_site.safety.move",  # another database
        "state.backups.restore_backup",
        "state.guards",  # another database, or before the server starts
        "state.write_lock",
    }
