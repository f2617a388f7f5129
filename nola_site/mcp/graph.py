"""A graph of entities and relations, as the reference memory server has it, in one document.

It is `{"entities": {name: {"entityType": ..., "observations": [...]}}, "relations": [{"from": ..., "to": ...,
"relationType": ...}]}`. Members that nobody here knows stay where they are. Functions change the graph in place.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from state.errors import NotThere, Unprocessable
from state.jsondoc.errors import Malformed
from state.jsondoc.text import JSONValue, NotAcceptable, parse_json

ENDS = ("from", "to", "relationType")

Graph = dict[str, Any]
Entity = dict[str, Any]
Relation = dict[str, Any]


class NoGraph(Unprocessable):
    """What a key holds is no graph."""


class NoEntity(NotThere):
    """There is no entity of that name."""


class BadLine(Malformed):
    """A line of a file that is neither an entity nor a relation."""


def make_graph(value: JSONValue = None) -> Graph:
    """The graph that a document holds; an empty one, if there is none yet. Raises NoGraph."""
    graph = {} if value is None else value
    if not isinstance(graph, dict):
        raise NoGraph(
            'the key holds no graph, which is {"entities": {...}, "relations": [...]}; take another by --graph'
        )
    graph.setdefault("entities", {})
    graph.setdefault("relations", [])
    if not isinstance(graph["entities"], dict) or not isinstance(graph["relations"], list):
        raise NoGraph('"entities" of a graph is an object and "relations" an array; take another key by --graph')
    return graph


# Reading


def list_entities(graph: Graph) -> list[Entity]:
    """All entities, each with its name."""
    return [{"name": name, **told} for name, told in graph["entities"].items() if isinstance(told, dict)]


def list_relations(graph: Graph) -> list[Relation]:
    """All relations."""
    return [one for one in graph["relations"] if isinstance(one, dict)]


def find_entities(graph: Graph, query: str) -> set[str]:
    """The names of entities that have a text in their name, type or observations."""
    wanted = query.casefold()
    return {one["name"] for one in list_entities(graph) if any(wanted in text.casefold() for text in _texts(one))}


def _texts(entity: Entity) -> Iterator[str]:
    texts = [entity["name"], entity.get("entityType"), *_observations(entity)]
    return (text for text in texts if isinstance(text, str))


def _observations(entity: Entity) -> list[Any]:
    seen = entity.get("observations", [])
    return seen if isinstance(seen, list) else []


# Changing


def create_entities(graph: Graph, entities: Iterable[Entity]) -> list[Entity]:
    """Those that were not there, which are now."""
    made = []
    for one in entities:
        if one["name"] not in graph["entities"]:
            graph["entities"][one["name"]] = {
                name: value for name, value in one.items() if name not in ("name", "type")
            }
            made.append(one)
    return made


def create_relations(graph: Graph, relations: Iterable[Relation]) -> list[Relation]:
    """Those that were not there, which are now."""
    there = {_ends(one) for one in list_relations(graph)}
    made = []
    for one in relations:
        if _ends(one) not in there:
            there.add(_ends(one))
            graph["relations"].append({name: value for name, value in one.items() if name != "type"})
            made.append(one)
    return made


def _ends(relation: Relation) -> tuple[Any, ...]:
    return tuple(str(relation.get(name)) for name in ENDS)


def add_observations(graph: Graph, name: str, contents: Iterable[str]) -> list[str]:
    """What was added of it to an entity. Raises NoEntity and NoGraph."""
    entity = find_entity(graph, name)
    seen = _observations(entity)
    added = [text for text in dict.fromkeys(contents) if text not in seen]
    if added and not isinstance(entity.get("observations", []), list):
        raise NoGraph(f"the observations of {name[:60]!r} are no array")
    if added:
        entity["observations"] = [*seen, *added]
    return added


def find_entity(graph: Graph, name: str) -> Entity:
    """An entity without its name. Raises NoEntity."""
    found = graph["entities"].get(name)
    if not isinstance(found, dict):
        raise NoEntity(
            f"there is no entity {name[:60]!r}; create it with create_entities, or find it with search_nodes"
        )
    return found


def delete_entities(graph: Graph, names: Iterable[str]) -> int:
    """Remove entities with their relations; how many there were."""
    gone = {name for name in names if graph["entities"].pop(name, None) is not None}
    graph["relations"] = [one for one in graph["relations"] if not _touches(one, gone)]
    return len(gone)


def _touches(relation: Any, names: set[str]) -> bool:
    return isinstance(relation, dict) and not names.isdisjoint(str(relation.get(end)) for end in ("from", "to"))


def delete_observations(graph: Graph, name: str, observations: Sequence[str]) -> int:
    """Remove what was observed of an entity; how many there were. Nothing, where there is no such entity."""
    found = graph["entities"].get(name)
    if not isinstance(found, dict):
        return 0
    seen = _observations(found)
    left = [text for text in seen if text not in observations]
    if len(left) < len(seen):
        found["observations"] = left
    return len(seen) - len(left)


def delete_relations(graph: Graph, relations: Iterable[Relation]) -> int:
    """Remove relations; how many there were."""
    gone = {_ends(one) for one in relations}
    before = len(graph["relations"])
    graph["relations"] = [one for one in graph["relations"] if not (isinstance(one, dict) and _ends(one) in gone)]
    return before - len(graph["relations"])


# Files


def read_line(raw: bytes) -> Entity | Relation:
    """An entity or a relation of a `memory.jsonl`. Raises BadLine."""
    try:
        value = parse_json(raw.strip()).value
    except NotAcceptable as error:
        raise BadLine(f"column {error.column}: {error.reason}") from None
    kind = value.get("type") if isinstance(value, dict) else None
    needed = {"entity": ("name",), "relation": ENDS}.get(str(kind))
    if not isinstance(value, dict) or needed is None:
        raise BadLine('its "type" is neither entity nor relation')
    if missing := [name for name in needed if not isinstance(value.get(name), str)]:
        raise BadLine(f"it lacks {missing[0]}, a string")
    if not isinstance(value.get("observations", []), list):
        raise BadLine("its observations are no array")
    return value


def take_in(graph: Graph, one: Entity | Relation) -> None:
    """Add what a line says; of an entity that is there, what it has not observed yet."""
    if one["type"] == "relation":
        create_relations(graph, [one])
    elif not create_entities(graph, [one]):
        there = find_entity(graph, one["name"])
        for name, value in one.items():
            if name not in ("name", "type"):
                there.setdefault(name, value)
        add_observations(graph, one["name"], one.get("observations", []))
