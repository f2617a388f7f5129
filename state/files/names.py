"""The names of the files that keys have in a folder, on any file system, and the keys that such names stand for.

A name is the key, percent-encoded where it must be: `a/b` is `a%2Fb.json`. The name alone tells the key, also where
two keys differ only in case: then one has a letter encoded. A long key is cut and ends with its hash; its name tells
the key only to who knows it.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

SUFFIX = ".json"
LONGEST = 120  # bytes before the suffix: encrypted file systems leave 143 for all, and drafts have longer names
CUT = "%~"  # stands before the hash of a name that was cut; nothing encodes to it
PLAIN = "-_.@+"
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)", re.IGNORECASE)

# What other programs put before the suffix of a file that they keep beside one of the same name: Syncthing, ownCloud;
# and in brackets Dropbox, Nextcloud, Seafile, in whatever language
CONFLICT_COPY = re.compile(
    r"(?:\.sync-conflict-\d{8}-\d{6}(?:-[A-Z0-9]{7})?|_conflict-\d{8}-\d{6}"
    r"| \((?:[^()]|\([^()]*\))*(?:conflict|konflikt|conflit)(?:[^()]|\([^()]*\))*\))$",
    re.IGNORECASE,
)
# ... and browsers, desktops, Resilio, rclone: names that people give as well
OTHER_COPY = re.compile(
    r"(?: \(\d+\)| \((?:another |\d+(?:st|nd|rd|th) )?copy\)| copy(?: \d+)?| - copy(?: \(\d+\))?|\.conflict\d*)$",
    re.IGNORECASE,
)


class BadFileName(ValueError):
    """A file name that stands for no key."""


def name_file(key: str, is_taken: Callable[[str], bool] = lambda name: False) -> str:
    """The file name of a key; `is_taken` says whether another file has it, in the spelling of `fold_name`."""
    cased = [place for place, char in enumerate(key) if char.lower() != char.upper()]
    for count in range(len(cased) + 1):
        name = _fitting(key, frozenset(cased[:count])) + SUFFIX
        if not is_taken(fold_name(name)):
            return name
    raise BadFileName(f"the key {key!r} finds no name in the folder that another file does not have")


def parse_filename(name: str) -> str | None:
    """The key a file name stands for; None for one that was cut. Raises BadFileName."""
    stem = name.removesuffix(SUFFIX)
    if re.search(re.escape(CUT) + "[0-9a-f]{16}$", stem):
        return None
    try:
        key = unquote_to_bytes(stem).decode()
    except UnicodeError:
        raise BadFileName("its name is not UTF-8; rename it") from None
    return key


def find_original(name: str, is_there: Callable[[str], bool]) -> str | None:
    """The name of the file that another program made this one a copy of, None for one that is none.

    `is_there` says whether there is a file, or a key for one, of a name: what people call a file as well counts as a
    copy only beside its original.
    """
    stem, original = name.removesuffix(SUFFIX), None
    while match := CONFLICT_COPY.search(stem) or OTHER_COPY.search(stem):
        stem = stem[: match.start()]
        if not stem:
            break
        if match.re is CONFLICT_COPY or is_there(stem + SUFFIX):
            original = stem + SUFFIX
    return original


def is_cut_name(name: str, key: str) -> bool:
    """Whether a name that was cut is this key's."""
    return name.removesuffix(SUFFIX).endswith(CUT + _hash(key))


def fold_name(name: str) -> str:
    """What names have in common that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _fitting(key: str, hidden: frozenset[int]) -> str:
    """The encoded key with these characters hidden, cut if it is too long."""
    parts = [_encoded(key, place, place in hidden) for place in range(len(key))]
    if RESERVED.match(key):
        parts[0] = _percent(key[0])
    if len("".join(parts).encode()) <= LONGEST:
        return "".join(parts)
    tail = CUT + _hash(key)
    room = LONGEST - len(tail)
    kept = ""
    for part in parts:
        if len((kept + part).encode()) > room:
            break
        kept += part
    return kept + tail


def _encoded(key: str, place: int, is_hidden: bool) -> str:
    char = key[place]
    at_edge = place in (0, len(key) - 1)
    if char in PLAIN:
        is_plain = not (char == "." and at_edge)
    elif char == " ":
        is_plain = not at_edge
    else:
        is_plain = char.isalnum() and unicodedata.is_normalized("NFC", key)
    return char if is_plain and not is_hidden else _percent(char)


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
