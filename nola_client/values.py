"""JSON values and addresses, as Python has them.

An int may have up to 4,300 digits. A number with a point or an exponent is a float: `1.0` stays apart from `1`, and
`-0.0` keeps its sign. Nola stores numbers as Python writes them (`1e2` as `100.0`), so what is read and written again
is the same to the byte. The text itself is in a `Reading`, and `put_text` takes one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

JSONValue: TypeAlias = "bool | int | float | str | Sequence[JSONValue] | Mapping[str, JSONValue] | None"
Address: TypeAlias = str | Sequence[str | int]


def dump_json(value: object) -> bytes:
    """A value as the API takes it. Raises ValueError for NaN, Infinity, half a surrogate pair, and what is no JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except TypeError as error:
        raise ValueError(str(error)) from None


def load_json(text: str | bytes) -> Any:
    """The value that a text stands for."""
    return json.loads(text)


def format_pointer(address: Address) -> str:
    """The RFC 6901 pointer of an address, whose first token is the key; "" is all of the state.

    An address is such a pointer (`/Tasks/0/title`), the same without its first slash, as in a path
    (`Tasks/0/title`), or the names themselves, which need no escaping: `("Tasks", 0, "a/b")`.
    """
    if not isinstance(address, str):
        return "".join("/" + escape_token(str(token)) for token in address)
    return address if not address or address.startswith("/") else "/" + address


def escape_token(name: str) -> str:
    """A name as it stands in a pointer."""
    return name.replace("~", "~0").replace("/", "~1")
