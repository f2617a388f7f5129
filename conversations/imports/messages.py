"""Messages as another program tells them, on their way to a chat: with a speaker, a time and a name that Nola knows."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from conversations.drafts import SPEAKERS, NewMessage
from conversations.imports.legacy_chat_files import IMPORTED, Chat, parse_session_id, parse_time, replace_nul
from state.files.sources import SourceFile
from state.jsondoc.budget import spend_work
from state.jsondoc.text import dump_json
from state.report import Category, Report, Unit

SPOKEN = {
    "human": "user", "ai": "assistant", "bot": "assistant", "model": "assistant", "nola": "assistant",
    "developer": "system", "function": "tool",
}  # fmt: skip
LOST = "\0"  # stands for a parent that a file names and does not have


@dataclass(slots=True)
class ChatReading:
    """The file that is read, where in it, and what is to be said of it."""

    file: SourceFile
    number: int
    report: Report

    def note(self, unit: Unit, text: str, count: int = 1, category: Category = Category.NOTED) -> None:
        self.report.add(category, unit, self.file.name, text, count)


@dataclass(slots=True)
class SourceMessage:
    """A message as a source has it. `parent` is the id of the message before it, "" for none or not said."""

    ref: str
    speaker: str
    text: str
    time: datetime | None
    time_text: str
    parent: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


def start_chat(
    value: Mapping[str, Any], reading: ChatReading, ids: tuple[str, ...], started: str, source: str, default: str = ""
) -> Chat:
    given = next((value[name] for name in ids if value.get(name)), None)
    chat = Chat(name_session(given or default, reading), reading.file, source=source)
    chat.channel = source.lower() if source in ("ChatGPT", "Claude") else "import"
    chat.started, chat.started_text = parse_time(value.get(started))
    chat.updated, _ = parse_time(value.get("update_time") or value.get("updated_at"))
    return chat


def name_session(value: Any, reading: ChatReading) -> str:
    """A session id as a file has it, else one by the file and where in it. Raises NotAChat."""
    return parse_session_id(value, f"{reading.file.stem}-{reading.number}")


def make_message(
    ref: str, role: Any, text: str, time: datetime | None, time_text: str, parent: str, metadata: Mapping[str, Any]
) -> SourceMessage:
    """A message with a speaker that Nola knows; any other role is the system's, and kept in the metadata."""
    spend_work()
    spelt = read_text(role).lower()
    speaker = SPOKEN.get(spelt, spelt)
    kept = {name: value for name, value in metadata.items() if value not in (None, "", [], {}, False)}
    if speaker not in SPEAKERS:
        speaker, kept = "system", {"role": role} | kept
    return SourceMessage(ref, speaker, str(replace_nul(text)), time, str(replace_nul(time_text)), parent, kept)


def settle_messages(chat: Chat, told: list[SourceMessage], reading: ChatReading, *, keep_parents: bool = False) -> None:
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
    if roles := Counter(read_text(one.metadata["role"]) for one in told if "role" in one.metadata):
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


def read_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def read_text(value: Any) -> str:
    return str(replace_nul(value)) if isinstance(value, str) else "" if value is None else dump_json(value)


def find_kept(ref: str, answered: Mapping[str, str], kept: Mapping[str, SourceMessage]) -> str:
    """The nearest message upwards that is kept, "" if there is none; LOST if one on the way is not in the file.

    `answered` has the id of the message before each one of the file, also of those without a word in them.
    """
    seen: set[str] = set()
    while ref and ref not in kept:
        if ref not in answered or ref in seen:
            return LOST
        seen.add(ref)
        ref = answered[ref]
    return ref


def settle_parents(parents: Mapping[str, str], session_id: str, reading: ChatReading) -> dict[str, str]:
    """The message that each one answers, "" for none said. One that cannot be linked begins the talk: it answers
    itself. That is so where the parent is LOST, or where messages answer each other in a circle; both are reported.
    """
    found = {name: name if parent == LOST else parent for name, parent in parents.items()}
    circles = 0
    done: set[str] = set()
    for one in parents:
        path: set[str] = set()
        while one and one not in done and one not in path:
            path.add(one)
            one = "" if found[one] == one else found[one]
        if one in path:
            found[one] = one
            circles += 1
        done |= path
    if lost := sum(parent == LOST for parent in parents.values()):
        text = f"messages of {session_id} answer one that is not in the file; they begin the talk anew"
        reading.note(Unit.MESSAGES, text, lost)
    if circles:
        text = f"messages of {session_id} answer each other in a circle, which is cut where they begin the talk anew"
        reading.note(Unit.MESSAGES, text, circles)
    return found


def settle_tree(chat: Chat, told: Mapping[str, SourceMessage], leaf: str, reading: ChatReading) -> None:
    """Parents are kept where talk branches, or an answer is older than what it answers; else the time says it all."""
    parents = settle_parents({ref: one.parent for ref, one in told.items()}, chat.session_id, reading)
    for ref, one in told.items():
        one.parent = "" if parents[ref] == ref else parents[ref]
    is_branched = any(count > 1 for count in Counter(one.parent for one in told.values()).values())
    if is_branched:
        text = f"{chat.session_id} has branches: all are kept, the current one is shown"
        reading.note(Unit.CONVERSATIONS, text, 1)
        chat.leaf = IMPORTED + leaf if leaf else ""
    keep_parents = is_branched or any(_is_older(one, told.get(one.parent)) for one in told.values())
    settle_messages(chat, list(_downwards(told)), reading, keep_parents=keep_parents)


def _is_older(one: SourceMessage, answered: SourceMessage | None) -> bool:
    return bool(answered and one.time and answered.time and one.time < answered.time)


def _downwards(told: Mapping[str, SourceMessage]) -> Iterator[SourceMessage]:
    """The messages of a tree, each after the one it answers."""
    kids: dict[str, list[str]] = {}
    for ref, one in told.items():
        kids.setdefault(one.parent, []).append(ref)
    stack = kids.get("", [])[::-1]
    while stack:
        ref = stack.pop()
        yield told[ref]
        stack += reversed(kids.get(ref, []))


def read_content(content: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The text of a content, and the names of the files in it."""
    parts = content.get("parts")
    if isinstance(parts, list):
        texts = [one if isinstance(one, str) else read_text(read_object(one).get("text")) for one in parts]
        files = [read_text(one.get("asset_pointer")) for one in parts if isinstance(one, dict)]
        return "\n".join(text for text in texts if text), [name for name in files if name]
    for name in ("text", "result", "content"):
        if isinstance(content.get(name), str):
            return str(content[name]), []
    rest = {name: value for name, value in content.items() if name != "content_type"}
    return (dump_json(rest) if any(rest.values()) else ""), []
