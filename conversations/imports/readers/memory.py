"""The file of an MCP memory server: a graph of entities and relations, a line each. It is state, not talk."""

from typing import Any

from conversations.imports.messages import ChatReading, ImportedState, Read, Reader, read_list


def _claims(value: dict[str, Any]) -> bool:
    if isinstance(value.get("entities"), list) and isinstance(value.get("relations"), list):
        return True
    kind = value.get("type")
    if kind == "entity":
        return "name" in value and ("entityType" in value or "observations" in value)
    return kind == "relation" and "from" in value and "to" in value


def _read(lines: list[tuple[int, dict[str, Any]]], reading: ChatReading) -> Read:
    entities: dict[str, Any] = {}
    relations: list[Any] = []
    for _, one in lines:
        if "type" not in one or "entities" in one:  # the whole graph, as its tool gives it
            for entity in read_list(one.get("entities")):
                _add(entities, entity)
            relations += read_list(one.get("relations"))
        elif one["type"] == "entity":
            _add(entities, one)
        else:
            relations.append({name: value for name, value in one.items() if name != "type"})
    return [ImportedState(reading.stem, {"entities": entities, "relations": relations})]


def _add(entities: dict[str, Any], one: Any) -> None:
    """An entity under its name, which is its identity; what another line says of it is put to it."""
    if not isinstance(one, dict) or not isinstance(one.get("name"), str):
        entities.setdefault("", []).append(one)
        return
    told = {name: value for name, value in one.items() if name not in ("type", "name")}
    there = entities.setdefault(one["name"], told)
    if there is not told:
        seen = read_list(there.get("observations"))
        more = [said for said in read_list(told.get("observations")) if said not in seen]
        entities[one["name"]] = {**told, **there, "observations": [*seen, *more]}


READER = Reader("an MCP memory server", _claims, _read, gathers=True)
