"""Messages as another program tells them, on their way to a chat: with a speaker, a time and a name that Nola knows.

Readers say what stands in a file; what is left out, renamed or linked anew is decided here, for all of them alike.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from conversations.append import SKEW
from conversations.drafts import SPEAKERS, NewMessage
from conversations.imports.blocks import Content, show_text
from conversations.imports.legacy_chat_files import IMPORTED, Chat, parse_session_id, replace_nul
from conversations.imports.times import is_naive, parse_time
from conversations.parts import MEMBERS
from state.files.sources import SourceFile
from state.jsondoc.budget import spend_work
from state.jsondoc.text import JSONValue, dump_json
from state.report import Category, Report, Unit

MOMENT = timedelta(microseconds=1)
LATE = SKEW * MOMENT
SPOKEN = {
    "human": "user", "prompter": "user", "user_message": "user",
    "ai": "assistant", "bot": "assistant", "model": "assistant", "nola": "assistant", "gpt": "assistant",
    "chatgpt": "assistant", "claude": "assistant", "gemini": "assistant", "bing": "assistant", "bard": "assistant",
    "function_call": "assistant", "tool_call": "assistant",
    "developer": "system", "function": "tool", "observation": "tool", "ipython": "tool", "function_response": "tool",
}  # fmt: skip
UPDATED = ("update_time", "updated_at", "updatedAt", "updateTime")  # when a conversation was last changed
LISTS = {"attachments", "parts", "citations"}  # members that a content and what stands beside it may both have
LOST = "\0"  # stands for a parent that a file names and does not have
MOST_CALLS = 10_000  # that are remembered of a file
SHOWN_PLACES = 3  # of what was left out
UNTIMED = "messages without a readable time have that of the message before"
ZONELESS = "times without a zone are taken as local, in NOLA_TIME_ZONE"
BESIDE_TEXT = "parts that are no text, such as calls of tools, are kept beside it"
COUNTED = ("parts", "tool_calls", "pastes", "quotes")  # members that hold them
NOTED = {*COUNTED, "attachments", "hidden", "role"}
ATTACHED = "attachments: their names are kept, the files are not"
HIDDEN_ONES = "hidden ones, such as thoughts, are kept, folded, and out of a prompt"
FILES = "files inside messages, as base64: that they were there is kept, their bytes are not"
EMPTY = "empty messages, without a word in them"


@dataclass(slots=True)
class Note:
    """What is to be said of a conversation, how often, and where in it at first."""

    count: int = 0
    places: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ChatReading:
    """The file that is read, where in it, and what is to be said of that."""

    file: SourceFile
    number: int | str
    stem: str  # of the name of the file, which names what has no name of its own
    notes: dict[tuple[Category, Unit, str], Note] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)  # which tool was called under which id, in all of the file

    @property
    def place(self) -> str:
        return f"{self.file.name}:{self.number}"

    def note(
        self, unit: Unit, text: str, count: int = 1, category: Category = Category.NOTED, at: Iterable[str] = ()
    ) -> None:
        one = self.notes.setdefault((category, unit, text), Note())
        one.count += count
        one.places += list(at)[: SHOWN_PLACES + 1 - len(one.places)] if len(one.places) <= SHOWN_PLACES else []

    def leave_out(self, text: str, at: Sequence[str] = (), count: int = 0, unit: Unit = Unit.MESSAGES) -> None:
        """Say what of the file does not come over, and where it stands."""
        self.note(unit, text, count or len(at), Category.SKIPPED, at)


def report_notes(notes: Mapping[tuple[Category, Unit, str], Note], place: str, report: Report) -> None:
    """Put what is to be said of a conversation into the report."""
    for (category, unit, text), one in notes.items():
        shown = ", ".join(one.places[:SHOWN_PLACES]) + (", ..." if len(one.places) > SHOWN_PLACES else "")
        report.add(category, unit, f"{place} ({shown})" if shown else place, text, one.count)


class ImportedState(NamedTuple):
    """What a file holds that is no talk: a document of the state, by what is to be the end of its key's name."""

    name: str
    value: JSONValue


Read = list[Chat | ImportedState]


class Reader(NamedTuple):
    """How one program's files are told from all others, and how they are read.

    A reader that gathers gets all the values of a file that it claims at once, with their numbers: they are lines of
    a few conversations. A service has one account: all its files are versions of one.
    """

    name: str
    claims: Callable[[dict[str, Any]], bool]
    read: Callable[[Any, ChatReading], Read]
    gathers: bool = False
    is_service: bool = False
    goes_on: Callable[[dict[str, Any]], bool] = lambda value: False  # with a line that another would claim alone


@dataclass(slots=True)
class SourceMessage:
    """A message as a source has it. `parent` is the id of the message before it, "" for none, None for not said."""

    ref: str
    speaker: str
    text: str
    time: datetime | None
    time_text: str
    parent: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    files: int = 0  # whose bytes were left out
    is_empty: bool = False
    is_node: bool = False  # of the tree, with no message
    place: str = ""  # where it stands, if its id does not say it


def start_chat(
    value: Mapping[str, Any], reading: ChatReading, ids: tuple[str, ...], started: str, source: str, default: str = ""
) -> Chat:
    given = next((value[name] for name in ids if value.get(name)), None)
    chat = Chat(name_session(given or default, reading), reading.file, source=source)
    chat.channel = "import" if source == reading.file.name else source.lower()
    chat.started, chat.started_text = parse_time(value.get(started))
    chat.updated, _ = parse_time(next((value[name] for name in UPDATED if value.get(name)), None))
    return chat


def name_session(value: Any, reading: ChatReading) -> str:
    """A session id as a file has it, else one by the file and where in it. Raises NotAChat."""
    return parse_session_id(value, f"{reading.stem}-{reading.number}")


def make_message(
    ref: Any,
    role: Any,
    content: Content | str,
    time: JSONValue,
    parent: str | None = None,
    more: Mapping[str, Any] | None = None,
    hidden: str = "",
) -> SourceMessage:
    """A message with a speaker that Nola knows; any other role is the system's, and kept in the metadata.

    Of `more` every member is kept that is not None. `hidden` says why it is not shown at first, if it is not.
    """
    spend_work()
    found = content if isinstance(content, Content) else Content([content])
    spelt = role.strip().lower() if isinstance(role, str) else show_text(role)
    speaker = SPOKEN.get(spelt, spelt)
    kept = {name: value for name, value in more.items() if value is not None} if more else {}
    if speaker not in SPEAKERS:
        speaker, kept = "system", ({"role": role} if role is not None else {}) | kept
    if found.is_result and speaker == "user":
        speaker = "tool"
    of_content = found.metadata()
    for name in of_content.keys() & LISTS:
        if isinstance(kept.get(name), list):
            of_content[name] = [*of_content[name], *(one for one in kept[name] if one not in of_content[name])]
    kept |= of_content
    if hidden:
        kept["hidden"] = hidden
    moment, time_text = parse_time(time)
    text = str(replace_nul(found.text))
    return SourceMessage(
        show_text(ref), speaker, text, moment, str(replace_nul(time_text)), parent, kept, found.files,
        is_empty=not text.strip() and not any(kept.get(name) for name in MEMBERS),
    )  # fmt: skip


def make_ref(*said: Any) -> str:
    """A name for a message that has none, by what is said of it."""
    return hashlib.sha256(dump_json(list(said)).encode()).hexdigest()[:32]


def present(**members: Any) -> dict[str, Any]:
    """The members that say something."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}


def pick(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The members of these names that are there and not null, whatever they say."""
    return {name: value[name] for name in names if value.get(name) is not None}


def read_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def read_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


read_text = show_text


def settle(chat: Chat, rows: Iterable[SourceMessage], reading: ChatReading, leaf: str = "") -> Chat:
    """Take the messages of a chat, all that the file has: those that are empty are left out, and said so; who answered
    one of them answers what is before it. `leaf` is the id of the message that ends the branch in use.
    """
    told = _name_all(rows, chat, reading)
    name_results(told.values(), reading)
    kept = {ref: one for ref, one in told.items() if not one.is_empty}
    if empty := [ref for ref, one in told.items() if one.is_empty and not one.is_node]:
        reading.leave_out(EMPTY, [told[ref].place or ref for ref in empty])
    if any(one.parent is not None for one in told.values()):
        before = _find_parents(told)
        for ref, one in kept.items():
            one.parent = find_kept(before[ref], before, kept)
        last = find_kept(leaf, before, kept) if leaf else ""
        _settle_tree(chat, kept, last if last in kept else next(reversed(kept), ""), reading)
    else:
        settle_messages(chat, list(kept.values()), reading)
    return chat


def name_results(rows: Iterable[SourceMessage], reading: ChatReading) -> None:
    """Say which tool gave a result, where the message that called it is there, or came before in the file."""
    names = reading.calls
    if len(names) > MOST_CALLS:
        names.clear()
    for one in rows:
        for member in ("tool_calls", "parts"):
            for call in read_list(one.metadata.get(member)) if member in one.metadata else ():
                names.update(_named_calls(read_object(call)))
        if one.speaker == "tool" and "name" not in one.metadata:
            ref = one.metadata.get("tool_call_id")
            if isinstance(ref, str) and ref in names:
                one.metadata["name"] = names[ref]


def _named_calls(call: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The ids of a call, with the name of the tool."""
    name = call.get("name") or read_object(call.get("function")).get("name")
    if isinstance(name, str):
        yield from ((call[key], name) for key in ("id", "call_id") if isinstance(call.get(key), str))


def _find_parents(told: Mapping[str, SourceMessage]) -> dict[str, str]:
    """The message before each one: the one it says, else the one that comes before it."""
    found, last = {}, ""
    for ref, one in told.items():
        found[ref] = last if one.parent is None else one.parent
        last = ref
    return found


def _name_all(rows: Iterable[SourceMessage], chat: Chat, reading: ChatReading) -> dict[str, SourceMessage]:
    """The messages by their ids. Of two that say the same under one, the second is left out; else both are kept."""
    told: dict[str, SourceMessage] = {}
    for one in rows:
        ref, number = one.ref, 1
        while (other := told.get(one.ref)) is not None:
            if (one.speaker, one.text, one.time_text, one.metadata) == (
                other.speaker, other.text, other.time_text, other.metadata,
            ):  # fmt: skip
                reading.note(Unit.MESSAGES, f"said twice at one time in {chat.session_id}", 1, Category.DUPLICATE)
                break
            number += 1
            one.ref = f"{ref}~{number}"
        told.setdefault(one.ref, one)
    return told


def settle_messages(chat: Chat, told: list[SourceMessage], reading: ChatReading, *, keep_parents: bool = False) -> None:
    """Give each message a time: its own, else that of the one it answers, or comes after.

    In a list without links, a clock that is a little behind that of the message before answers it, as by the API.
    """
    times: dict[str, datetime] = {}
    is_list = not keep_parents and not _is_newest_first(told)
    reached, before = None, ""  # what the message before it stands at, and its name
    first = chat.started or next((one.time for one in told if one.time), reading.file.changed)
    last = first
    for one in told:
        last = one.time or times.get(one.parent or "", last)
        times[one.ref] = last
        name = IMPORTED + one.ref
        parent = IMPORTED + (one.parent or one.ref) if keep_parents else ""  # its own: it begins the talk
        if is_list and reached and last < reached <= last + LATE:
            parent = before
        reached, before = max(last, reached + MOMENT) if parent and reached else last, name
        chat.messages[name] = NewMessage(
            one.speaker, one.text, last, one.time_text, client_id=name, metadata=one.metadata, ref=name, parent=parent
        )
    if chat.started is None and chat.messages:
        chat.started = min(one.timestamp for one in chat.messages.values())
    _note_all(told, reading)


def _is_newest_first(told: Sequence[SourceMessage]) -> bool:
    """Whether a list goes back in time; two messages, the user's first, do not."""
    times = [one.time for one in told if one.time]
    back = sum(after < before for before, after in pairwise(times))
    if not times or times[-1] >= times[0] or (len(times) == 2 and told[0].speaker == "user"):
        return False
    return 2 * back > len(times) - 1


def _note_all(told: Sequence[SourceMessage], reading: ChatReading) -> None:
    """Say what of the messages came otherwise than it is in the file."""
    untimed = sum(one.time is None for one in told)
    zoneless = sum(one.time is not None and is_naive(one.time_text) for one in told)
    found = [(UNTIMED, untimed), (ZONELESS, zoneless)]
    if noted := [one for one in told if not NOTED.isdisjoint(one.metadata)]:
        members = {name: [one.metadata[name] for one in noted if name in one.metadata] for name in NOTED}
        parts = sum(len(read_list(value)) for name in COUNTED for value in members[name])
        names = sum(len(read_list(value)) for value in members["attachments"])
        found += [(BESIDE_TEXT, parts), (ATTACHED, names), (HIDDEN_ONES, sum(map(bool, members["hidden"])))]
        if roles := Counter(map(show_text, members["role"])):
            text = f"of roles Nola does not know ({', '.join(roles)}) are kept as system"
            found.append((text, roles.total()))
    for text, count in found:
        if count:
            reading.note(Unit.MESSAGES, text, count)
    for one in told:
        if one.files:
            reading.leave_out(FILES, [one.place or one.ref], one.files)


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


def _settle_tree(chat: Chat, told: Mapping[str, SourceMessage], leaf: str, reading: ChatReading) -> None:
    """Parents are kept where talk branches, or an answer is older than what it answers; else the time says it all."""
    parents = settle_parents({ref: one.parent or "" for ref, one in told.items()}, chat.session_id, reading)
    for ref, one in told.items():
        one.parent = "" if parents[ref] == ref else parents[ref]
    is_branched = any(count > 1 for count in Counter(one.parent for one in told.values()).values())
    if is_branched:
        text = f"{chat.session_id} has branches: all are kept, the current one is shown"
        reading.note(Unit.CONVERSATIONS, text, 1)
        chat.leaf = IMPORTED + leaf if leaf else ""
    keep_parents = is_branched or any(_is_older(one, told.get(one.parent or "")) for one in told.values())
    settle_messages(chat, list(_downwards(told)), reading, keep_parents=keep_parents)


def _is_older(one: SourceMessage, answered: SourceMessage | None) -> bool:
    return bool(answered and one.time and answered.time and one.time < answered.time)


def _downwards(told: Mapping[str, SourceMessage]) -> Iterator[SourceMessage]:
    """The messages of a tree, each after the one it answers."""
    kids: dict[str, list[str]] = {}
    for ref, one in told.items():
        kids.setdefault(one.parent or "", []).append(ref)
    stack = kids.get("", [])[::-1]
    while stack:
        ref = stack.pop()
        yield told[ref]
        stack += reversed(kids.get(ref, []))
