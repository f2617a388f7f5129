"""What counts as a word: for the index, for a question to it, and for showing where a text matches.

Scripts that put no spaces between words are split into characters, which are found again as phrases: neither of the
tokenizers that SQLite brings finds a word of two such characters. Elsewhere a word is a run of letters and digits.
Words are compared as `state.jsondoc.fold` has it; places in a text are those of the text as it is stored.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from state.errors import Unprocessable
from state.jsondoc.budget import spend_work
from state.jsondoc.fold import fold_text, fold_with_places

MOST_CHARACTERS = 1000  # in a question
MOST_TERMS = 32
INDEXED = 256 * 1024  # characters of a message; what comes behind is kept, but not found
AROUND = 80  # characters of a snippet, before and behind the match

# Han, kana, Hangul, Thai, Lao, Burmese, Khmer, and symbols such as emoji
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2600-\u27bf\u2e80-\u2fdf\u3005-\u3007\u3040-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc"
    "\U0001f000-\U0001faff\U00020000-\U0003ffff"
)
_TOKEN = re.compile(f"[{_ALONE}]|(?:(?![{_ALONE}])[^\\W_])+")
_CHUNK = re.compile(r"\S+")  # no word, and nothing that is folded, goes over white space
_TERM = re.compile(r'"(?P<phrase>[^"]*)"?(?P<more>\*?)|(?P<word>[^\s"]+)')


class BadSearch(Unprocessable):
    """A question that is too long, or asks for nothing."""


class SearchTerm(NamedTuple):
    """Words, folded, that must follow one another; of the last one the beginning is enough if `is_prefix`."""

    tokens: tuple[str, ...]
    is_prefix: bool


class Snippet(NamedTuple):
    """A piece of a text, and where in the piece the matches are, as character offsets [from, to)."""

    text: str
    matches: list[tuple[int, int]]


def split_words(text: str) -> str:
    """The words of a text, folded, as they go into the index; of at most INDEXED characters of it.

    The index must be made anew, by a migration, whenever this changes: it is told the words to forget them.
    """
    text = text[:INDEXED]
    return text if text.isascii() else " ".join(_TOKEN.findall(fold_text(text)))


def parse_terms(question: str) -> list[SearchTerm]:
    """What is asked for: words, "phrases", and beginnings of words as `begin*`. Raises BadSearch.

    Any text is a question; what is neither letter, digit nor symbol says nothing in it.
    """
    if len(question) > MOST_CHARACTERS:
        raise BadSearch(f"the search has {len(question):,} characters; {MOST_CHARACTERS:,} are taken at most")
    found = [term for match in _TERM.finditer(question) if (term := _term(match)).tokens]
    if not found:
        raise BadSearch("the search names no word, such as q=garden, q=gard* or q=%22herb+garden%22")
    if len(found) > MOST_TERMS:
        raise BadSearch(f"the search has {len(found)} words; {MOST_TERMS} are taken at most")
    return list(dict.fromkeys(found))  # what is said twice is looked for once


def parse_typed(text: str) -> list[SearchTerm]:
    """What is asked for while it is being typed: the last word may go on. Nothing if no word is in it."""
    try:
        return parse_terms(text if text.rstrip().endswith(("*", '"')) else f"{text.rstrip()}*")
    except BadSearch:
        return []


def _term(match: re.Match[str]) -> SearchTerm:
    text = match["word"] or match["phrase"] or ""
    is_prefix = bool(match["more"]) or bool(match["word"] and text.endswith("*"))
    return SearchTerm(tuple(_TOKEN.findall(fold_text(text))), is_prefix)


def find_spans(text: str, asked: Sequence[SearchTerm]) -> Iterator[tuple[int, int]]:
    """Where the terms are in a text, in the order in which they begin."""
    longest = max(len(term.tokens) for term in asked)
    window: list[tuple[str, int, int]] = []
    for token in _find_tokens(text):
        window.append(token)
        if len(window) == longest:
            yield from _at_first(window, asked)
            del window[0]
    while window:
        yield from _at_first(window, asked)
        del window[0]


def _find_tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """The words of a text, folded, and from where to where each of them goes in it."""
    for chunk in _CHUNK.finditer(text):
        folded, places = fold_with_places(chunk[0])
        for match in _TOKEN.finditer(folded):
            spend_work()
            last, end = places[match.end() - 1], match.end()
            while places[end] <= last:
                end += 1
            yield match[0], chunk.start() + places[match.start()], chunk.start() + places[end]


def _at_first(window: Sequence[tuple[str, int, int]], asked: Sequence[SearchTerm]) -> Iterator[tuple[int, int]]:
    """The longest match that begins at the first token of the window."""
    ends = [window[len(tokens) - 1][2] for tokens, is_prefix in asked if _fits(window, tokens, is_prefix)]
    if ends:
        yield window[0][1], max(ends)


def _fits(window: Sequence[tuple[str, int, int]], tokens: Sequence[str], is_prefix: bool) -> bool:
    if len(window) < len(tokens):
        return False
    last, found = tokens[-1], window[len(tokens) - 1][0]
    is_last = found.startswith(last) if is_prefix else found == last
    return is_last and all(window[number][0] == token for number, token in enumerate(tokens[:-1]))


def cut_snippet(text: str, asked: Sequence[SearchTerm]) -> Snippet:
    """The part of a text around its first match, with the matches in it; its beginning where none is found."""
    text = text[:INDEXED]
    first = next(find_spans(text, asked), None)
    start = 0 if first is None else _word_start(text, max(0, first[0] - AROUND))
    end = _word_end(text, (first[1] if first else 0) + 2 * AROUND)
    piece = text[start:end]
    found: list[tuple[int, int]] = []
    for one in find_spans(piece, asked):
        if not found or one[0] >= found[-1][1]:
            found.append(one)
    return Snippet(piece, found)


def _word_start(text: str, position: int) -> int:
    """The beginning of the next word, if it is near: no snippet begins within one."""
    space = text.find(" ", position, position + 20) if position else -1
    return position if space < 0 else space + 1


def _word_end(text: str, position: int) -> int:
    """The end of the word before, if it is near: no snippet ends within one either."""
    space = text.rfind(" ", position - 20, position) if position < len(text) else -1
    return min(position, len(text)) if space < 0 else space
