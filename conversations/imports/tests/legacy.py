"""Files as the predecessor wrote them, brought over, and what came of it."""

import json
from io import StringIO
from pathlib import Path

from django.core.management import call_command

from conversations.imports.legacy_chats import import_folder
from conversations.models import Message
from state import revisions
from state.models import StateEntry
from state.report import Category, Unit
from state.revisions import Author, Source

PERSON = Author("user:ada", Source.ADMIN)


def write(folder: Path, name: str, content) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def chat(session_id="react_1", turns=None, **more):
    turns = turns if turns is not None else [turn("10:00:00", "hi", "hello")]
    return {"session_id": session_id, "channel": "react-chat", "started": "2025-01-01T10:00:00", "turns": turns, **more}


def turn(time, user, assistant, **more):
    return {"timestamp": f"2025-01-01T{time}", "user": user, "assistant": assistant, **more}


def lines(*entries):
    return "\n".join(
        json.dumps({"timestamp": f"2025-01-01T10:00:{number:02}", "entry": entry, **({"convo_id": one} if one else {})})
        for number, (entry, one) in enumerate(entries)
    )


def bring(folder, **options):
    return import_folder(folder, "cli:test", **options)


def counts(report):
    return {f"{one} {unit}": report.count(one, unit) for one in Category for unit in Unit if report.count(one, unit)}


def texts(report, category):
    return [f"{one.file}: {one.text}" for one in report.select(category)]


def state():
    return {entry.key_name: entry.value_json for entry in StateEntry.objects.all()}


def said(session_id):
    messages = Message.objects.filter(conversation__session_id=session_id, deleted_revision=None)
    return [(one.speaker, one.message) for one in messages]


def run(folder, *args):
    out = StringIO()
    call_command("importlegacy", str(folder), *args, stdout=out)
    return out.getvalue()


def edit(text, **found):
    with revisions.open_revision(PERSON) as recorder:
        message = Message.objects.get(**found)
        Message.objects.filter(pk=message.pk).update(message=text, revision=recorder.seq)
        recorder.record("message", "react_1", {"edit": [message.pk]}, {"edit": [message.pk]}, "")
