"""What the tools of the reference memory server do: each write is one revision of a key, planned on what is there."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from nola_site.mcp import graph as graphs
from nola_site.mcp.answers import Answer, Call, run_tool, tell_proposal
from nola_site.mcp.callers import Caller
from nola_site.mcp.graph import BadLine, Entity, Graph, Relation, make_graph
from nola_site.mcp.messages import Message
from nola_site.mcp.protocol import Request
from nola_site.mcp.reads import format_cursor, parse_cursor
from nola_site.mcp.tools import Tool
from state import edits, store
from state.address import Address, NotFound
from state.edits import Edit
from state.entries import read_entry
from state.history import past
from state.jsondoc.text import dump_json, make_document
from state.revisions import Author, Source

MOST_PAGE = 40_000  # characters of a page

Change = Callable[[Graph], dict[str, Any]]


class GraphMemory:
    """The graph of a key."""

    def __init__(self, key: str) -> None:
        store.check_key(key)
        self.key = key

    def call_tool(self, request: Request, tool: Tool, arguments: dict[str, Any]) -> Message:
        """Call one of the nine."""
        return run_tool(partial(self._call, tool.name), request, tool, arguments)

    def _call(self, name: str, call: Call, **arguments: Any) -> Answer:
        call.check_within(Address(self.key))  # a graph is read and written whole
        answer: Answer = getattr(self, name)(call, **arguments)
        return answer

    # Reading

    def read_graph(self, call: Call, cursor: str | None = None) -> Answer:
        """All of it."""
        return self._page(cursor, lambda graph: None)

    def search_nodes(self, call: Call, query: str, cursor: str | None = None) -> Answer:
        """What has a text in it, and the relations that it is in."""
        return self._page(cursor, lambda graph: graphs.find_entities(graph, query))

    def open_nodes(self, call: Call, names: list[str], cursor: str | None = None) -> Answer:
        """Some entities, and the relations that they are in."""
        return self._page(cursor, lambda graph: set(names))

    def _page(self, cursor: str | None, choose: Callable[[Graph], set[str] | None]) -> Answer:
        """As much as one answer holds, entities first; a cursor goes on in the revision in which it began."""
        revision, start = parse_cursor(cursor, 2) if cursor else [store.head(), 0]
        graph = self._read(revision)
        names = choose(graph)
        entities = [one for one in graphs.list_entities(graph) if names is None or one["name"] in names]
        relations = [
            one for one in graphs.list_relations(graph) if names is None or {one.get("from"), one.get("to")} & names
        ]
        told: dict[str, Any] = {"entities": [], "relations": []}
        room = MOST_PAGE
        for number, one in enumerate([*entities, *relations]):
            if number < start:
                continue
            room -= len(dump_json(one))
            if room < 0 and number > start:
                return Answer(told | {"cursor": format_cursor(revision, number)})
            told["entities" if number < len(entities) else "relations"].append(one)
        return Answer(told)

    def _read(self, revision: int) -> Graph:
        try:
            return make_graph(json.loads(past.read_value_at(Address(self.key), revision)))
        except NotFound:
            return make_graph()

    # Writing

    def create_entities(self, call: Call, entities: list[Entity]) -> Answer:
        """Those that were not there."""
        return self._change(call, lambda graph: {"entities": graphs.create_entities(graph, entities)})

    def create_relations(self, call: Call, relations: list[Relation]) -> Answer:
        """Those that were not there."""
        return self._change(call, lambda graph: {"relations": graphs.create_relations(graph, relations)})

    def add_observations(self, call: Call, observations: list[dict[str, Any]]) -> Answer:
        """What was new of it."""

        def add(graph: Graph) -> dict[str, Any]:
            return {"results": [{"entityName": name, "addedObservations": added} for name, added in _each(graph)]}

        def _each(graph: Graph) -> Iterable[tuple[str, list[str]]]:
            for one in observations:
                yield one["entityName"], graphs.add_observations(graph, one["entityName"], one["contents"])

        return self._change(call, add)

    def delete_entities(self, call: Call, entityNames: list[str]) -> Answer:
        """How many there were."""
        return self._change(call, lambda graph: {"deleted": graphs.delete_entities(graph, entityNames)})

    def delete_observations(self, call: Call, deletions: list[dict[str, Any]]) -> Answer:
        """How many there were."""
        pairs = [(one["entityName"], one["observations"]) for one in deletions]
        return self._change(
            call, lambda graph: {"deleted": sum(graphs.delete_observations(graph, *pair) for pair in pairs)}
        )

    def delete_relations(self, call: Call, relations: list[Relation]) -> Answer:
        """How many there were."""
        return self._change(call, lambda graph: {"deleted": graphs.delete_relations(graph, relations)})

    def _change(self, call: Call, change: Change) -> Answer:
        return Answer(self.change(call.make_state_author(), change))

    def change(self, author: Author, change: Change) -> dict[str, Any]:
        """Change the graph as one revision, or none where nothing changes; on what is there when it is written."""
        told: dict[str, Any] = {}

        def plan() -> list[Edit]:
            was = read_entry(self.key)
            graph = make_graph(json.loads(was.text) if was else None)
            before = dump_json(graph)
            told.update(change(graph))
            same = dump_json(graph) == before
            return [] if same else [edits.put(Address(self.key), make_document(graph), was)]

        written = store.commit(plan, author)
        return tell_proposal(written) or told | {"revision": written.revision}


def import_file(path: Path, key: str, caller: Caller) -> tuple[dict[str, Any], list[str]]:
    """Take in a `memory.jsonl`, line by line, as one revision: what it holds by now, and which lines were bad."""
    lines: list[Entity | Relation] = []
    bad: list[str] = []
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                lines += [graphs.read_line(raw)] if raw.strip() else []
            except BadLine as error:
                bad.append(f"line {number}: {error}")

    def take_in(graph: Graph) -> dict[str, Any]:
        for one in lines:
            graphs.take_in(graph, one)
        return {"entities": len(graph["entities"]), "relations": len(graph["relations"])}

    author = Author(caller.actor, Source.IMPORT, info={"file": path.name})
    return GraphMemory(key).change(author, take_in), bad
