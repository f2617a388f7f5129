"""What is offered: the nine tools, the resources and the prompt; or the tools of the reference memory server."""

from functools import partial
from importlib import import_module
from typing import Any

from nola_site.mcp.protocol import Offer
from nola_site.mcp.tools import INSTRUCTIONS, TOOLS

TEMPLATE = {
    "uriTemplate": "nola://state/{key}",
    "name": "state",
    "title": "A key of the state",
    "mimeType": "application/json",
}
PROMPT = {
    "name": "load-context",
    "title": "Load what is remembered",
    "description": "What the agent should know, at the beginning of a session",
    "arguments": [
        {"name": "budget", "description": "Tokens, 100 to 20000"},
        {"name": "q", "description": "Words to look for too"},
    ],
}


def load(name: str) -> Any:
    """A module that does the work; the first time it takes as long as all that it needs."""
    return import_module(f"nola_site.mcp.{name}")


NOLA = Offer(TOOLS, INSTRUCTIONS, partial(load, "memory"), [PROMPT], [TEMPLATE])
