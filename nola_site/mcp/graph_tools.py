"""The tools of the reference memory server, by their names and with their arguments, over a key of the state."""

from functools import partial
from importlib import import_module
from typing import Any

from access.rights import Right, needs
from nola_site.mcp.protocol import Offer
from nola_site.mcp.tools import CURSOR, MENDABLE, READ_ONLY, WRITES, Tool

TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
SEES = needs(Right.READ_STATE, heeds_limits=True)
REMOVES = {"destructiveHint": True, "openWorldHint": False}
INSTRUCTIONS = (
    "A memory of entities, relations and observations, which a person sees and corrects. Search it before you answer."
    " Write down what should outlast this session as soon as you learn it."
)


def list_of(*required: str, **more: Any) -> dict[str, Any]:
    """An array of objects with these texts; what else they have is kept."""
    properties = dict.fromkeys(required, TEXT) | more
    items = {"type": "object", "properties": properties, "required": [*properties]}
    return {"type": "array", "items": items}


RELATIONS = list_of("from", "to", "relationType")
TOOLS = (
    Tool(
        "create_entities",
        "Create entities; those whose name is taken stay as they are",
        {"entities": list_of("name", "entityType", observations=TEXTS)},
        WRITES,
        MENDABLE,
        ("entities",),
        writes=True,
    ),
    Tool(
        "create_relations",
        "Create relations between entities, in active voice",
        {"relations": RELATIONS},
        WRITES,
        MENDABLE,
        ("relations",),
        writes=True,
    ),
    Tool(
        "add_observations",
        "Add observations to entities that are there",
        {"observations": list_of("entityName", contents=TEXTS)},
        WRITES,
        MENDABLE,
        ("observations",),
        writes=True,
    ),
    Tool(
        "delete_entities",
        "Delete entities and their relations",
        {"entityNames": TEXTS},
        WRITES,
        REMOVES,
        ("entityNames",),
        writes=True,
    ),
    Tool(
        "delete_observations",
        "Delete observations of entities",
        {"deletions": list_of("entityName", observations=TEXTS)},
        WRITES,
        REMOVES,
        ("deletions",),
        writes=True,
    ),
    Tool(
        "delete_relations", "Delete relations", {"relations": RELATIONS}, WRITES, REMOVES, ("relations",), writes=True
    ),
    Tool("read_graph", "Read the graph, in pages where it is large", {"cursor": CURSOR}, SEES, READ_ONLY),
    Tool(
        "search_nodes",
        "Find entities that have a text in their name, type or observations",
        {"query": TEXT, "cursor": CURSOR},
        SEES,
        READ_ONLY,
        ("query",),
    ),
    Tool("open_nodes", "Read some entities", {"names": TEXTS, "cursor": CURSOR}, SEES, READ_ONLY, ("names",)),
)


def make_offer(key: str) -> Offer:
    """The nine tools over a key."""
    return Offer(TOOLS, INSTRUCTIONS, partial(_load, key))


def _load(key: str) -> Any:
    return import_module("nola_site.mcp.graph_memory").GraphMemory(key)
