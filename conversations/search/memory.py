"""One search over all of the memory: keys by name, values and messages by words, conversations by what they are called.

What the grant does not let one read is not looked at.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection

from access.rights import Grant, Right
from conversations.search.keys import KeyHit, search_keys
from conversations.search.messages import MessageHits, search_messages
from conversations.search.state_leaves import StateLeaf, search_values
from conversations.search.titles import NEWEST, ConversationHit, search_titles
from conversations.search.tokenize import MOST_CHARACTERS, BadSearch, SearchTerm, parse_terms, parse_typed
from state.jsondoc.projection import Places

PARTS = ("keys", "values", "conversations", "messages")
IN_STATE = {"keys", "values"}
SECONDS = 1.0  # of computing, that looking through values may take
BEGINNING = 3  # letters from where on a word that is being typed may be the beginning of a longer one
COUNT = """
    SELECT (SELECT count(*) FROM state_storage),
        (SELECT count(*) FROM conversation WHERE deleted_revision IS NULL),
        (SELECT count(*) FROM conversation_history WHERE conversation_id NOT IN
            (SELECT id FROM conversation WHERE deleted_revision IS NOT NULL))
        - (SELECT count(*) FROM conversation_history WHERE deleted_revision IS NOT NULL AND conversation_id NOT IN
            (SELECT id FROM conversation WHERE deleted_revision IS NOT NULL))
"""


@dataclass(slots=True)
class MemoryHits:
    """What is found in each part, `more` naming the parts that have more; a part that is not searched has none.

    `problem` says why words could not be looked for; `looked_through` is the number of keys whose values were, if not
    all.
    """

    keys: list[KeyHit]
    values: list[StateLeaf]
    conversations: list[ConversationHit]
    messages: MessageHits
    more: set[str]
    problem: str = ""
    looked_through: int | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.keys or self.values or self.conversations or self.messages.hits)


class MemorySize(NamedTuple):
    """How much there is to search."""

    keys: int
    conversations: int
    messages: int


def list_parts(grant: Grant) -> list[str]:
    """The parts that somebody may search."""
    rights = {name: Right.READ_STATE if name in IN_STATE else Right.READ_CONVERSATIONS for name in PARTS}
    return [name for name in PARTS if rights[name] in grant.rights]


def search_memory(
    question: str,
    grant: Grant,
    limit: int,
    *,
    parts: Collection[str] = PARTS,
    skip: int = 0,
    filters: Mapping[str, Any] | None = None,
    newest_first: bool = False,
    seconds: float = SECONDS,
) -> MemoryHits:
    """So many hits of each part, behind `skip`; the `filters` are those of messages. The last word may go on."""
    hits = MemoryHits([], [], [], MessageHits([], 0, None), set())
    wanted = [part for part in list_parts(grant) if part in parts]
    places = Places(grant.places) if grant.places else None
    if len(question) > MOST_CHARACTERS:
        hits.problem = f"The search has {len(question):,} characters; {MOST_CHARACTERS:,} are taken at most."
        return hits
    more = dict.fromkeys(PARTS, False)
    if "keys" in wanted:
        hits.keys, more["keys"] = search_keys(question, limit, skip=skip, places=places)
    if "conversations" in wanted:
        hits.conversations, more["conversations"] = search_titles(question, limit, skip=skip, user_id=grant.user_id)
    try:
        terms = parse_typed(question) or parse_terms(question)
    except BadSearch as error:
        hits.problem = _explain(str(error))
        terms = []
    if terms and "values" in wanted:
        found = search_values(terms, limit, seconds, skip=skip, places=places)
        hits.values, more["values"], hits.looked_through = found
    if terms and "messages" in wanted:
        narrowed = dict(filters or {}) | ({"user_id": grant.user_id} if grant.user_id else {})
        hits.messages = _search_messages(question, terms, narrowed, limit, skip, newest_first)
        more["messages"] = skip + limit < hits.messages.total
    hits.more = {part for part in PARTS if more[part]}
    return hits


def _search_messages(
    question: str, terms: list[SearchTerm], filters: Mapping[str, Any], limit: int, skip: int, newest_first: bool
) -> MessageHits:
    """Of a word that may go on the whole word comes first: all that begin like it are far more to look through."""
    *others, last = terms
    if last.is_prefix and not question.rstrip().endswith("*"):
        found = search_messages(
            [*others, last._replace(is_prefix=False)], filters, limit, skip=skip, newest_first=newest_first
        )
        if found.total > limit or len(last.tokens[-1]) < BEGINNING:
            return found
    return search_messages(terms, filters, limit, skip=skip, newest_first=newest_first)


def _explain(problem: str) -> str:
    if "names no word" in problem:
        return "There is no letter, digit or symbol in it that values and messages could be searched for."
    return f"{problem[0].upper()}{problem[1:]}."


def measure_memory() -> MemorySize:
    """How much there is of all that is not deleted."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT)
        return MemorySize(*cursor.fetchone())


def tell_searched(grant: Grant, hits: MemoryHits) -> str:
    """What was searched, and what was not, in a sentence or two. Who is limited is told no numbers."""
    parts = list_parts(grant)
    if grant.is_limited:
        told = ["keys and values"] * ("keys" in parts) + ["conversations and messages"] * ("messages" in parts)
        return f"Searched the {' and '.join(told)} that you may read."
    size = measure_memory()
    told, left_out = [], ["what was deleted", "history", "proposals"]
    if "keys" in parts:
        values = "their values" if hits.looked_through is None else f"the values of the first {hits.looked_through:,}"
        told.append(f"{_count(size.keys, 'key')} and {values}")
    if "messages" in parts:
        newest = f", by name the newest {NEWEST:,}" if size.conversations > NEWEST else ""
        told.append(f"{_count(size.messages, 'message')} in {_count(size.conversations, 'conversation')}{newest}")
    if "keys" not in parts:
        left_out.insert(0, "keys and values, which your account may not read")
    if "messages" not in parts:
        left_out.insert(0, "conversations, which your account may not read")
    return f"Searched {', '.join(told)}. Not searched: {', '.join(left_out)}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
