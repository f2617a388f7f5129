"""A client of Nola, with and without asyncio: `Nola` and `AsyncNola`, whose methods are the calls of the API.

    from nola_client import Nola

    with Nola(key, "http://127.0.0.1:8000") as nola:
        seen = nola.read("Tasks")
        nola.put("Tasks/0/done", True, base=seen.revision, reason="it is done")

Addresses and numbers: values.py. Adapters, each imported where it is asked for: `nola_client.langgraph`,
`nola_client.openai_agents`, `nola_client.langchain`, `nola_client.anthropic_memory`.
"""

from nola_client.client import AsyncNola, Nola
from nola_client.context import Context
from nola_client.conversations import Appended
from nola_client.errors import (
    ABSENT,
    Busy,
    Conflict,
    ConflictError,
    Gone,
    Invalid,
    NolaError,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    Unreachable,
)
from nola_client.feed import Event
from nola_client.flow import Retries
from nola_client.state import Proposal, Reading, Written

__all__ = [
    "ABSENT",
    "Appended",
    "AsyncNola",
    "Busy",
    "Conflict",
    "ConflictError",
    "Context",
    "Event",
    "Gone",
    "Invalid",
    "Nola",
    "NolaError",
    "NotAllowed",
    "NotFound",
    "PreconditionFailed",
    "Proposal",
    "Reading",
    "Retries",
    "Unreachable",
    "Written",
]
