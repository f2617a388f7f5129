"""A hook for the beginning of a session: gives the agent what it should know, without being asked for it.

    MEMORY_KEY=nola_... python3 examples/load_context.py [cursor]

Prints the context of MEMORY_URL (http://127.0.0.1:8000) as Claude Code, Codex, Gemini CLI and VS Code take it from a
SessionStart hook, or, with `cursor`, as Cursor takes it. Where no memory answers, it says so on standard error and
gives nothing: the session begins all the same. Needs Python alone.
"""

import json
import os
import sys
import urllib.request
from http.client import HTTPException

BUDGET = os.environ.get("MEMORY_BUDGET", "2000")  # tokens
SECONDS = 5


def read_context() -> str:
    """The context as Markdown; nothing where there is none to be had."""
    address = os.environ.get("MEMORY_URL", "http://127.0.0.1:8000").rstrip("/")
    headers = {"Authorization": f"Bearer {os.environ.get('MEMORY_KEY', '').strip()}"}
    try:
        request = urllib.request.Request(f"{address}/api/context?format=markdown&budget={BUDGET}", headers=headers)
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            return str(response.read().decode())
    except (OSError, ValueError, HTTPException) as error:
        sys.stderr.write(f"nola: no context: {type(error).__name__ if isinstance(error, ValueError) else error}\n")
        return ""


def format_answer(text: str, client: str) -> dict[str, object]:
    """The text as a client wants to have it from its hook."""
    if not text:
        return {}
    told = f"What you remember, from Nola:\n\n{text}"
    if client == "cursor":
        return {"additional_context": told}
    return {"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": told}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(format_answer(read_context(), sys.argv[1] if len(sys.argv) > 1 else "")) + "\n")
