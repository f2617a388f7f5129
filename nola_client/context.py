"""What a model should know now: a context within a budget, and a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nola_client.flow import Flow, Request, given
from nola_client.values import Address, format_pointer


@dataclass(frozen=True, slots=True)
class Context:
    """A text for the system prompt, the tokens it takes, and the revision it is of."""

    text: str
    tokens: int
    revision: int


def context(
    *,
    budget: int | None = None,
    sections: Sequence[Address] = (),
    conversation: str | None = None,
    messages: int | None = None,
    q: str | None = None,
    level: int | None = None,
) -> Flow[Context]:
    """What a model should know, as Markdown: state, the last messages of a conversation, and what `q` finds."""
    query = {"pointer": [*map(format_pointer, sections)] or None, "conversation": conversation, "messages": messages}
    query |= {"budget": budget, "q": q, "level": level, "format": "markdown"}
    response = yield Request("GET", "/api/context", given(query), headers={"Accept": "text/markdown"})
    told = response.headers
    return Context(response.text, int(told["Nola-Tokens"]), int(told["Nola-Revision"]))


def search(
    q: str,
    *,
    where: Literal["all", "messages", "state"] | None = None,
    session: str | None = None,
    limit: int | None = None,
) -> Flow[dict[str, Any]]:
    """The messages and the leaves of the state in which all the words are; `limit` is how many of either."""
    response = yield Request("GET", "/api/search", given({"q": q, "in": where, "session": session, "limit": limit}))
    return dict(response.json())
