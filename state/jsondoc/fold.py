"""Texts as they are compared when somebody looks for words: without case, diacritics, and forms of one character.

Full case folding and compatibility decomposition of Unicode (chapters 3.13 and 3.11), as for NFKC_Casefold: `straße` is
`strasse`, `ﬁ` is `fi`, `Ａ` is `a`, `²` is `2`. Voicing marks of kana and parts of Hangul are no diacritics, and stay.
"""

import re
import unicodedata
from collections.abc import Sequence

VOICING = "\u3099\u309a"
# Hangul in parts, a syllable and its last part, kana and its voicing: what makes one character out of several
_PARTS = re.compile(
    "[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?|[\uac00-\ud7a3][\u11a8-\u11c2]|[\u3041-\u30ff][\u3099\u309a]"
)


class _Folds(dict[int, str]):
    """Each character folded, as it is asked for."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        spelt = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold()).casefold()
        plain = "".join(one for one in spelt if one in VOICING or not unicodedata.combining(one))
        folded = unicodedata.normalize("NFC", plain)
        if folded != char and unicodedata.category(char) == "So":
            folded = f" {folded} "  # a sign such as ™ or ㎏ is no part of the word before it
        self[code] = folded
        return folded


_FOLDS = _Folds()
_FOREIGN = re.compile(r"([^\0-\x7f]+)")  # no character is made of one of these and one of ASCII
FEW = 50  # where less than one byte in so many is foreign, looking at each character alone would take far longer


def fold_text(text: str) -> str:
    """A text to compare with others. Folding twice is folding once."""
    if text.isascii():
        return text.lower()
    if len(text.encode(errors="surrogatepass")) - len(text) > len(text) // FEW:
        return _fold_all(text)
    runs = _FOREIGN.split(text)  # ASCII and others in turn
    runs[::2] = [run.lower() for run in runs[::2]]
    runs[1::2] = [_fold_all(run) for run in runs[1::2]]
    return "".join(runs)


def _fold_all(text: str) -> str:
    return _PARTS.sub(lambda parts: unicodedata.normalize("NFC", parts[0]), text.translate(_FOLDS))


def fold_with_places(text: str) -> tuple[str, Sequence[int]]:
    """The same, and for each character of it, and its end, where in the text that begins."""
    if text.isascii():
        return text.lower(), range(len(text) + 1)
    pieces = [_FOLDS[ord(char)] for char in text]
    places = [number for number, piece in enumerate(pieces) for _ in piece]
    folded, kept, end = [], [], 0
    spelt = "".join(pieces)
    for parts in _PARTS.finditer(spelt):
        one = unicodedata.normalize("NFC", parts[0])
        folded += [spelt[end : parts.start()], one]
        kept += [*places[end : parts.start()], *([places[parts.start()]] * len(one))]
        end = parts.end()
    return "".join([*folded, spelt[end:]]), [*kept, *places[end:], len(text)]
