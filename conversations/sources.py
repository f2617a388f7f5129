"""Conversations as other programs export them, as plain data: ChatGPT, Claude, Nola itself, and lines of messages.

Pure reading: nothing here writes. A message is known again by the id that its source gave it.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from conversations import legacy
from conversations.drafts import NewMessage
from conversations.legacy import IMPORTED, Chat, NotAChat, identity, moment, without_nul
from conversations.shapes import SPEAKERS, STATUSES
from state import jsontext
from state.folder import File
from state.jsontext import JSONValue
from state.report import Category, Report, Unit

SPOKEN = {
    "human": "user", "ai": "assistant", "bot": "assistant", "model": "assistant", "nola": "assistant",
    "developer": "system", "function": "tool",
}  # fmt: skip
SESSION = ("session_id", "conversation_id", "convo_id", "thread_id", "session")
SPEAKER = ("speaker", "role", "sender", "author")
TEXT = ("message", "content", "text")
TIME = ("timestamp", "created_at", "create_time", "time", "date")


class Source(NamedTuple):
    """A program's export: how it is told from others, and how a conversation of it is read."""

    name: str
    fits: Callable[[dict[str, Any]], bool]
    read: Callable[[dict[str, Any], "Reading"], Chat]


@dataclass(slots=True)
class Reading:
    """The file that is read, where in it, and what is to be said of it."""

    file: File
    number: int
    report: Report

    def note(self, unit: Unit, text: str, count: int = 1, category: Category = Category.NOTED) -> None:
        self.report.add(category, unit, self.file.name, text, count)


@dataclass(slots=True)
class Told:
    """A message as a source has it. `parent` is the id of the message before it, "" for none or not said."""

    ref: str
    speaker: str
    text: str
    time: datetime | None
    time_text: str
    parent: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


def read(value: JSONValue, reading: Reading) -> tuple[str, Chat]:
    """The name of the source and the conversation, or the piece of one, that a value is. Raises NotAChat."""
    if isinstance(value, dict):
        for source in SOURCES:
            if source.fits(value):
                return source.name, source.read(value, reading)
    raise NotAChat("no conversation of ChatGPT, Claude or Nola, and no message with a role and a text")


# ChatGPT: a tree of messages, of which one leaf is current


def _chatgpt(value: dict[str, Any], reading: Reading) -> Chat:
    chat = _chat(value, reading, ("conversation_id", "id"), "create_time", "ChatGPT")
    chat.title = _text(value.get("title"))
    chat.archived = value.get("is_archived") if isinstance(value.get("is_archived"), bool) else None
    chat.metadata = {name: value[name] for name in ("default_model_slug", "gizmo_id") if value.get(name)}
    mapping = value["mapping"]
    nodes = {str(ref): node for ref, node in mapping.items() if isinstance(node, dict)}
    told = {ref: one for ref, node in nodes.items() if (one := _node(ref, node))}
    for one in told.values():
        one.parent = _kept(one.parent, nodes, told)
    left_out = sum(bool(node.get("message")) for node in nodes.values()) - len(told)
    if left_out:
        reading.note(Unit.MESSAGES, "empty messages of ChatGPT, without a word in them", left_out, Category.SKIPPED)
    leaf = _kept(_text(value.get("current_node")), nodes, told)
    _settle_tree(chat, told, leaf, reading)
    return chat


def _node(ref: str, node: Mapping[str, Any]) -> Told | None:
    """The message of a node; None if it has none, or no word in it."""
    message = node.get("message")
    if not isinstance(message, dict):
        return None
    author, content = _dict(message.get("author")), _dict(message.get("content"))
    more = _dict(message.get("metadata"))
    text, files = _parts(content)
    files += [_text(one.get("name")) for one in more.get("attachments") or [] if isinstance(one, dict)]
    if not text.strip() and not files:
        return None
    kind = content.get("content_type")
    metadata = {
        "model": more.get("model_slug"),
        "content_type": kind if kind not in ("text", "multimodal_text") else None,
        "recipient": message.get("recipient") if message.get("recipient") != "all" else None,
        "name": author.get("name"),
        "hidden": more.get("is_visually_hidden_from_conversation"),
        "attachments": [name for name in dict.fromkeys(files) if name],
    }
    time, time_text = moment(message.get("create_time"))
    return _told(ref, author.get("role"), text, time, time_text, _text(node.get("parent")), metadata)


def _parts(content: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The text of a content, and the names of the files in it."""
    parts = content.get("parts")
    if isinstance(parts, list):
        texts = [one if isinstance(one, str) else _text(_dict(one).get("text")) for one in parts]
        files = [_text(one.get("asset_pointer")) for one in parts if isinstance(one, dict)]
        return "\n".join(text for text in texts if text), [name for name in files if name]
    for name in ("text", "result", "content"):
        if isinstance(content.get(name), str):
            return str(content[name]), []
    rest = {name: value for name, value in content.items() if name != "content_type"}
    return (jsontext.dump(rest) if any(rest.values()) else ""), []


def _kept(ref: str, nodes: Mapping[str, Any], told: Mapping[str, Told]) -> str:
    """The nearest node upwards that has a message."""
    seen: set[str] = set()
    while ref and ref not in told and ref not in seen:
        seen.add(ref)
        ref = _text(_dict(nodes.get(ref)).get("parent"))
    return ref if ref in told else ""


def _settle_tree(chat: Chat, told: Mapping[str, Told], leaf: str, reading: Reading) -> None:
    """Parents are kept where talk branches; in a straight line the time says it all."""
    children = Counter(one.parent for one in told.values())
    is_branched = any(count > 1 for count in children.values())
    if is_branched:
        text = f"{chat.session_id} has branches: all are kept, the current one is shown"
        reading.note(Unit.CONVERSATIONS, text, 1)
        chat.leaf = IMPORTED + leaf if leaf else ""
    _settle(chat, list(_downwards(told)), reading, keep_parents=is_branched)


def _downwards(told: Mapping[str, Told]) -> Iterator[Told]:
    """The messages of a tree, each after the one it answers; a loop is cut."""
    kids: dict[str, list[str]] = {}
    for ref, one in told.items():
        kids.setdefault(one.parent if one.parent in told else "", []).append(ref)
    seen: set[str] = set()
    for start in [*kids.get("", []), *told]:
        stack = [start]
        while stack:
            ref = stack.pop()
            if ref not in seen:
                seen.add(ref)
                yield told[ref]
                stack += reversed(kids.get(ref, []))


# Claude


def _claude(value: dict[str, Any], reading: Reading) -> Chat:
    chat = _chat(value, reading, ("uuid",), "created_at", "Claude")
    chat.title = _text(value.get("name"))
    chat.metadata = {name: value[name] for name in ("summary", "model") if value.get(name)}
    told = {one.ref: one for number, raw in enumerate(value["chat_messages"]) if (one := _claude_message(number, raw))}
    left_out = len(value["chat_messages"]) - len(told)
    if left_out:
        reading.note(Unit.MESSAGES, "empty messages of Claude, without a word in them", left_out, Category.SKIPPED)
    for one in told.values():
        one.parent = one.parent if one.parent in told else ""
    if any(one.parent for one in told.values()):
        leaf = _text(value.get("current_leaf_message_uuid"))
        _settle_tree(chat, told, leaf if leaf in told else next(reversed(told)), reading)
    else:
        _settle(chat, list(told.values()), reading)
    return chat


def _claude_message(number: int, raw: Any) -> Told | None:
    message = _dict(raw)
    parts = [one for one in message.get("content") or [] if isinstance(one, dict)]
    text = "\n".join(_text(one.get("text")) for one in parts if one.get("type") == "text" and one.get("text"))
    text = text or _text(message.get("text"))
    others = [one.get("type") for one in parts if one.get("type") != "text"]
    files = [one for name in ("attachments", "files", "files_v2") for one in message.get(name) or []]
    names = [_text(_dict(one).get("file_name")) for one in files]
    extracted = {
        _text(one.get("file_name")): one["extracted_content"] for one in files if _dict(one).get("extracted_content")
    }
    if not text.strip() and not names and not others:
        return None
    metadata = {
        "attachments": [name for name in dict.fromkeys(names) if name],
        "extracted": extracted,
        "parts": [part for part in parts if part.get("type") != "text"],
    }
    time, time_text = moment(message.get("created_at"))
    ref = _text(message.get("uuid")) or f"message-{number}"
    return _told(ref, message.get("sender"), text, time, time_text, _text(message.get("parent_message_uuid")), metadata)


# Nola's own export


def _nola(value: dict[str, Any], reading: Reading) -> Chat:
    chat = Chat(_session_id(value.get("session_id"), reading), reading.file)
    chat.title, chat.channel, chat.source = (_text(value.get(name)) for name in ("title", "channel", "source"))
    chat.archived = value.get("archived") is True
    chat.metadata = _dict(value.get("metadata"))
    chat.started, _ = moment(value.get("started"))
    chat.started_text = _text(value.get("started_text"))
    names: dict[Any, str] = {}
    taken: set[str] = set()
    repeats: Counter[tuple[str, str, str]] = Counter()
    for raw in value["messages"]:
        one = _nola_message(_dict(raw), taken)
        base = (one.speaker, one.timestamp_text or one.timestamp.isoformat(), one.message)
        is_imported = (one.client_id or "").startswith(IMPORTED)
        name = one.client_id or "" if is_imported else identity(*base, repeats[base])
        repeats[base] += not is_imported
        names[_dict(raw).get("id")] = name
        chat.messages[name] = replace(one, ref=name, parent=names.get(_dict(raw).get("parent"), ""))
    chat.leaf = names.get(value.get("current_leaf"), "")
    return chat


def _nola_message(raw: dict[str, Any], taken: set[str]) -> NewMessage:
    time, _ = moment(raw.get("timestamp"))
    if time is None or not isinstance(raw.get("message"), str) or raw.get("speaker") not in SPEAKERS:
        raise NotAChat(
            f"message {raw.get('id')!r} of an export of Nola has no speaker, text or time; nothing of it is read"
        )
    client_id = raw.get("client_id")
    if not isinstance(client_id, str) or client_id in taken:
        client_id = None
    else:
        taken.add(client_id)
    level = raw.get("context_level")
    return NewMessage(
        speaker=raw["speaker"],
        message=without_nul(raw["message"]),
        timestamp=time,
        timestamp_text=_text(raw.get("timestamp_text")),
        user_id=_text(raw.get("user_id")) or "user",
        context_level=level if level in (1, 2, 3) else None,
        stimuli_type=_text(raw.get("stimuli_type")),
        status=raw["status"] if raw.get("status") in STATUSES else "ok",
        client_id=client_id,
        metadata=_dict(raw.get("metadata")),
    )


# The predecessor's, and lines


def _turns(value: dict[str, Any], reading: Reading) -> Chat:
    return legacy.from_turns(reading.file, value, reading.report)


def _whole(value: dict[str, Any], reading: Reading) -> Chat:
    """A conversation as a list of messages with roles, such as training data has it."""
    rest = dict(value)
    messages = [one for one in rest.pop("messages") if isinstance(one, dict)]
    chat = _chat(rest, reading, SESSION, "started", reading.file.name)
    chat.title = _text(rest.pop("title", ""))
    chat.metadata = {name: one for name, one in rest.items() if name not in (*SESSION, "started")}
    _settle(chat, [_line(one, chat.session_id, number) for number, one in enumerate(messages)], reading)
    return chat


def _one_message(value: dict[str, Any], reading: Reading) -> Chat:
    """A line that is one message."""
    chat = _chat(value, reading, SESSION, "", reading.file.name, default=reading.file.stem)
    rest = {name: one for name, one in value.items() if name not in SESSION}
    _settle(chat, [_line(rest, chat.session_id, reading.number)], reading)
    return chat


def _line(value: dict[str, Any], session_id: str, number: int) -> Told:
    rest = dict(value)
    speaker, text, time = (_taken(rest, names) for names in (SPEAKER, TEXT, TIME))
    if isinstance(text, list):
        text, files = _parts({"parts": text})
        rest |= {"attachments": files} if files else {}
    said = text if isinstance(text, str) else jsontext.dump(text)
    moment_of, time_text = moment(time)
    given = rest.pop("id", None)
    place = given if given is not None else "" if time_text else number
    base = jsontext.dump([session_id, place, _text(speaker), time_text, said])
    ref = hashlib.sha256(base.encode()).hexdigest()[:32]
    return _told(ref, speaker, said, moment_of, time_text, "", rest | ({"id": given} if given is not None else {}))


def _taken(rest: dict[str, Any], names: tuple[str, ...]) -> Any:
    name = next((name for name in names if name in rest), "")
    return rest.pop(name, None)


# What they share


def _chat(
    value: Mapping[str, Any], reading: Reading, ids: tuple[str, ...], started: str, source: str, default: str = ""
) -> Chat:
    given = next((value[name] for name in ids if value.get(name)), None)
    chat = Chat(_session_id(given or default, reading), reading.file, source=source)
    chat.channel = source.lower() if source in ("ChatGPT", "Claude") else "import"
    chat.started, chat.started_text = moment(value.get(started))
    return chat


def _session_id(value: Any, reading: Reading) -> str:
    text = value if isinstance(value, str) else "" if value is None else jsontext.dump(value)
    if len(text.encode()) > legacy.MAX_ID_BYTES:
        raise NotAChat(f"the session id {text[:20]}... is longer than {legacy.MAX_ID_BYTES} bytes")
    return str(without_nul(text)) or f"{reading.file.stem}-{reading.number}"


def _told(
    ref: str, role: Any, text: str, time: datetime | None, time_text: str, parent: str, metadata: Mapping[str, Any]
) -> Told:
    """A message with a speaker that Nola knows; any other role is the system's, and kept in the metadata."""
    spelt = _text(role).lower()
    speaker = SPOKEN.get(spelt, spelt)
    kept = {name: value for name, value in metadata.items() if value not in (None, "", [], {}, False)}
    if speaker not in SPEAKERS:
        speaker, kept = "system", {"role": role} | kept
    return Told(ref, speaker, str(without_nul(text)), time, str(without_nul(time_text)), parent, kept)


def _settle(chat: Chat, told: list[Told], reading: Reading, *, keep_parents: bool = False) -> None:
    """Give each message a time: its own, else that of the one it answers, or comes after."""
    times: dict[str, datetime] = {}
    first = chat.started or next((one.time for one in told if one.time), reading.file.changed)
    last = first
    for one in told:
        last = one.time or times.get(one.parent, last)
        times[one.ref] = last
        name = IMPORTED + one.ref
        parent = IMPORTED + (one.parent or one.ref) if keep_parents else ""  # its own: it begins the talk
        chat.messages[name] = NewMessage(
            one.speaker, one.text, last, one.time_text, client_id=name, metadata=one.metadata, ref=name, parent=parent
        )
    if chat.started is None and chat.messages:
        chat.started = min(one.timestamp for one in chat.messages.values())
    untimed = sum(one.time is None for one in told)
    if untimed:
        reading.note(Unit.MESSAGES, "messages without a readable time have that of the message before", untimed)
    if zoneless := sum(one.time is not None and _is_naive(one.time_text) for one in told):
        reading.note(Unit.MESSAGES, "times without a zone are taken as local, in NOLA_TIME_ZONE", zoneless)
    if files := sum(len(one.metadata.get("attachments", ())) for one in told):
        reading.note(Unit.MESSAGES, "attachments: their names are kept, the files are not", files)
    if roles := Counter(_text(one.metadata["role"]) for one in told if "role" in one.metadata):
        reading.note(
            Unit.MESSAGES, f"of roles Nola does not know ({', '.join(roles)}) are kept as system", roles.total()
        )
    if repeated := len(told) - len(chat.messages):
        reading.note(Unit.MESSAGES, f"said twice at one time in {chat.session_id}", repeated, Category.DUPLICATE)


def _is_naive(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False  # a number of seconds


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return str(without_nul(value)) if isinstance(value, str) else "" if value is None else jsontext.dump(value)


def _has(value: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return any(value.get(name) is not None for name in names)


SOURCES = (
    Source("ChatGPT", lambda value: isinstance(value.get("mapping"), dict), _chatgpt),
    Source("Claude", lambda value: isinstance(value.get("chat_messages"), list), _claude),
    Source("a folder of chats", lambda value: isinstance(value.get("turns"), list), _turns),
    Source("Nola", lambda value: isinstance(value.get("messages"), list) and "started_text" in value, _nola),
    Source("messages", lambda value: isinstance(value.get("messages"), list), _whole),
    Source("lines", lambda value: _has(value, SPEAKER) and _has(value, TEXT), _one_message),
)
