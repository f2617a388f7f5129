"""The chat files of the JSON-file predecessor, as plain data. Pure reading: nothing here writes.

Two shapes: a JSON document with `turns`, and a text file with one JSON line per entry that may hold several sessions.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from conversations.log import NewMessage
from state import folder, jsontext
from state.folder import File
from state.jsontext import JSONValue, NotAcceptable
from state.report import Category, Report, Unit

TALK = {"stimuli", "feeds"}  # the folders that conversations lie in
MAX_ID_BYTES = 512
ERROR = "[Error generating response"
_START = re.compile(r"Conversation started(?:,\s*(?P<name>.*?))?\.?\s*", re.DOTALL)
_SAID = re.compile(r"(?P<who>User|Nola|Assistant): ?(?P<text>.*)", re.DOTALL)
_ANSWER = re.compile(r"\n(?:Nola|Assistant): ")
_STATUS = "Agent status requested:"

Identity = tuple[str, str, str, int]


class NotAChat(ValueError):
    """A file that should hold a conversation and does not; says why."""


@dataclass(slots=True)
class Said:
    """One utterance as a file has it. `time` is None where the file has none that can be read."""

    speaker: str
    message: str
    time: datetime | None
    time_text: str
    context_level: int | None = None
    stimuli_type: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Chat:
    """One session of one file, or of several that were found to be the same. None and "" say that no file has it."""

    session_id: str
    file: File
    title: str = ""
    channel: str = ""
    started: datetime | None = None
    started_text: str = ""
    archived: bool | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    messages: dict[Identity, NewMessage] = field(default_factory=dict)


def is_talk(file: File) -> bool:
    """Whether text files here may be chats."""
    return bool(TALK.intersection(file.folders))


def is_chat_folder(file: File) -> bool:
    """Whether JSON files here must be chats."""
    return is_talk(file) and "conversations" in file.folders


def is_chat(file: File, value: JSONValue) -> bool:
    """Whether a JSON document is a conversation, by its shape. Raises NotAChat where it has to be one."""
    if isinstance(value, dict) and isinstance(value.get("turns"), list):
        if "session_id" in value or is_chat_folder(file):
            return True
    elif is_chat_folder(file):
        found = "no list `turns`" if isinstance(value, dict) else "not an object"
        raise NotAChat(f"not a conversation: {found}; move the file elsewhere if it is state")
    return False


def from_turns(file: File, value: dict[str, Any], report: Report) -> Chat:
    """The conversation of a JSON file. Raises NotAChat."""
    rest = dict(value)
    turns = rest.pop("turns")
    chat = Chat(_session_id(rest.pop("session_id", None) or folder.printable(file.stem)), file)
    chat.title = _taken(rest, "name", str, "")
    chat.channel = _taken(rest, "channel", str, "")
    chat.archived = _taken(rest, "archived", bool, None)
    chat.started, chat.started_text = moment(rest.pop("started", None))
    chat.metadata = rest
    for number, turn in enumerate(turns):
        chat.said += _turn(file, number, turn, report)
    settle(chat, report)
    return chat


def from_lines(file: File, raw: bytes, report: Report) -> list[Chat]:
    """The sessions of a text file, none if it is no chat. A line that cannot be read is reported. Raises NotAChat."""
    lines, bad = _lines(raw)
    if not any("entry" in line for line in lines.values()):
        _report_no_chat(file, raw, bad, report)
        return []
    for number, reason in bad.items():
        report.add(Category.FAILED, Unit.MESSAGES, f"{file.name}:{number}", reason)
    sessions = _Sessions(file)
    for number, line in lines.items():
        try:
            sessions.take(line)
        except NotAChat as error:
            report.add(Category.FAILED, Unit.MESSAGES, f"{file.name}:{number}", str(error))
    for chat in sessions.chats.values():
        settle(chat, report)
    return list(sessions.chats.values())


def moment(value: JSONValue) -> tuple[datetime | None, str]:
    """A time and its text as it came. Without a zone it is local time, in NOLA_TIME_ZONE; None if unreadable."""
    text = value if isinstance(value, str) else "" if value is None else jsontext.dump(value)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC), text
        time = datetime.fromisoformat(text.strip())
        aware = time if time.tzinfo else time.replace(tzinfo=ZoneInfo(settings.TIME_ZONE))
        return aware.astimezone(UTC), text
    except (ValueError, OverflowError, OSError):
        return None, text


def settle(chat: Chat, report: Report) -> None:
    """Give each utterance a time and an identity: what is said twice at one time is one message."""
    report.add(Category.READ, Unit.CONVERSATIONS, chat.file.name)
    report.add(Category.READ, Unit.MESSAGES, chat.file.name, "", len(chat.said))
    missing = sum(one.time is None for one in chat.said)
    if missing:
        text = f"messages of {chat.session_id} without a readable time have that of the message before"
        report.add(Category.NOTED, Unit.MESSAGES, chat.file.name, f"{missing} {text}", missing)
    if any("\0" in one.message for one in chat.said):
        text = f"the character NUL in messages of {chat.session_id} is written as ␀, since no database takes it"
        report.add(Category.NOTED, Unit.MESSAGES, chat.file.name, text)
    if chat.started_text and chat.started is None:
        text = f"the start {chat.started_text[:40]!r} of {chat.session_id} is no time; its text is kept"
        report.add(Category.NOTED, Unit.CONVERSATIONS, chat.file.name, text)
    for one, time in zip(chat.said, _times(chat), strict=True):
        _keep(chat, one, time, report)
    if chat.started is None and chat.said:
        chat.started = min(message.timestamp for message in chat.messages.values())


def _keep(chat: Chat, said: Said, time: datetime, report: Report) -> None:
    message = NewMessage(
        speaker=said.speaker,
        message=without_nul(said.message),
        timestamp=time,
        timestamp_text=without_nul(said.time_text),
        context_level=said.context_level,
        stimuli_type=without_nul(said.stimuli_type),
        status="error" if said.speaker == "assistant" and said.message.startswith(ERROR) else "ok",
        metadata=said.metadata,
    )
    count = 0
    while (identity := (message.speaker, message.timestamp_text, message.message, count)) in chat.messages:
        if message.timestamp_text:
            text = f"said twice at {message.timestamp_text} in {chat.session_id}"
            report.add(Category.DUPLICATE, Unit.MESSAGES, chat.file.name, text)
            return
        count += 1
    chat.messages[identity] = message


def _times(chat: Chat) -> Iterator[datetime]:
    """The time of each utterance, else of the one before; at the beginning the start, the first known, the file's."""
    known = [one.time for one in chat.said if one.time]
    last = chat.started or (known[0] if known else chat.file.changed)
    for one in chat.said:
        last = one.time or last
        yield last


def _turn(file: File, number: int, turn: Any, report: Report) -> list[Said]:
    """A turn as the message of the user and the answer; an empty half is left out."""
    rest = dict(turn) if isinstance(turn, dict) else {"turn": turn}
    time, text = moment(rest.pop("timestamp", None))
    level = _level(rest)
    kind = _taken(rest, "stimuli_type", str, "") or _taken(rest, "feed_type", str, "")
    halves = [(speaker, rest.pop(speaker, None)) for speaker in ("user", "assistant")]
    said = [(speaker, half) for speaker, half in halves if half not in (None, "")]
    if not said and rest:
        said = [("system", turn)]
    if not said:
        report.add(Category.SKIPPED, Unit.MESSAGES, file.name, f"turn {number + 1} is empty")
    return [Said(speaker, _text(half), time, text, level, kind, dict(rest)) for speaker, half in said]


def _level(rest: dict[str, Any]) -> int | None:
    """The context level, taken out of a turn; one that is none of 1 to 3 stays in it."""
    level = rest.get("context_level")
    if isinstance(level, bool) or str(level) not in ("1", "2", "3"):
        return None
    return int(rest.pop("context_level"))


def _taken(rest: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    """A member, taken out if it has the expected type; any other value stays and so ends up in the metadata."""
    value = rest.get(name)
    if not isinstance(value, kind):
        return default
    return without_nul(rest.pop(name))


def _text(value: JSONValue) -> str:
    return value if isinstance(value, str) else jsontext.dump(value)


def without_nul(value: Any) -> Any:
    return value.replace("\0", "␀") if isinstance(value, str) else value


def _session_id(value: JSONValue) -> str:
    text = str(without_nul(_text(value)))
    if len(text.encode()) > MAX_ID_BYTES:
        raise NotAChat(f"the session id {text[:20]}... is longer than {MAX_ID_BYTES} bytes")
    return text


def _lines(raw: bytes) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
    """The lines of a text file that are JSON objects, and what is wrong with the others, by line number."""
    lines, bad = {}, {}
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = jsontext.load(line).value
        except NotAcceptable as error:
            bad[number] = folder.advice(error).removeprefix("line 1, ")
            continue
        if isinstance(value, dict) and "entry" in value:
            lines[number] = value
        else:
            bad[number] = "not a line of a chat: there is no `entry` in it"
    return lines, bad


def _report_no_chat(file: File, raw: bytes, bad: dict[int, str], report: Report) -> None:
    """A text without a chat is none of ours, unless it looks like a broken one. Raises NotAChat."""
    if raw.lstrip().startswith(b"{"):
        first = min(bad)
        raise NotAChat(f"line {first}, {bad[first]}")
    report.add(Category.SKIPPED, Unit.FILES, file.name, "no line of it is an entry of a chat")


class _Sessions:
    """The sessions of a text file, as its lines come in: it has several, and not every line says where it belongs."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.chats: dict[str, Chat] = {}
        self.starts = 0
        self.stem = self.current = folder.printable(file.stem)

    def take(self, line: dict[str, Any]) -> None:
        rest = {name: value for name, value in line.items() if name not in ("timestamp", "entry", "convo_id")}
        time, text = moment(line.get("timestamp"))
        start = _START.fullmatch(_text(line["entry"]))
        chat = self._chat(line.get("convo_id"), is_start=start is not None)
        if start and not chat.started_text:
            chat.started, chat.started_text = time, without_nul(text)
            chat.title = without_nul(start["name"] or "")
            chat.metadata |= rest
        else:
            chat.said += [Said(who, words, time, text, metadata=more | rest) for who, words, more in _entry(line)]

    def _chat(self, convo_id: JSONValue, *, is_start: bool) -> Chat:
        self.starts += is_start
        if convo_id not in (None, ""):
            session = _session_id(convo_id)
        else:
            session = f"{self.stem}-{self.starts}" if is_start else self.current
        if is_start:
            self.current = session
        return self.chats.setdefault(session, Chat(session, self.file, channel="cli"))


def _entry(line: dict[str, Any]) -> Sequence[tuple[str, str, dict[str, Any]]]:
    """Who said what in an entry, with metadata. What is nobody's is the system's, word for word."""
    entry = _text(line["entry"])
    said = _SAID.fullmatch(entry)
    if not said:
        return [("system", entry, _status(entry))]
    if said["who"] != "User":
        return [("assistant", said["text"], {})]
    answer = _ANSWER.search(said["text"])
    if not answer:
        return [("user", said["text"], {})]
    halves = [("user", said["text"][: answer.start()]), ("assistant", said["text"][answer.end() :])]
    return [(who, words, {}) for who, words in halves if words]


def _status(entry: str) -> dict[str, Any]:
    if not entry.startswith(_STATUS):
        return {}
    try:
        return {"agent_status": jsontext.load(entry.removeprefix(_STATUS).strip()).value}
    except NotAcceptable:
        return {}
