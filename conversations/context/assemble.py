"""The context of a prompt: sections of the state, the last messages and what was found, in a number of tokens.

What belongs to the state is chosen without regard to what was said, within a room of its own, and stands first: however
the talk goes on, the text before it stays the same, and so do the caches of those who serve models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from access.rights import Grant, Right
from conversations.context.messages import list_sessions, read_last_messages, search_past
from conversations.models import Message
from conversations.parts import THINKING, list_parts
from conversations.search.messages import MessageHit
from conversations.search.state_leaves import StateLeaf, search_leaves
from conversations.search.tokenize import SearchTerm, parse_terms
from state.address import Address
from state.context.budget import BudgetForm, Section, list_forms, pick_forms
from state.context.sections import Moment, Renderings, SectionForm, read_moment, read_section_text, render_forms
from state.context.tokens import CHARACTERS, count_tokens, estimate_tokens
from state.context.weights import SETTINGS, WEIGHTS, parse_weights
from state.history import past
from state.jsondoc.markdown import render_heading, render_item
from state.jsondoc.projection import Places
from state.jsondoc.text import JSONValue, dump_json

PART = 200  # characters of what stands beside a message
MOST_TOLD = 200  # sections that a report names as left out


@dataclass(frozen=True, slots=True)
class ContextRequest:
    """What a context is to hold. No addresses: all keys. `talk` are the tokens for messages and what is found.

    Of the state and of conversations, what `grant` does not let be read is left out, as if it were not there.
    """

    addresses: Sequence[Address]
    level: int
    budget: int
    talk: int
    form: SectionForm
    conversation: str | None = None
    messages: int = 0
    q: str | None = None
    hits: int = 0
    at: str | None = None
    hidden: bool = False  # with messages that are hidden, and thoughts
    grant: Grant = field(kw_only=True)

    @property
    def places(self) -> Places | None:
        return Places(self.grant.places) if self.grant.places else None

    @property
    def keys(self) -> Sequence[str] | None:
        """The keys of the state that are needed; None for all of them."""
        if Right.READ_STATE not in self.grant.rights:
            return []
        return [one.key for one in self.addresses] + [WEIGHTS] if self.addresses else None


class Context(NamedTuple):
    """The report, whose member `text` is for the model, and the conversations whose words are in it."""

    report: dict[str, JSONValue]
    sessions: list[str]


class _ContextPart(NamedTuple):
    """A piece of the text, and what the report says of it."""

    text: str
    report: dict[str, JSONValue]
    sessions: list[str] = []


class _ContextRoom(NamedTuple):
    """Characters for each part. None of them depends on what another one takes, so that more is never less."""

    state: int
    messages: int
    found: int


def assemble_context(asked: ContextRequest) -> Context:
    """The context at one revision. The same revision and the same request give the same report, to the byte.

    Raises log.UnknownTalk, log.DeletedTalk, BadSearch, replay.UnknownMoment, replay.GoneRevision, and NotAllowed if
    what is named may not be read.
    """
    if asked.addresses:
        asked.grant.require(Right.READ_STATE)
    if asked.conversation is not None:
        asked.grant.require(Right.READ_CONVERSATIONS)
    terms = None if asked.q is None else parse_terms(asked.q)
    now = read_moment(asked.at, asked.keys, asked.places)
    room = _room(asked)
    state = _state(asked, now, room.state) if Right.READ_STATE in asked.grant.rights else _ContextPart("", {})
    said = _said(asked, asked.conversation, now, room.messages) if asked.conversation is not None else None
    found = _found(asked, terms, now, room.found) if terms else None
    parts = [part for part in (said, found) if part]
    text = _joined(asked.form, state.text, [part.text for part in parts])
    report: dict[str, JSONValue] = {
        "revision": now.revision,
        "format": asked.form,
        "level": asked.level,
        "budget": asked.budget,
        "tokens": count_tokens(text),
        **state.report,
    }
    report |= {name: part.report for name, part in (("messages", said), ("found", found)) if part}
    return Context(report | {"text": text}, sorted({one for part in parts for one in part.sessions}))


def _room(asked: ContextRequest) -> _ContextRoom:
    usable = max(0, CHARACTERS * asked.budget - (len(EMPTY_JSON) if asked.form == "json" else 0))
    talk = min(CHARACTERS * asked.talk, usable)
    found = 0 if asked.q is None else talk // 4 if asked.conversation is not None else talk
    return _ContextRoom(usable - talk, talk - found, found)


# The state


def _state(asked: ContextRequest, now: Moment, room: int) -> _ContextPart:
    addresses = asked.addresses or [Address(key) for key in now.keys if key not in SETTINGS]
    weighed = parse_weights(now)
    rendered = render_forms(now, addresses, asked.form)
    there = [one for one in addresses if min(rendered[one], default=4) <= asked.level]
    offered = [Section(weighed.find_weight(one), _forms(rendered[one], asked.level)) for one in there]
    picked = pick_forms(offered, room)
    blocks: list[str] = []
    shown: list[JSONValue] = []
    chosen = list(zip(there, offered, picked.forms, strict=True))
    for address, section, form in chosen:
        if form is not None:
            level, size = section.forms[form]
            kept = rendered[address][level].text
            blocks.append(read_section_text(now, address, level, asked.form) if kept is None else kept)
            shown.append(_told(address, section) | {"level": level, "tokens": estimate_tokens(size)})
    missed = [(address, section) for address, section, form in chosen if form is None]
    stop = None if picked.stopped_at is None else there[picked.stopped_at].pointer
    left = f"{estimate_tokens(picked.left):,} were left{' for the state' if asked.talk else ''}"
    report = {
        "sections": shown,
        **_out(asked, addresses, there, missed, lambda *pair: _left_out(pair[0], pair[1], stop, left)),
    }
    return _ContextPart(
        "".join(blocks), report | ({"warnings": [*weighed.unusable[:MOST_TOLD]]} if weighed.unusable else {})
    )


def _out(
    asked: ContextRequest,
    addresses: Sequence[Address],
    there: Sequence[Address],
    missed: Sequence[tuple[Address, Section]],
    told: Callable[[Address, Section], JSONValue],
) -> dict[str, JSONValue]:
    """The sections that are left out, first those that are not there; no more than MOST_TOLD of them by name."""
    known = set(there)
    absent = [one for one in addresses if one not in known]
    out = [_absent(one, asked.level) for one in absent[:MOST_TOLD]]
    out += [told(*one) for one in missed[: max(0, MOST_TOLD - len(absent))]]
    count = len(absent) + len(missed)
    return {"left_out": out, **({"left_out_in_all": count} if count > MOST_TOLD else {})}


def _forms(rendered: Renderings, deepest: int) -> Sequence[BudgetForm]:
    return list_forms([(level, one.size) for level, one in rendered.items() if level <= deepest])


def _told(address: Address, section: Section) -> dict[str, JSONValue]:
    levels: dict[str, JSONValue] = {str(form.level): estimate_tokens(form.size) for form in section.forms}
    weight = int(section.weight) if section.weight.is_integer() else section.weight
    return {"section": address.pointer, "weight": weight, "levels": levels}


def _absent(address: Address, level: int) -> JSONValue:
    return {"section": address.pointer, "why": "absent", "detail": f"nothing shows there at level {level}"}


def _left_out(address: Address, section: Section, stop: str | None, left: str) -> JSONValue:
    needs = estimate_tokens(section.forms[0].size)
    if not section.weight:
        why, detail = "weight", f"its weight in {WEIGHTS} is 0"
    elif stop == address.pointer:
        why, detail = "budget", f"it takes {needs:,} tokens at least, and {left}"
    else:
        why, detail = "budget", f"it comes after {stop}, which did not fit any more"
    return {**_told(address, section), "needs": needs, "why": why, "detail": detail}


# What was said, and what was found


def _said(asked: ContextRequest, session_id: str, now: Moment, room: int) -> _ContextPart:
    user_id = asked.grant.user_id
    rows = read_last_messages(session_id, asked.messages, now.revision, with_hidden=asked.hidden, user_id=user_id)
    opening = render_heading(f"Conversation {session_id}") if asked.form == "markdown" else ',"messages":['
    entries = [_message(asked.form, row, parts=_parts(row, asked.hidden)) for row in rows]
    text, count = _fitted(asked.form, opening, entries, room, turned=True)
    report: dict[str, JSONValue] = {"conversation": session_id, "asked": asked.messages, "shown": count}
    report |= {
        "tokens": count_tokens(text),
        "ids": [row.pk for row in reversed(rows[:count])],
        "left_out": len(rows) - count,
    }
    return _ContextPart(text, report | _why(len(rows) - count), [session_id] if count else [])


def _found(asked: ContextRequest, terms: Sequence[SearchTerm], now: Moment, room: int) -> _ContextPart:
    some, hits = _search_state(asked, terms, now.revision), _search_messages(asked, terms, now.revision)
    opening = render_heading(f"Found for {asked.q}") if asked.form == "markdown" else ',"found":['
    entries = [_leaf(asked.form, leaf) for leaf in some]
    entries += [_message(asked.form, hit.message, hit.snippet.text, with_session=True) for hit in hits]
    text, count = _fitted(asked.form, opening, entries, room)
    used = list_sessions(hit.message for hit in hits[: max(0, count - len(some))])
    report: dict[str, JSONValue] = {"q": asked.q, "shown": count, "tokens": count_tokens(text)}
    return _ContextPart(text, report | {"left_out": len(entries) - count} | _why(len(entries) - count), used)


def _search_state(asked: ContextRequest, terms: Sequence[SearchTerm], revision: int) -> list[StateLeaf]:
    if Right.READ_STATE not in asked.grant.rights:
        return []
    keys = asked.places.keys if asked.places else None
    documents = {one.name.key: one.text for one in past.texts_at(revision, keys) if one.name.key not in SETTINGS}
    return search_leaves(terms, asked.hits, asked.level, documents, asked.places)[0]


def _search_messages(asked: ContextRequest, terms: Sequence[SearchTerm], revision: int) -> list[MessageHit]:
    if Right.READ_CONVERSATIONS not in asked.grant.rights:
        return []
    return search_past(terms, asked.hits, revision, with_hidden=asked.hidden, user_id=asked.grant.user_id)


def _why(left_out: int) -> dict[str, JSONValue]:
    return {"why": "budget"} if left_out else {}


def _fitted(
    form: SectionForm, opening: str, entries: Sequence[str], room: int, turned: bool = False
) -> tuple[str, int]:
    """As many of the entries, from the first on, as fit with what goes around them; `turned`: shown last to first."""
    closing = "\n" if form == "markdown" else "]"
    room -= len(opening) + len(closing)
    count = 0
    while count < len(entries) and len(entries[count]) <= room:
        room -= len(entries[count])
        count += 1
    shown = entries[:count][::-1] if turned else entries[:count]
    body = "".join(shown)
    return (opening + (body.removesuffix(",") if form == "json" else body) + closing if count else ""), count


def _parts(row: Message, with_thoughts: bool) -> list[str]:
    """What stands beside a message, each cut short."""
    found = [part for part in list_parts(row.metadata) if with_thoughts or part.kind != THINKING]
    return [f"[{part.title}: {_shorten(part.text)}]" if part.text else f"[{part.title}]" for part in found]


def _shorten(text: str) -> str:
    line = " ".join(text[: 2 * PART].split())
    return f"{line[:PART]}…" if len(line) > PART or len(text) > 2 * PART else line


def _message(
    form: SectionForm, row: Message, text: str | None = None, with_session: bool = False, parts: Sequence[str] = ()
) -> str:
    text = row.message if text is None else text
    session = row.conversation.session_id
    if form == "markdown":
        who = f"{session}, {row.speaker}" if with_session else row.speaker
        said = "\n".join([text, *parts] if text else parts)
        return render_item(f"{who}, {row.timestamp:%Y-%m-%d %H:%M}: {said}") + "\n"
    told: dict[str, Any] = {"conversation": session} if with_session else {}
    told |= {"speaker": row.speaker, "at": f"{row.timestamp:%Y-%m-%dT%H:%M:%SZ}", "message": text}
    told |= {"parts": list(parts)} if parts else {}
    return dump_json(told) + ","


def _leaf(form: SectionForm, leaf: StateLeaf) -> str:
    pointer = Address(leaf.key).pointer + leaf.pointer
    if form == "markdown":
        return render_item(f"{pointer[1:]}: {leaf.snippet.text}") + "\n"
    return dump_json({"pointer": pointer, "text": leaf.snippet.text}) + ","


# The text

EMPTY_JSON = '{"state":{}}'


def _joined(form: SectionForm, state: str, parts: Sequence[str]) -> str:
    """The whole text; nothing at all where nothing fits."""
    if not state and not any(parts):
        return ""
    if form == "markdown":
        return "".join((state, *parts)).rstrip("\n") + "\n"
    return f'{{"state":{{{state.removesuffix(",")}}}{"".join(parts)}}}'
