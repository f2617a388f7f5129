"""What looks like a secret in what is remembered: keys of common makers, private keys, card numbers, passwords.

Told by place and kind, never by value. The cost is linear: a text is looked at closely only where a mark of the kind
stands in it. What is sure to be one cannot be known; few false alarms are worth more than every odd password.
"""

import json
import re
import shlex
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from state.database.sql import stream_rows
from state.history.audit import OnProgress, show_nothing
from state.jsondoc.pointer import format_pointer, parse_pointer

MOST = 50  # places that are told
HIDDEN = "…"  # in place of a name that is itself one


class SecretKind(NamedTuple):
    """A kind of secret: the marks of which one stands in each, and what it looks like."""

    name: str
    marks: tuple[str, ...]
    pattern: re.Pattern[str]


def _kind(name: str, marks: str, pattern: str) -> SecretKind:
    return SecretKind(name, tuple(marks.split()), re.compile(rf"(?<![A-Za-z0-9_-])(?:{pattern})"))


KINDS = (
    _kind("an API key of Anthropic", "sk-ant-", r"sk-ant-[\w-]{20,}"),
    _kind(
        "an API key of OpenAI",
        "sk-",
        r"sk-(?:proj|svcacct|admin)-[\w-]{20,}|sk-(?:or-v1-)?(?=[A-Za-z]*\d)[A-Za-z0-9]{20,}",
    ),
    _kind("an access key of AWS", "AKIA ASIA", r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _kind(
        "a token of GitHub", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}"
    ),
    _kind("a token of GitLab", "glpat-", r"glpat-[\w-]{20,}"),
    _kind("a token of Slack", "xoxb- xoxp- xoxa- xoxe- xoxr- xoxs- xapp-", r"(?:xox[abeprs]|xapp)-[A-Za-z0-9-]{10,}"),
    _kind("an API key of Google", "AIza", r"AIza[\w-]{35}"),
    _kind("a key of Stripe", "_live_", r"[sr]k_live_[A-Za-z0-9]{16,}"),
    _kind("a token of Hugging Face", "hf_", r"hf_[A-Za-z0-9]{30,}"),
    _kind("a token of a package registry", "npm_ pypi-AgE", r"npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,}"),
    _kind("a key of SendGrid", "SG.", r"SG\.[\w-]{16,}\.[\w-]{16,}"),
    _kind("a key of Groq", "gsk_", r"gsk_[A-Za-z0-9]{40,}"),
    _kind("a token of DigitalOcean", "do_v1_ dop_v1_ doo_v1_", r"do[opr]?_v1_[a-f0-9]{64}"),
    _kind("a token of a Telegram bot", ":AA", r"\d{8,10}:AA[\w-]{33}"),
    _kind("an API key of Nola", "nola_", r"nola_[\w-]{43}(?![\w-])"),
    _kind("a private key", "PRIVATE KEY", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    _kind("a signed token (JWT)", "eyJ", r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    _kind(
        "a password in an address", "://", r"[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>{}]{1,80}:[^\s/:@\"'<>{}$*]{3,80}@\w"
    ),
)
CARD = re.compile(r"(?<![\w.,-])[3-6]\d{3}(?:[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}|[ -]?\d{6}[ -]?\d{5})(?![\w-]|[.,]\d)")
ISSUERS = re.compile(r"4\d{15}|5[1-5]\d{14}|3[47]\d{13}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}")
MEMBER = re.compile(
    r"(?:.*[_. -])?(?:password|passwd|passphrase|passcode|api[_-]?key|secret[_-]?key|client[_-]?secret"
    r"|(?:access|auth|refresh|bearer)[_-]?token|private[_-]?key)",
    re.IGNORECASE,
)
SAID = re.compile(r'(?:pass(?:word|wd|phrase|code)|key|secret|token)"', re.IGNORECASE)  # in JSON, how a name ends
DIGITS = re.compile(r"[3-6]\d{3}[ -]?\d{4}[ -]?\d{2}")
PLACEHOLDER = re.compile(
    r"\[redacted\]|[*x.•]+|<.*>|\$?\{.*\}|\$[A-Z_]+|none|null|unknown|changeme|example.*|your.*", re.I
)


class Leak(NamedTuple):
    """A place, for people, with what looks to be there, and what takes it out."""

    place: str
    kind: str
    way_out: str


def find_kinds(text: str) -> Iterator[str]:
    """What a text seems to hold."""
    for kind in KINDS:
        if any(mark in text for mark in kind.marks) and kind.pattern.search(text):
            yield kind.name
    if any(_is_card(found[0]) for found in CARD.finditer(text)):
        yield "a card number"


def _is_card(text: str) -> bool:
    """Whether digits are a number of an issuer with the check digit that it must have (Luhn)."""
    digits = re.sub("[ -]", "", text)
    if not ISSUERS.fullmatch(digits):
        return False
    doubled = (int(one) * (2 if place % 2 else 1) for place, one in enumerate(reversed(digits)))
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0


def is_password(name: str, value: Any) -> bool:
    """Whether a member is named as a secret is, and holds what can be one."""
    is_text = isinstance(value, str) and 6 <= len(value) <= 500 and not re.search(r"\s", value)
    return is_text and bool(MEMBER.fullmatch(name)) and not PLACEHOLDER.fullmatch(value)


def find_in_value(value: Any, tokens: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where in a JSON value what stands, names included."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from (((*tokens, name), kind) for kind in find_kinds(name))
            if is_password(name, one):
                yield (*tokens, name), "a password"
            else:
                yield from find_in_value(one, (*tokens, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from find_in_value(one, (*tokens, str(number)))
    elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        yield from ((tokens, kind) for kind in find_kinds(str(value)))


def may_hold(text: str) -> bool:
    """Whether a JSON text is worth a closer look."""
    has_mark = any(mark in text for kind in KINDS for mark in kind.marks)
    return has_mark or bool(DIGITS.search(text) or SAID.search(text))


def find_leaks(database: BaseDatabaseWrapper, progress: OnProgress = show_nothing) -> Iterator[Leak]:
    """All places: keys as they are, their past, conversations and messages. Each is told once."""
    seen: set[tuple[str, str]] = set()
    for leak in chain(_in_state(database, progress), _in_history(database, progress), _in_talks(database, progress)):
        if (leak.place.removeprefix("the past of "), leak.kind) not in seen:
            seen.add((leak.place.removeprefix("the past of "), leak.kind))
            yield leak


def _in_state(database: BaseDatabaseWrapper, progress: OnProgress) -> Iterator[Leak]:
    for key, text in stream_rows(database, "SELECT key_name, value_json FROM state_storage ORDER BY key_name"):
        progress(f"looking for secrets in {_shown(key)[:40]!r}")
        yield from (_of_node((key,), kind, "") for kind in find_kinds(key))
        if may_hold(text):
            yield from (_of_node(tokens, kind, "") for tokens, kind in find_in_value({key: json.loads(text)}))


def _in_history(database: BaseDatabaseWrapper, progress: OnProgress) -> Iterator[Leak]:
    query = "SELECT revision, key, forward, inverse FROM state_change WHERE kind = 'state' ORDER BY id"
    for revision, key, *texts in stream_rows(database, query):
        if revision % 1000 == 0:
            progress(f"looking for secrets in revision {revision:,}")
        for text in filter(may_hold, texts):
            ops = json.loads(text)
            for op in ops if isinstance(ops, list) else ():
                tokens = (key, *parse_pointer(op["path"]))
                name, value = tokens[-1], op.get("value")
                found = [(tokens, "a password")] if is_password(name, value) else find_in_value(value, tokens)
                yield from (_of_node(place, kind, "the past of ") for place, kind in found)


def _in_talks(database: BaseDatabaseWrapper, progress: OnProgress) -> Iterator[Leak]:
    query = (
        "SELECT m.id, c.session_id, m.message, m.metadata FROM conversation_history m"
        " JOIN conversation c ON c.id = m.conversation_id ORDER BY m.id"
    )
    for number, session, message, metadata in stream_rows(database, query):
        if number % 1000 == 0:
            progress(f"looking for secrets in message {number:,}")
        yield from (_of_text(f"message {number} of {_shown(session)!r}", kind) for kind in _kinds(message, metadata))
    query = "SELECT session_id, title, metadata FROM conversation ORDER BY id"
    for session, title, metadata in stream_rows(database, query):
        kinds = _kinds(f"{session} {title}", metadata)
        yield from (_of_text(f"the conversation {_shown(session)!r}", kind) for kind in kinds)


def _kinds(text: str, metadata: str) -> list[str]:
    inner = find_in_value(json.loads(metadata)) if metadata != "{}" and may_hold(metadata) else ()
    return sorted({*find_kinds(text), *(kind for _, kind in inner)})


def _shown(name: str) -> str:
    """A name, unless it is itself a secret."""
    return HIDDEN if any(True for _ in find_kinds(name)) else name


def _of_node(tokens: tuple[str, ...], kind: str, of: str) -> Leak:
    shown = [_shown(token) for token in tokens]
    pointer = format_pointer(shown)
    hidden = tuple(shown) != tokens
    return Leak(of + pointer, kind, "forget -" if hidden else f"forget {shlex.quote(pointer)}")


def _of_text(place: str, kind: str) -> Leak:
    return Leak(place, kind, "forget -")
