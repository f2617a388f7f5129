"""A folder that tests keep in step, and short words for it."""

import json

from state import store
from state.address import Address
from state.jsondoc.text import make_document
from state.revisions import Author, Source
from state.sync.options import SyncOptions
from state.sync.run import run_sync

ADA = Author("user:ada", Source.API)


def put(key, value, *tokens):
    return store.put(Address(key, tokens), make_document(value), ADA).revision


def value(key):
    return json.loads(store.read(Address(key)).text)


def sync(folder, **options):
    return run_sync(SyncOptions("cli:ada", folder, **options))


def push(folder, **options):
    return sync(folder, pulls=False, **options)


def pull(folder, **options):
    return sync(folder, pushes=False, **options)


def read(folder, name):
    return json.loads((folder / name).read_text())


def write(folder, name, value):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(value))


def told(report, category, unit=None):
    return {one.file: one.text for one in report.select(category, unit)}


def in_conflict(folder):
    write(folder, "Note.json", {"title": "file", "tags": ["x"], "about": {"n": 2, "m": 1}})
    put("Note", "nola", "title")
    put("Note", 3, "about", "m")
