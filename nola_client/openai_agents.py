"""Nola as the session of the OpenAI Agents SDK: each item is a message of a conversation, whole in its `metadata`."""

from collections.abc import Mapping
from typing import Any, cast

from agents.items import TResponseInputItem
from agents.memory import Session, SessionSettings

from nola_client import AsyncNola, Gone, NotFound

ITEM = "openai_item"  # the member of a message's metadata
SPEAKERS = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
AT_ONCE = 1000


class NolaSession(Session):
    """A session of an agent: `Runner.run(agent, "...", session=NolaSession("trip-42", nola))`."""

    def __init__(self, session_id: str, nola: AsyncNola, session_settings: SessionSettings | None = None) -> None:
        self.session_id, self.nola, self.session_settings = session_id, nola, session_settings

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The last so many items, oldest first; all without a limit."""
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        found: list[TResponseInputItem] = []
        if limit is not None and limit <= 0:
            return found
        try:
            async for message in self.nola.messages(self.session_id, order="newest", limit=min(limit or 100, AT_ONCE)):
                if (item := _read_item(message)) is not None:
                    found.append(item)
                if len(found) == limit:
                    break
        except (NotFound, Gone):
            pass
        return found[::-1]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add items, all or none of up to 1,000."""
        messages = [_write_item(cast(Mapping[str, Any], item)) for item in items]
        for start in range(0, len(messages), AT_ONCE):
            await self.nola.append_many(self.session_id, messages[start : start + AT_ONCE])

    async def pop_item(self) -> TResponseInputItem | None:
        """Take the last item away; undo brings it back."""
        while found := await self.nola.last_messages(self.session_id, 1):
            try:
                await self.nola.delete_messages(self.session_id, [found[0]["id"]])
            except (NotFound, Gone):  # somebody else has just taken it
                continue
            if (item := _read_item(found[0])) is not None:
                return item
        return None

    async def clear_session(self) -> None:
        """Take all items away; undo brings them back."""
        await self.nola.clear(self.session_id)


def _write_item(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(item.get("type", "message"))
    speaker = "tool" if kind.endswith("_output") else SPEAKERS.get(str(item.get("role")), "assistant")
    return {"speaker": speaker, "message": _read_text(item), "metadata": {ITEM: item}}


def _read_text(item: Mapping[str, Any]) -> str:
    """What of an item is to be read by people and found by search."""
    said = item.get("content", item.get("output", item.get("summary", "")))
    parts = said if isinstance(said, list) else [said]
    texts = [part.get("text", "") if isinstance(part, Mapping) else str(part) for part in parts if part]
    if "arguments" in item:
        texts.append(f"{item.get('name', '')}({item['arguments']})")
    return "\n".join(filter(None, map(str, texts))).replace("\0", "\ufffd")


def _read_item(message: Mapping[str, Any]) -> TResponseInputItem | None:
    """The item that a message keeps; of one that came by another door, who says what."""
    kept = message["metadata"].get(ITEM)
    if kept is None and message["speaker"] != "tool":
        kept = {"role": message["speaker"], "content": message["message"]}
    return cast(TResponseInputItem | None, kept)
