"""The chat files of the JSON-file predecessor, as plain data. Pure reading: nothing here writes.

Two shapes: a JSON document with `turns`, and a text file with one JSON line per entry that may hold several sessions.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from conversations.drafts import NewMessage
from conversations.imports.local_paths import make_relative
from conversations.imports.times import parse_time
from state.files.sources import SourceFile, explain_error
from state.jsondoc.budget import spend_work
from state.jsondoc.text import JSONValue, NotAcceptable, dump_json, parse_json
from state.report import Category, Report, Unit, make_printable

TALK = {"stimuli", "feeds"}  # the folders that conversations lie in
MAX_ID_BYTES = 512
ERROR = "[Error generating response"
IMPORTED = "import:"  # how the client id of an imported message begins
_START = re.compile(r"Conversation started(?:,\s*(?P<name>.*?))?\.?\s*", re.DOTALL)
_SAID = re.compile(r"(?P<who>User|Nola|Assistant): ?(?P<text>.*)", re.DOTALL)
_ANSWER = re.compile(r"\n(?:Nola|Assistant): ")
_STATUS = "Agent status requested:"
_UTTERANCE = re.compile(rb'"entry"\s*:\s*"(?:User|Nola|Assistant|Agent status|User ended)\b')
HELD = "could not be attributed, since this line may have started a conversation; correct it and import again"


class NotAChat(ValueError):
    """A file that should hold a conversation and does not; says why."""


@dataclass(slots=True)
class Utterance:
    """One utterance as a file has it. `time` is None where the file has none that can be read; `whole` is all of the
    turn or line that it is from.
    """

    speaker: str
    message: str
    time: datetime | None
    time_text: str
    context_level: int | None = None
    stimuli_type: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    whole: str = ""


@dataclass(slots=True)
class Chat:
    """One session of one file, or of several that were found to be the same. None and "" say that no file has it.

    Messages are kept by their identity, which is their `client_id` too.
    """

    session_id: str
    file: SourceFile
    title: str = ""
    channel: str = ""
    started: datetime | None = None
    started_text: str = ""
    archived: bool | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    said: list[Utterance] = field(default_factory=list)
    messages: dict[str, NewMessage] = field(default_factory=dict)
    source: str | None = None  # where it comes from, if not from the file
    leaf: str = ""  # of branches, the name of the message that ends the current one
    updated: datetime | None = None  # when its source says that it was last changed
    place: str = ""  # in the file, as a report names it

    @property
    def where(self) -> str:
        return self.place or self.file.name


def may_hold_talk(file: SourceFile) -> bool:
    """Whether text files here may be chats."""
    return bool(TALK.intersection(file.folders))


def must_hold_chats(file: SourceFile) -> bool:
    """Whether JSON files here must be chats."""
    return may_hold_talk(file) and "conversations" in file.folders


def is_chat(file: SourceFile, value: JSONValue) -> bool:
    """Whether a JSON document is a conversation, by its shape. Raises NotAChat where it has to be one."""
    if isinstance(value, dict) and isinstance(value.get("turns"), list):
        if "session_id" in value or must_hold_chats(file):
            return True
    elif must_hold_chats(file):
        found = "no list `turns`" if isinstance(value, dict) else "not an object"
        raise NotAChat(f"not a conversation: {found}; move the file elsewhere if it is state")
    return False


def read_turns(
    file: SourceFile, value: dict[str, Any], report: Report, known: AbstractSet[str] = frozenset(), default: str = ""
) -> Chat:
    """The conversation of a JSON file; `known` are the files there are. `default` names it. Raises NotAChat."""
    rest = make_relative(value, known)
    turns = rest.pop("turns")
    chat = Chat(parse_session_id(rest.pop("session_id", None), default or make_printable(file.stem)), file)
    chat.title = _taken(rest, "name", str, "")
    chat.channel = _taken(rest, "channel", str, "")
    chat.archived = _taken(rest, "archived", bool, None)
    chat.started, chat.started_text = parse_time(rest.pop("started", None))
    chat.metadata = rest
    for number, turn in enumerate(turns):
        spend_work()
        chat.said += _turn(file, number, turn, report)
    settle_utterances(chat, report)
    return chat


def read_lines(file: SourceFile, raw: bytes, report: Report, known: AbstractSet[str] = frozenset()) -> list[Chat]:
    """The sessions of a text file, none if it is no chat. A line that cannot be read is reported. Raises NotAChat."""
    lines, bad = _lines(raw)
    if not any("entry" in line for line in lines.values()):
        _report_no_chat(file, raw, bad, report)
        return []
    for number, one in bad.items():
        report.add(Category.FAILED, Unit.MESSAGES, f"{file.name}:{number}", one.reason)
    sessions = _Sessions(file, known)
    for number in sorted(lines.keys() | bad.keys()):
        try:
            if number in bad:
                sessions.pass_over(number, bad[number].raw)
            else:
                sessions.take(lines[number])
        except NotAChat as error:
            report.add(Category.FAILED, Unit.MESSAGES, f"{file.name}:{number}", str(error))
            sessions.pass_over(number, dump_json(lines[number]).encode())
    for number, count in sessions.held.items():
        report.add(Category.READ, Unit.MESSAGES, file.name, "", count)
        report.add(Category.FAILED, Unit.MESSAGES, f"{file.name}:{number}", f"{count} messages after it {HELD}", count)
    for chat in sessions.chats.values():
        settle_utterances(chat, report)
    return list(sessions.chats.values())


def identify_message(speaker: str, time_text: str, text: str, number: int) -> str:
    """By what an import knows a message again, even if somebody edits it; `number` tells repeats apart."""
    whole = dump_json([speaker, time_text, text, number])
    return f"{IMPORTED}{hashlib.sha256(whole.encode()).hexdigest()[:32]}"


def settle_utterances(chat: Chat, report: Report) -> None:
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
    _keep_all(chat, report)
    if chat.started is None and chat.said:
        chat.started = min(message.timestamp for message in chat.messages.values())


def _keep_all(chat: Chat, report: Report) -> None:
    """Number what is said again. Two equal turns at one time are one, unless nothing says when they were."""
    seen: set[tuple[str, str, str]] = set()
    repeats: Counter[tuple[str, str, str]] = Counter()
    for one, time in zip(chat.said, _times(chat), strict=True):
        turn = (one.whole, one.speaker, one.message)
        if one.time_text and turn in seen:
            text = f"said twice at {one.time_text} in {chat.session_id}"
            report.add(Category.DUPLICATE, Unit.MESSAGES, chat.file.name, text)
            continue
        seen.add(turn)
        message = _message(one, time)
        base = (message.speaker, message.timestamp_text, message.message)
        name = identify_message(*base, repeats[base])
        repeats[base] += 1
        chat.messages[name] = replace(message, client_id=name)


def _message(said: Utterance, time: datetime) -> NewMessage:
    return NewMessage(
        speaker=said.speaker,
        message=replace_nul(said.message),
        timestamp=time,
        timestamp_text=replace_nul(said.time_text),
        context_level=said.context_level,
        stimuli_type=replace_nul(said.stimuli_type),
        status="error" if said.speaker == "assistant" and said.message.startswith(ERROR) else "ok",
        metadata=said.metadata,
    )


def _times(chat: Chat) -> Iterator[datetime]:
    """The time of each utterance, else of the one before; at the beginning the start, the first known, the file's."""
    known = [one.time for one in chat.said if one.time]
    last = chat.started or (known[0] if known else chat.file.changed)
    for one in chat.said:
        last = one.time or last
        yield last


def _turn(file: SourceFile, number: int, turn: Any, report: Report) -> list[Utterance]:
    """A turn as the message of the user and the answer; an empty half is left out."""
    rest = dict(turn) if isinstance(turn, dict) else {"turn": turn}
    time, text = parse_time(rest.pop("timestamp", None))
    level = _level(rest)
    kind = _taken(rest, "stimuli_type", str, "") or _taken(rest, "feed_type", str, "")
    halves = [(speaker, rest.pop(speaker, None)) for speaker in ("user", "assistant")]
    said = [(speaker, half) for speaker, half in halves if half not in (None, "")]
    if not said and rest:
        said = [("system", turn)]
    if not said:
        report.add(Category.SKIPPED, Unit.MESSAGES, file.name, f"turn {number + 1} is empty")
    whole = dump_json(turn)
    return [Utterance(speaker, _text(half), time, text, level, kind, dict(rest), whole) for speaker, half in said]


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
    return replace_nul(rest.pop(name))


def _text(value: JSONValue) -> str:
    return value if isinstance(value, str) else dump_json(value)


def replace_nul(value: Any) -> Any:
    return value.replace("\0", "␀") if isinstance(value, str) else value


def parse_session_id(value: JSONValue, default: str) -> str:
    """A session id as a file has it, in whatever type. Raises NotAChat."""
    text = str(replace_nul(default if value in (None, "") else _text(value)))
    if len(text.encode()) > MAX_ID_BYTES:
        raise NotAChat(f"the session id {text[:20]}... is longer than {MAX_ID_BYTES} bytes")
    return text


@dataclass(frozen=True, slots=True)
class _BadLine:
    raw: bytes
    reason: str


def _lines(raw: bytes) -> tuple[dict[int, dict[str, Any]], dict[int, _BadLine]]:
    """The lines of a text file that are entries, and what is wrong with the others, by line number."""
    lines, bad = {}, {}
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = parse_json(line).value
        except NotAcceptable as error:
            bad[number] = _BadLine(line, explain_error(error).removeprefix("line 1, "))
            continue
        if isinstance(value, dict) and "entry" in value:
            lines[number] = value
        else:
            bad[number] = _BadLine(line, "not a line of a chat: there is no `entry` in it")
    return lines, bad


def _report_no_chat(file: SourceFile, raw: bytes, bad: dict[int, _BadLine], report: Report) -> None:
    """A text without a chat is none of ours, unless it looks like a broken one. Raises NotAChat."""
    if raw.lstrip().startswith(b"{"):
        first = min(bad)
        raise NotAChat(f"line {first}, {bad[first].reason}")
    report.add(Category.SKIPPED, Unit.FILES, file.name, "no line of it is an entry of a chat")


class _Sessions:
    """The sessions of a text file, as its lines come in: it has several, and not every line says where it belongs."""

    def __init__(self, file: SourceFile, known: AbstractSet[str]) -> None:
        self.file, self.known = file, known
        self.chats: dict[str, Chat] = {}
        self.started: set[str] = set()
        self.stem = make_printable(file.stem)
        self.current = self.stem
        self.doubtful = 0  # the bad line since which `current` is not sure
        self.held: Counter[int] = Counter()  # messages, by that line

    def pass_over(self, number: int, raw: bytes) -> None:
        """A line that cannot be read: unless it clearly is an utterance, it may have started a session."""
        if b"Conversation started" in raw or not _UTTERANCE.search(raw):
            self.doubtful = number

    def take(self, line: dict[str, Any]) -> None:
        line = make_relative(line, self.known)
        rest = {name: value for name, value in line.items() if name not in ("timestamp", "entry", "convo_id")}
        time, text = parse_time(line.get("timestamp"))
        start = _START.fullmatch(_text(line["entry"]))
        session = self._session(line.get("convo_id"), text, is_start=start is not None)
        said = [] if start and session not in self.started else _entry(line)
        if not session:
            self.held[self.doubtful] += len(said)
            return
        chat = self.chats.setdefault(session, Chat(session, self.file, channel="cli"))
        if start and session not in self.started:
            self.started.add(session)
            chat.started, chat.started_text = time, replace_nul(text)
            chat.title = replace_nul(start["name"] or "")
            chat.metadata |= rest
        whole = dump_json([text, line["entry"], rest])
        chat.said += [Utterance(who, words, time, text, metadata=more | rest, whole=whole) for who, words, more in said]

    def _session(self, convo_id: JSONValue, time: str, *, is_start: bool) -> str:
        """The session of a line: its own, or the current one; "" if that is in doubt."""
        default = f"{self.stem}-{make_printable(time)}".rstrip("-") if is_start else self.current
        session = parse_session_id(convo_id, default)
        if is_start:
            self.current, self.doubtful = session, 0
        return "" if self.doubtful and convo_id in (None, "") else session


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
        return {"agent_status": parse_json(entry.removeprefix(_STATUS).strip()).value}
    except NotAcceptable:
        return {}
