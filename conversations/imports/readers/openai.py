"""What OpenAI's API takes and gives: completions, responses and their items, threads of assistants, batches."""

from collections.abc import Iterable
from typing import Any

from conversations.imports.blocks import CALLS, RESULTS, THOUGHTS, Content, read_blocks, show_text
from conversations.imports.messages import (
    ChatReading,
    Read,
    Reader,
    SourceMessage,
    make_message,
    make_ref,
    pick,
    read_list,
    read_object,
    settle,
    start_chat,
)
from conversations.imports.readers.lists import is_message, read_message

ITEMS = CALLS | RESULTS | THOUGHTS | {"message", "item_reference", "local_shell_call", "local_shell_call_output",
    "web_search_call", "file_search_call", "code_interpreter_call", "computer_call", "computer_call_output",
    "image_generation_call", "mcp_call", "mcp_list_tools", "mcp_approval_request", "compaction"}  # fmt: skip
OF_MESSAGE = ("type", "id", "role", "content", "created_at", "timestamp")
OUTPUTS = {name for name in ITEMS if name.endswith("_output")}


# Chat completions


def _is_completion(value: dict[str, Any]) -> bool:
    choices = read_list(value.get("choices"))
    return bool(choices) and all(isinstance(read_object(one).get("message"), dict) for one in choices)


def _read_completion(value: dict[str, Any], reading: ChatReading) -> Read:
    """An answer of a model; where it was asked for several, they are versions of each other."""
    chat = start_chat(value, reading, ("id",), "created", reading.file.name)
    chat.metadata = pick(value, "model", "usage", "system_fingerprint")
    rows = [*_asked(value.get("messages"), chat.session_id)]
    last = rows[-1].ref if rows else ""
    for number, one in enumerate(value["choices"]):
        row = read_message({**one["message"], **pick(one, "finish_reason")}, chat.session_id, len(rows) + number)
        row.ref = make_ref(chat.session_id, "choice", number)
        row.parent = last if len(value["choices"]) > 1 else None
        row.time, row.time_text = chat.started, chat.started_text
        rows.append(row)
    return [settle(chat, rows, reading)]


def _asked(messages: Any, session_id: str) -> Iterable[SourceMessage]:
    return (read_message(one, session_id, number) for number, one in enumerate(read_list(messages)) if is_message(one))


# Responses, and the items of which they are made


def is_item(value: Any) -> bool:
    """Whether a value is an item of a response: a message, a thought, a call of a tool, or what it gave."""
    if not isinstance(value, dict) or show_text(value.get("type")) not in ITEMS:
        return False
    return "role" in value if value["type"] == "message" else bool(
        {"call_id", "id", "summary", "arguments", "output", "content", "action", "encrypted_content"} & value.keys()
    )  # fmt: skip


def read_item(one: dict[str, Any], ref: str, time: Any = None) -> SourceMessage:
    """An item as a message: calls are the assistant's, what they gave is the tool's, thoughts are hidden."""
    kind = show_text(one.get("type"))
    if kind == "message":
        more = {name: value for name, value in one.items() if name not in OF_MESSAGE}
        return make_message(ref, one.get("role"), read_blocks(one.get("content")), time, None, more)
    if kind in THOUGHTS:
        texts = [text for name in ("summary", "content") if (text := read_blocks(one.get(name)).text)]
        rest = {name: value for name, value in one.items() if name not in ("summary", "content") and value}
        found = Content(texts, [] if texts else [rest] if rest.keys() - {"type", "id", "encrypted_content"} else [])
        row = make_message(ref, "assistant", found, time, None, {}, "thinking")
        row.is_empty = not row.text and not found.parts
        return row
    is_result = kind in RESULTS or kind in OUTPUTS
    found = read_blocks({**one, "type": "function_call_output"} if kind in OUTPUTS else one)
    if is_result:
        found.attachments = []
    return make_message(ref, "tool" if is_result else "assistant", found, time, None, pick(one, "call_id"))


def _is_response(value: dict[str, Any]) -> bool:
    output = value.get("output")
    return isinstance(output, list) and (value.get("object") == "response" or any(map(is_item, output)))


def _read_response(value: dict[str, Any], reading: ChatReading) -> Read:
    chat = start_chat(value, reading, ("conversation", "id"), "created_at", reading.file.name)
    chat.metadata = pick(value, "model", "status", "previous_response_id", "usage", "error", "incomplete_details")
    rows = []
    if value.get("instructions"):
        system = read_blocks(value["instructions"])
        rows.append(make_message(make_ref(chat.session_id, "instructions"), "system", system, None))
    asked = value.get("input")
    items = [{"type": "message", "role": "user", "content": asked}] if isinstance(asked, str) else read_list(asked)
    for number, one in enumerate([*items, *value["output"]]):
        item = one if is_item(one) else {"type": "message", **read_object(one)}
        ref = show_text(item.get("id")) or make_ref(chat.session_id, number)
        rows.append(read_item(item, ref, chat.started_text if number >= len(items) else None))
    for row in rows:
        row.time = row.time or chat.started
    return [settle(chat, rows, reading)]


def _is_item_line(value: dict[str, Any]) -> bool:
    """Whether a line is an item; messages that say they are one otherwise, as Anthropic's do, are lines like others."""
    if not is_item(value) or value["type"] != "message":
        return is_item(value)
    kinds = [read_object(one).get("type") for one in read_list(value.get("content"))]
    return any(kind in ("input_text", "output_text", "input_image", "refusal") for kind in kinds)


def _read_items(lines: list[tuple[int, dict[str, Any]]], reading: ChatReading) -> Read:
    chat = start_chat({}, reading, (), "", reading.file.name, default=reading.stem)
    rows = []
    for number, one in lines:
        time = one.get("created_at") or one.get("timestamp")
        row = read_item(one, show_text(one.get("id")) or make_ref(chat.session_id, number), time)
        row.place = f"line {number}"
        rows.append(row)
    return [settle(chat, rows, reading)]


# Threads of assistants


def _is_thread(value: dict[str, Any]) -> bool:
    """A page of messages, as the API lists them, or a thread that somebody has put them into."""
    talk = _thread_talk(value)
    is_listed = (
        value.get("object") in ("list", "thread", "chat.completion.list") or "thread_id" in value or "thread" in value
    )
    return bool(talk) and is_listed and any(is_message(one) for one in talk)


def _thread_talk(value: dict[str, Any]) -> list[Any]:
    talk = value.get("messages", value.get("data"))
    return read_list(read_object(talk).get("data") if isinstance(talk, dict) else talk)


def _read_thread(value: dict[str, Any], reading: ChatReading) -> Read:
    talk = [read_object(one) for one in _thread_talk(value)]
    thread = read_object(value.get("thread")) or (value if value.get("object") == "thread" else {})
    given = thread.get("id") or value.get("thread_id") or next((one.get("thread_id") for one in talk), None)
    chat = start_chat({"id": given, **pick(thread, "created_at")}, reading, ("id",), "created_at", "OpenAI Assistants")
    chat.metadata = {name: one for name, one in pick(thread, "metadata", "tool_resources").items() if one}
    rows = []
    for number, one in enumerate(talk):
        if not is_message(one):
            reading.leave_out("no message: there is no role and no text in it", [str(number)])
            continue
        kept = {
            name: one[name] for name in ("assistant_id", "run_id", "metadata", "attachments", "status") if one.get(name)
        }
        files = [show_text(read_object(each).get("file_id")) for each in read_list(kept.pop("attachments", None))]
        more = kept | ({"attachments": [name for name in files if name]} if any(files) else {})
        ref = show_text(one.get("id")) or make_ref(chat.session_id, number)
        rows.append(
            make_message(ref, one.get("role"), read_blocks(one.get("content")), one.get("created_at"), None, more)
        )
    if len(rows) > 1 and rows[0].time and rows[-1].time and rows[0].time > rows[-1].time:  # the newest come first
        rows.reverse()
    if (value.get("has_more") or read_object(value.get("messages")).get("has_more")) is True:
        reading.leave_out("the thread goes on: has_more is true, so fetch the other pages too", count=1)
    return [settle(chat, rows, reading)]


def _is_thread_line(value: dict[str, Any]) -> bool:
    return value.get("object") == "thread.message" and "role" in value


def _read_thread_lines(lines: list[tuple[int, dict[str, Any]]], reading: ChatReading) -> Read:
    threads: dict[str, list[Any]] = {}
    for _, one in lines:
        threads.setdefault(show_text(one.get("thread_id")), []).append(one)
    return [chat for ref, talk in threads.items() for chat in _read_thread({"thread_id": ref, "data": talk}, reading)]


# Batches: lines with a request or an answer


def _is_batch(value: dict[str, Any]) -> bool:
    return "custom_id" in value and bool({"body", "response", "result"} & value.keys())


def _read_batch(value: dict[str, Any], reading: ChatReading) -> Read:
    body = read_object(value.get("body") or read_object(value.get("response")).get("body"))
    chat = start_chat(value, reading, ("custom_id",), "", reading.file.name)
    chat.metadata = pick(value, "custom_id", "error") | pick(body, "model", "usage")
    answers = [read_object(one).get("message") for one in read_list(body.get("choices"))]
    answers.append(read_object(value.get("result")).get("message"))  # as Anthropic has it
    rows = list(_asked([*read_list(body.get("messages")), *answers], chat.session_id))
    for number, one in enumerate(read_list(body.get("output"))):
        if is_item(one):
            rows.append(read_item(one, show_text(one.get("id")) or make_ref(chat.session_id, number)))
    if not rows:
        reading.leave_out("no message in a line of a batch", [show_text(value["custom_id"])])
    return [settle(chat, rows, reading)]


READERS = (
    Reader("OpenAI chat completions", _is_completion, _read_completion),
    Reader("OpenAI responses", _is_response, _read_response),
    Reader("OpenAI Assistants", _is_thread, _read_thread),
    Reader("OpenAI Assistants", _is_thread_line, _read_thread_lines, gathers=True),
    Reader("OpenAI batches", _is_batch, _read_batch),
    Reader("OpenAI responses", _is_item_line, _read_items, gathers=True),
)
