"""An agent that remembers: it loads what it should know, answers, keeps what was said, and writes down what it learned.

    MEMORY_KEY=nola_... MODEL=llama3.2 python examples/agent.py trip-42

The model is any server that speaks OpenAI's chat completions: Ollama at http://127.0.0.1:11434/v1, unless MODEL_URL
names another one; MODEL_KEY is its key, if it wants one. The memory is at MEMORY_URL (http://127.0.0.1:8000). With a
key that only suggests (`--scopes read write:conversations suggest`), what it learns waits for a person.

Needs nola_client and httpx, no more.
"""

import json
import os
import sys
from typing import Any

import httpx

from nola_client import ConflictError, Nola, NolaError, Proposal

ROUNDS = 5  # of tools, in one turn
BUDGET = 2000  # tokens of memory in the prompt
INSTRUCTIONS = (
    "You are a helpful assistant with a memory, which follows. When you learn something lasting, call remember once for"
    " each fact. What you remember may be seen, corrected and taken back by its owner.\n\n"
)
REMEMBER = {
    "type": "function",
    "function": {
        "name": "remember",
        "description": "Write one fact into the memory, or correct one that is there.",
        "parameters": {
            "type": "object",
            "required": ["path", "value", "reason"],
            "properties": {
                "path": {"type": "string", "description": "Where it belongs, such as Profile/diet"},
                "value": {"description": "The fact: a text, a number, a list"},
                "reason": {"type": "string", "description": "Why you think so, for the owner"},
            },
        },
    },
}


def ask_model(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The next message of the model."""
    address = os.environ.get("MODEL_URL", "http://127.0.0.1:11434/v1").rstrip("/")
    headers = {"Authorization": f"Bearer {key}"} if (key := os.environ.get("MODEL_KEY")) else {}
    body = {"model": os.environ.get("MODEL", "llama3.2"), "messages": messages, "tools": [REMEMBER]}
    response = httpx.post(f"{address}/chat/completions", json=body, headers=headers, timeout=300)
    response.raise_for_status()
    message: dict[str, Any] = response.json()["choices"][0]["message"]
    return message


def remember(nola: Nola, arguments: str, base: int) -> tuple[str, int]:
    """Write a fact, as it was seen at revision `base`; what the model is told, and what it has seen by now."""
    try:
        fact = json.loads(arguments)
        written = nola.put(fact["path"], fact["value"], base=base, reason=fact.get("reason", ""))
    except ConflictError as error:
        both = [{"pointer": one.pointer, "theirs": repr(one.theirs)} for one in error.conflicts]
        return f"Not written, somebody else has changed it meanwhile: {json.dumps(both)}. Ask which one holds.", base
    except (NolaError, ValueError, KeyError, TypeError) as error:
        return f"Not written: {error}", base
    if isinstance(written, Proposal):
        if written.number is None:
            return "That is so already.", base
        return f"Suggested to the owner, as proposal {written.number}; do not count on it yet.", base
    return f"Remembered, as revision {written.revision}.", written.revision


def take_turn(nola: Nola, session: str, said: str) -> str:
    """Answer what somebody said. It is kept before the model is asked, so that it is there whatever happens then."""
    question = nola.append_many(session, [{"speaker": "user", "message": said, "status": "pending"}]).messages[0]
    try:
        answer = answer_from_memory(nola, session, said)
    except Exception:
        nola.change_message(session, question["id"], {"status": "error"})
        raise
    nola.append(session, "assistant", answer)
    nola.change_message(session, question["id"], {"status": "ok"})
    return answer


def answer_from_memory(nola: Nola, session: str, said: str) -> str:
    """Ask the model, with what it should know and what was said before, and do what it asks for."""
    memory = nola.context(budget=BUDGET, q=said)
    spoken = [one for one in nola.last_messages(session, 20) if one["speaker"] in ("user", "assistant")]
    messages: list[dict[str, Any]] = [{"role": "system", "content": INSTRUCTIONS + memory.text}]
    messages += [{"role": one["speaker"], "content": one["message"]} for one in spoken]
    seen = memory.revision
    for _ in range(ROUNDS):
        message = ask_model(messages)
        calls = message.get("tool_calls") or []
        if not calls:
            return str(message.get("content") or "")
        messages.append(message)
        for call in calls:
            told, seen = remember(nola, call["function"]["arguments"], seen)
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": told})
    return "I could not finish that."


def main() -> None:
    session = sys.argv[1] if len(sys.argv) > 1 else "agent"
    with Nola(os.environ["MEMORY_KEY"], os.environ.get("MEMORY_URL", "http://127.0.0.1:8000")) as nola:
        for line in sys.stdin:
            if line.strip():
                sys.stdout.write(take_turn(nola, session, line.strip()) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
