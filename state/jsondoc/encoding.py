"""Which encoding a text has that is not UTF-8, as JSON is (RFC 8259 §8.1), and how to make it so."""

import codecs

HEADS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # which begins as UTF-16 does
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
WITHOUT_HEAD = ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE")
LOOKED_AT = 64  # bytes


def explain_encoding(raw: bytes) -> str:
    """What a text is, and the way to UTF-8, if its first bytes show another encoding: a mark, or zeros around the ASCII
    that JSON begins with. Else "".
    """
    name = _recognize(raw[:LOOKED_AT])
    return name and f"{name}, not UTF-8; save it as UTF-8, or convert it: iconv -f {name} -t UTF-8 OLD > NEW"


def _recognize(start: bytes) -> str:
    for head, name in HEADS.items():
        if start.startswith(head):
            return name
    for name in WITHOUT_HEAD if b"\0" in start[:4] else ():
        try:
            text = codecs.getincrementaldecoder(name)().decode(start)
        except UnicodeDecodeError:
            continue
        if text[:1].isascii() and text and "\0" not in text:
            return name
    return ""
