"""Nola as the store of LangGraph: its long-term memory, with history, undo and a page where a person sees all of it.

An item of the namespace `("users", "ada")` stands at `/LangGraph/users.ada/<key>`: its value with two times. A search
with a query puts first the items in which most of its words are; there are no embeddings, and no times to live.
"""

import asyncio
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
)
from langgraph.store.base import validate_op_namespace as check_labels

from nola_client import AsyncNola, Nola, state
from nola_client.flow import Flow
from nola_client.values import dump_json, format_pointer

MOST = 128  # operations of a transaction
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$gt": lambda one, other: float(one) > float(other),
    "$gte": lambda one, other: float(one) >= float(other),
    "$lt": lambda one, other: float(one) < float(other),
    "$lte": lambda one, other: float(one) <= float(other),
}


class NolaStore(BaseStore):
    """A store for graphs; with a Nola for plain ones, with an AsyncNola for those that are awaited."""

    def __init__(self, nola: Nola | AsyncNola, key: str = "LangGraph") -> None:
        self.nola, self.key = nola, key

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        if isinstance(self.nola, AsyncNola):
            raise TypeError("with an AsyncNola the store is awaited: aget, aput, asearch; give it a Nola")
        return self.nola.run(self._batch(list(ops)))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        if isinstance(self.nola, Nola):
            return await asyncio.to_thread(self.batch, list(ops))
        return await self.nola.run(self._batch(list(ops)))

    def _batch(self, ops: list[Op]) -> Flow[list[Result]]:
        """All that is read is read before anything is written; of several writes of an item the last one counts."""
        results: list[Result] = []
        writes: dict[tuple[str, ...], tuple[Mapping[str, Any] | None, str | None]] = {}
        stored: dict[str, Any] | None = None
        for op in ops:
            check_labels(op)
            result: Result = None
            if isinstance(op, PutOp):
                place = self._place(op.namespace, op.key)
                writes[place] = (op.value, (yield from state.get((*place, "created_at"), None)))
            elif isinstance(op, GetOp):
                found = yield from state.get(self._place(op.namespace, op.key), None)
                result = found and Item(**_members(op.namespace, op.key, found))
            else:
                stored = (yield from state.get((self.key,), {})) if stored is None else stored
                result = _search(stored, op) if isinstance(op, SearchOp) else _list_namespaces(stored, op)
            results.append(result)
        operations = [_write(place, *write) for place, write in writes.items() if any(one is not None for one in write)]
        for start in range(0, len(operations), MOST):
            yield from state.transaction(operations[start : start + MOST], reason="LangGraph")
        return results

    def _place(self, namespace: tuple[str, ...], key: str) -> tuple[str, str, str]:
        return self.key, ".".join(namespace), key


def _write(place: tuple[str, ...], value: Mapping[str, Any] | None, created: str | None) -> dict[str, Any]:
    """The operation that puts an item; a merge with null takes it away, also if somebody else just did."""
    if value is None:
        return {"op": "merge", "pointer": format_pointer(place[:-1]), "value": {place[-1]: None}}
    now = datetime.now(UTC).isoformat()
    item = {"value": value, "created_at": created or now, "updated_at": now}
    return {"op": "put", "pointer": format_pointer(place), "value": item}


def _members(namespace: tuple[str, ...], key: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: datetime.fromisoformat(stored[name]) for name in ("created_at", "updated_at")}
    return {"namespace": namespace, "key": key, "value": stored["value"], **times}


def _search(stored: Mapping[str, Any], op: SearchOp) -> list[SearchItem]:
    found = [
        SearchItem(**_members(namespace, key, item))
        for namespace, items in _read_namespaces(stored)
        if namespace[: len(op.namespace_prefix)] == op.namespace_prefix
        for key, item in items.items()
        if all(_fits(item["value"].get(name), wanted) for name, wanted in (op.filter or {}).items())
    ]
    if words := set(re.findall(r"\w+", (op.query or "").casefold())):
        found.sort(key=lambda one: -len(words & set(re.findall(r"\w+", dump_json(one.value).decode().casefold()))))
    return found[op.offset : op.offset + op.limit]


def _list_namespaces(stored: Mapping[str, Any], op: ListNamespacesOp) -> list[tuple[str, ...]]:
    namespaces = [
        namespace
        for namespace, items in _read_namespaces(stored)
        if items and all(_matches(condition, namespace) for condition in op.match_conditions or ())
    ]
    return sorted({one[: op.max_depth] for one in namespaces})[op.offset : op.offset + op.limit]


def _read_namespaces(stored: Mapping[str, Any]) -> Iterable[tuple[tuple[str, ...], Mapping[str, Any]]]:
    return ((tuple(name.split(".")), items) for name, items in stored.items())


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value is what a filter asks for: equal to it, or in all its members, or as its operators compare."""
    if isinstance(wanted, Mapping) and any(name.startswith("$") for name in wanted):
        return all(COMPARE[name](value, other) for name, other in wanted.items())
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(_fits(value.get(name), one) for name, one in wanted.items())
    if isinstance(wanted, list | tuple):
        return isinstance(value, list) and len(value) == len(wanted) and all(map(_fits, value, wanted))
    return bool(value == wanted)


def _matches(condition: MatchCondition, namespace: tuple[str, ...]) -> bool:
    """Whether a namespace begins, or ends, with a path, in which * is any name."""
    path, start = condition.path, len(namespace) - len(condition.path)
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[max(0, start) :]
    return start >= 0 and all(wanted in ("*", name) for wanted, name in zip(path, part, strict=True))
