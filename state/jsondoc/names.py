"""Names as a person can see them, where what has no shape is written out (so does `names.js`); and their order."""

import re
import unicodedata

_SPACES = re.compile(r"^ +| +$| {2,}")
_JOINED = re.compile(
    r"(?<=[^\0-\u00a0])[\u200c\u200d](?=[^\0-\u00a0])"
)  # within words and emoji they do what they are for
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs that are blank


def caseless_order(name: str) -> tuple[str, str]:
    """By what to sort names whatever their case, and those that differ in nothing else by code point.

    It is each character in lower case by itself, without a look at those around it. `key_order.js` does the same.
    """
    return name.replace("Σ", "σ").lower(), name


def show_name(name: str) -> str:
    """A name with visible marks in place of what cannot be seen: ␣ for a space, ‹U+200B› for others."""
    if not name:
        return "(no name)"
    joiners = {found.start() for found in _JOINED.finditer(name)}
    seen = "".join(one if place in joiners else _show(one) for place, one in enumerate(name))
    return _SPACES.sub(lambda run: "␣" * len(run[0]), seen)


def _show(one: str) -> str:
    category = unicodedata.category(one)
    unseen = category in _UNSEEN or one in _FILLERS or (category == "Zs" and one != " ")
    return f"‹U+{ord(one):04X}›" if unseen else one
