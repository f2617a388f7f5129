"""Nola as a chat history of LangChain: each message of a conversation keeps the whole message in its `metadata`.

LangChain calls these histories deprecated from 1.6.4 on, and will remove them in 2.0; LangGraph has its store.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict

from nola_client import Gone, Nola, NotFound

MESSAGE = "langchain_message"  # the member of a message's metadata
SPEAKERS = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool"}
TYPES = {"user": "human", "assistant": "ai", "system": "system"}
AT_ONCE = 1000


class NolaChatMessageHistory(BaseChatMessageHistory):
    """The history of one conversation, for RunnableWithMessageHistory; its async methods run in threads."""

    def __init__(self, session_id: str, nola: Nola) -> None:
        super().__init__()
        self.session_id, self.nola = session_id, nola

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override, unused-ignore]  # they say that it may be a property
        """All messages, oldest first."""
        try:
            found = [_read(one) for one in self.nola.messages(self.session_id, limit=AT_ONCE)]
        except (NotFound, Gone):
            return []
        return messages_from_dict([one for one in found if one])

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages, all or none of up to 1,000."""
        for start in range(0, len(messages), AT_ONCE):
            self.nola.append_many(self.session_id, [_write(one) for one in messages[start : start + AT_ONCE]])

    def clear(self) -> None:
        """Take all messages away; undo brings them back."""
        self.nola.clear(self.session_id)


def _write(message: BaseMessage) -> dict[str, Any]:
    speaker = SPEAKERS.get(message.type, "user")
    text = str(message.text).replace("\0", "\ufffd")
    return {"speaker": speaker, "message": text, "metadata": {MESSAGE: message_to_dict(message)}}


def _read(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """The message that is kept; of one that came by another door, who says what."""
    kept: dict[str, Any] | None = message["metadata"].get(MESSAGE)
    if kept is None and message["speaker"] in TYPES:
        return {"type": TYPES[message["speaker"]], "data": {"content": message["message"]}}
    return kept
