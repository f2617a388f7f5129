"""Talk with Gemini: the activity that Google Takeout has of it, chats of AI Studio, and what its API takes."""

import re
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from conversations.imports.blocks import Content, read_blocks, show_text
from conversations.imports.messages import (
    ChatReading,
    Read,
    Reader,
    SourceMessage,
    make_message,
    make_ref,
    pick,
    present,
    read_list,
    read_object,
    settle,
    start_chat,
)
from conversations.imports.times import parse_time

PRODUCTS = re.compile(r"Gemini|Bard", re.IGNORECASE)
TALK = re.compile(r"gemini\.google\.com/app/(\w+)")
PROMPTED = re.compile(r"(?:Prompted|Said|Asked|Sent)\s+", re.IGNORECASE)
BLOCKS = {
    "p",
    "div",
    "br",
    "li",
    "ul",
    "ol",
    "pre",
    "tr",
    "table",
    "blockquote",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
}


# The activity: an entry for each prompt, with no word of the chat it belongs to


def _is_activity(value: dict[str, Any]) -> bool:
    named = [show_text(value.get("header")), *map(show_text, read_list(value.get("products")))]
    return "time" in value and "title" in value and any(PRODUCTS.search(one) for one in named)


def _read_activity(value: dict[str, Any], reading: ChatReading) -> Read:
    """A prompt and its answer, in the chat that its address names, else in a conversation of their day."""
    moment, _ = parse_time(value.get("time"))
    day = f"{moment.astimezone(ZoneInfo(settings.TIME_ZONE)):%Y-%m-%d}" if moment else "undated"
    talk = TALK.search(show_text(value.get("titleUrl")))
    name = talk[1] if talk else day
    chat = start_chat({}, reading, (), "", "Gemini", default=f"gemini-{name}")
    chat.title = f"Gemini, {name}"
    title = show_text(value.get("title"))
    answers = [_text_of(show_text(read_object(one).get("html"))) for one in read_list(value.get("safeHtmlItem"))]
    is_prompt = bool(PROMPTED.match(title) or answers)
    names = [show_text(one) for one in [*read_list(value.get("attachedFiles")), value.get("imageFile")] if one]
    more = pick(value, "titleUrl", "subtitles", "details", "locationInfos") | present(attachments=names)
    base = (value.get("time"), title)
    text = PROMPTED.sub("", title, count=1) if is_prompt else title
    rows = [
        make_message(make_ref(*base, "prompt"), "user" if is_prompt else "system", text, value.get("time"), None, more)
    ]
    for number, answer in enumerate(answers):
        rows.append(make_message(make_ref(*base, "answer", number), "assistant", answer, value.get("time")))
    return [settle(chat, rows, reading)]


class _Text(HTMLParser):
    """The words of a page, with lines where they are, and links as Markdown has them."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.depth = 0  # of texts in which every space counts

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.depth += tag == "pre"
        self.words += ["\n"] if tag in BLOCKS else []
        self.words += ["- "] if tag == "li" else [" | "] if tag in ("td", "th") else []
        self.words += ["**"] if tag in ("b", "strong") else ["`"] if tag == "code" and not self.depth else []
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")
            self.words += ["["] if self.links[-1] else []

    def handle_endtag(self, tag: str) -> None:
        self.words += ["**"] if tag in ("b", "strong") else ["`"] if tag == "code" and not self.depth else []
        self.depth -= tag == "pre" and self.depth > 0
        self.words += ["\n"] if tag in BLOCKS else []
        if tag == "a" and self.links and (link := self.links.pop()):
            self.words.append(f"]({link})")

    def handle_data(self, data: str) -> None:
        self.words.append(data if self.depth else re.sub(r"\s+", " ", data))


def _text_of(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    parser.close()
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" *\n *(?=\n)| +\n", "\n", "".join(parser.words))).strip()


# Chats of AI Studio, and contents as the API has them


def _is_studio(value: dict[str, Any]) -> bool:
    return isinstance(read_object(value.get("chunkedPrompt")).get("chunks"), list)


def _is_contents(value: dict[str, Any]) -> bool:
    talk = read_list(value.get("contents"))
    return bool(talk) and all(isinstance(read_object(one).get("parts"), list) for one in talk)


def _read_chunks(value: dict[str, Any], reading: ChatReading) -> Read:
    chat = start_chat(value, reading, ("id",), "createTime", "Gemini", default=reading.stem)
    chat.title = show_text(value.get("title"))
    chat.metadata = present(
        settings=value.get("runSettings") or value.get("generationConfig"), model=value.get("model")
    )
    rows: list[SourceMessage] = []
    for name in ("systemInstruction", "system_instruction"):
        if value.get(name):
            system = read_object(value[name])
            rows.append(
                make_message(make_ref(chat.session_id, name), "system", read_blocks(system.get("parts", system)), None)
            )
    chunks = read_object(value.get("chunkedPrompt")).get("chunks")
    for number, one in enumerate(map(read_object, read_list(chunks if chunks is not None else value.get("contents")))):
        rows.append(_chunk(one, make_ref(chat.session_id, number)))
    return [settle(chat, rows, reading)]


def _chunk(one: dict[str, Any], ref: str) -> SourceMessage:
    """A piece of the talk; what a model thought is hidden."""
    is_thought = one.get("isThought") is True
    found = Content()
    if isinstance(one.get("text"), str):
        found.texts.append(one["text"])
    elif isinstance(one.get("parts"), list):
        read_blocks(one["parts"], found)
    used = ("text", "parts", "role", "isThought", "createTime", "tokenCount", "finishReason", "thinkingBudget")
    if rest := {name: part for name, part in one.items() if name not in used and part not in (None, "", [], {})}:
        names = (
            read_object(part).get("id") for name, part in rest.items() if name.startswith(("drive", "inline", "file"))
        )
        found.attachments += [show_text(name) for name in names if name]
        read_blocks({"type": "chunk"} | rest, found)
    return make_message(
        ref, one.get("role") or "user", found, one.get("createTime"), None, pick(one, "finishReason"),
        "thinking" if is_thought else "",
    )  # fmt: skip


READERS = (
    Reader("Gemini", _is_activity, _read_activity, is_service=True),
    Reader("Gemini", _is_studio, _read_chunks),
    Reader("Gemini", _is_contents, _read_chunks),
)
