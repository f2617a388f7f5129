"""Names by parts of them, in the order in which a person expects them, and where the parts are."""

from collections.abc import Iterable, Sequence

from conversations.search.tokenize import Snippet
from state.jsondoc.fold import fold_text, fold_with_places

LONGEST = 300  # characters of a name that are looked at to mark them


def split_parts(question: str) -> list[str]:
    """What a name must have in it: the words that are typed, folded."""
    return list(dict.fromkeys(part for word in question.split() if (part := fold_text(word).strip())))


def rank_name(name: str, question: str, parts: Sequence[str]) -> int | None:
    """How well a name fits, 0 is best; None if a part is not in it."""
    spelt, asked = fold_text(name), fold_text(question.strip())
    if not all(part in spelt for part in parts):
        return None
    if spelt == asked:
        return 0
    if spelt.startswith(asked):
        return 1
    return 2 if _begins_word(spelt, parts[0]) else 3


def _begins_word(name: str, part: str) -> bool:
    at = name.find(part)
    while at > 0 and name[at - 1].isalnum():
        at = name.find(part, at + 1)
    return at >= 0


def rank_names(names: Iterable[str], question: str) -> list[str]:
    """Those of the names that fit, the best first: the same, a beginning, the beginning of a word, any part."""
    parts = split_parts(question)
    if not parts:
        return []
    typed = question.strip()
    fits = [
        (rank, name != typed, len(name), name)
        for name in names
        if (rank := rank_name(name, question, parts)) is not None
    ]
    return [name for *_, name in sorted(fits)]


def mark_parts(name: str, question: str) -> Snippet:
    """A name with the places of the parts in it."""
    text = name[:LONGEST]
    folded, places = fold_with_places(text)
    marked = [False] * len(text)
    for part in split_parts(question):
        at = folded.find(part)
        while at >= 0:
            start, last = places[at], places[at + len(part) - 1]
            marked[start : last + 1] = [True] * (last + 1 - start)
            at = folded.find(part, at + len(part))
    edges = [at for at in range(len(text) + 1) if (at < len(text) and marked[at]) != (at > 0 and marked[at - 1])]
    return Snippet(text, list(zip(edges[::2], edges[1::2], strict=True)))
