"""The nine tools as they are declared: what they are called, take and need. What they do is in `reads` and `writes`.

The list costs a model tokens in each session: it stays under 6 kB, and a test holds it there.
"""

from dataclasses import dataclass, field
from typing import Any

from access.rights import Needs, Right, needs

READS = (Right.READ_STATE, Right.READ_CONVERSATIONS)
TALKS = (Right.READ_CONVERSATIONS, Right.WRITE_CONVERSATIONS)
WRITES = needs(either=(Right.WRITE_STATE, Right.SUGGEST_STATE), heeds_limits=True)

READ_ONLY = {"readOnlyHint": True, "openWorldHint": False}
MENDABLE = {"destructiveHint": False, "openWorldHint": False}  # all that is written can be taken back

POINTER = {"type": "string", "description": "RFC 6901, first the key: /Tasks/0/title"}
BASE = {
    "type": "integer",
    "minimum": 0,
    "maximum": 2**53,
    "description": "Revision you read; merges with later changes",
}
REASON = {"type": "string", "description": "Why, for the person who looks at it later"}
CURSOR = {"type": "string", "description": "From the answer before"}
SESSION = {"type": "string", "description": "Session id of a conversation"}


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as a client sees it, and what it needs; `writes` says that it may change something."""

    name: str
    description: str
    properties: dict[str, Any]
    needs: Needs
    hints: dict[str, bool]
    required: tuple[str, ...] = ()
    writes: bool = False
    schema: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        required = {"required": [*self.required]} if self.required else {}
        object.__setattr__(
            self, "schema", {"type": "object", "properties": self.properties, **required, "additionalProperties": False}
        )

    def describe(self) -> dict[str, Any]:
        """As `tools/list` has it."""
        told = {"name": self.name, "description": self.description, "inputSchema": self.schema}
        return told | {"annotations": self.hints}


def count(lowest: int, highest: int, default: int | None = None, description: str = "") -> dict[str, Any]:
    """The schema of a whole number."""
    more = {"default": default} if default is not None else {}
    told = {"description": description} if description else {}
    return {"type": "integer", "minimum": lowest, "maximum": highest, **more, **told}


TOOLS = (
    Tool(
        "context",
        "What you know, in a budget of tokens: the state, and on request the last messages of a session and what"
        " words find. Call it first.",
        {
            "budget": count(100, 20_000, 2000, "Tokens"),
            "q": {"type": "string", "description": "Words to look for too"},
            "session": SESSION,
        },
        needs(either=READS, heeds_limits=True),
        READ_ONLY,
    ),
    Tool(
        "read",
        'A value of the state, whole or in outline: {"…": "12 names"} stands for what lies deeper; read that by its'
        " pointer.",
        {
            "pointer": POINTER | {"default": "", "description": "RFC 6901, first the key; empty: all keys"},
            "depth": count(0, 20, description="Levels to show; as many as fit, if left out"),
            "level": count(1, 3, description="Only as much detail as this context level shows"),
            "at": {"type": ["integer", "string"], "description": "As of this revision or time"},
            "limit": count(200, 40_000, 12_000, "Characters"),
            "cursor": CURSOR,
        },
        needs(Right.READ_STATE, heeds_limits=True),
        READ_ONLY,
    ),
    Tool(
        "search",
        'Find values and messages by words; "two words" is a phrase, begin* a beginning.',
        {
            "q": {"type": "string", "description": "All of these words"},
            "in": {"enum": ["state", "messages", "all"], "default": "all"},
            "limit": count(1, 50, 10),
            "cursor": CURSOR,
        },
        needs(either=READS, heeds_limits=True),
        READ_ONLY,
        required=("q",),
    ),
    Tool(
        "write",
        "Put a value at a pointer; missing objects on the way are made. One fact a leaf, not documents: others write"
        " too. It can be undone.",
        {
            "pointer": POINTER,
            "value": {"description": "Any JSON, kept as it is"},
            "mode": {
                "enum": ["set", "merge"],
                "default": "set",
                "description": "merge: members of an object, null removes one",
            },
            "base": BASE,
            "reason": REASON,
        },
        WRITES,
        MENDABLE | {"idempotentHint": True},
        required=("pointer", "value"),
        writes=True,
    ),
    Tool(
        "edit",
        "Several changes of any keys as one revision, all or nothing: JSON Patch, with `pointer` in place of path.",
        {
            "operations": {
                "type": "array",
                "minItems": 1,
                "maxItems": 128,
                "items": {
                    "type": "object",
                    "properties": {
                        "op": {"enum": ["test", "add", "replace", "remove", "move"]},
                        "pointer": {"type": "string", "description": "/Tasks/- adds to the end"},
                        "value": {},
                        "from": {"type": "string"},
                    },
                    "required": ["op", "pointer"],
                    "additionalProperties": False,
                },
            },
            "base": BASE,
            "reason": REASON,
        },
        WRITES,
        MENDABLE,
        required=("operations",),
        writes=True,
    ),
    Tool(
        "delete",
        "Remove a key, or a value in one. It can be undone.",
        {"pointer": POINTER, "base": BASE, "reason": REASON},
        WRITES,
        {"destructiveHint": True, "openWorldHint": False},
        required=("pointer",),
        writes=True,
    ),
    Tool(
        "history",
        "Who changed what, when and why, newest first.",
        {
            "pointer": POINTER | {"default": "", "description": "Of this value; empty: of everything"},
            "mine": {"type": "boolean", "default": False, "description": "Only what you wrote"},
            "limit": count(1, 50, 20),
            "cursor": CURSOR,
        },
        needs(Right.READ_HISTORY, either=READS, heeds_limits=True),
        READ_ONLY,
    ),
    Tool(
        "undo",
        "Take back a revision that you made; later changes elsewhere stay.",
        {"revision": count(1, 2**53), "preview": {"type": "boolean", "default": False}, "reason": REASON},
        needs(Right.READ_HISTORY, heeds_limits=True),
        MENDABLE | {"idempotentHint": True},
        required=("revision",),
        writes=True,
    ),
    Tool(
        "messages",
        "The last messages of a conversation, oldest first; with `append`, adds some before. The first one begins it.",
        {
            "session": SESSION,
            "append": {
                "type": "array",
                "maxItems": 100,
                "items": {
                    "type": "object",
                    "properties": {
                        "speaker": {"enum": ["user", "assistant", "system", "tool"]},
                        "message": {"type": "string"},
                    },
                    "required": ["speaker", "message"],
                    "additionalProperties": False,
                },
            },
            "limit": count(1, 100, 20),
            "cursor": CURSOR,
        },
        needs(either=TALKS, heeds_limits=True),
        MENDABLE,
        required=("session",),
        writes=True,
    ),
)
BY_NAME = {tool.name: tool for tool in TOOLS}
INSTRUCTIONS = (
    "Nola is your memory, which a person sees and corrects: call `context` before you answer. Write facts that should"
    " outlast this session as leaves of the state, one value each, as soon as you learn them. Give a `reason` with each"
    " change; whatever you write can be taken back with `undo`."
)
