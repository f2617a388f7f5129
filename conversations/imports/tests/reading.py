"""What tests of readers share: a file read as an import reads it, without a database."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conversations.imports.legacy_chat_files import IMPORTED, Chat
from conversations.imports.messages import report_notes
from conversations.imports.reading import read_file
from state.report import Category, Report


@dataclass
class ReadFile:
    """What came of a file: conversations, documents of the state, and what was said."""

    chats: list[Chat] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    report: Report = field(default_factory=Report)

    @property
    def chat(self) -> Chat:
        [chat] = self.chats
        return chat

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(one.speaker, one.message) for one in self.chat.messages.values()]

    def metadata(self, number: int) -> dict[str, Any]:
        return dict(list(self.chat.messages.values())[number].metadata)

    def parents(self) -> dict[str, str]:
        """Who answers whom, by what they say; what begins the talk answers itself."""
        messages = self.chat.messages
        return {one.message: messages[one.parent].message for one in messages.values() if one.parent}

    @property
    def leaf(self) -> str:
        return self.chat.messages[self.chat.leaf].message

    def told(self, category: Category) -> list[str]:
        return [one.text for one in self.report.select(category) if one.text]


def read(path: Path) -> ReadFile:
    found = ReadFile()
    for one in read_file(path, path.name, found.report, lambda part, number: None, bounded=False):
        report_notes(one.notes, one.place, found.report)
        if isinstance(one.what, Chat):
            found.chats.append(one.what)
            found.sources.append(one.reader.name)
            assert all(name.startswith(IMPORTED) or one.reader.name == "Nola" for name in one.what.messages)
        else:
            found.state[one.what.name] = one.what.value
    return found


def read_value(folder: Path, *values: Any, name: str = "file.json") -> ReadFile:
    """A file of these values, one a line; a text is the file itself."""
    path = folder / name
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in values))
    return read(path)


ROOT = "00000000-0000-4000-8000-000000000000"  # what first messages of Claude and LibreChat answer


def node(ref, parent, role="user", content=None, time=None, **more):
    content = content if isinstance(content, dict) else {"content_type": "text", "parts": [content or ""]}
    message = {"id": ref, "author": {"role": role}, "create_time": time, "content": content, "metadata": {}, **more}
    return {"id": ref, "message": message, "parent": parent, "children": []}


def chatgpt(*nodes, **more):
    return {"title": "T", "conversation_id": "c", "mapping": {one["id"]: one for one in nodes}, **more}


def claude(*messages):
    return {"uuid": "u", "name": "N", "created_at": "2026-01-01T10:00:00Z", "chat_messages": list(messages)}


def claude_message(ref, sender="human", content=(), **more):
    return {"uuid": ref, "sender": sender, "created_at": "2026-01-01T10:00:00Z", "content": list(content), **more}


def text(words):
    return {"type": "text", "text": words}
