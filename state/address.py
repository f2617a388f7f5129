"""An address: a key, and the way to a node inside its document; and the text of what stands there."""

from typing import NamedTuple

from state.errors import NotThere
from state.jsondoc.pointer import Missing, Tokens, format_pointer, get_node


class NotFound(NotThere):
    """No such key, or nothing at that place inside it."""


class Address(NamedTuple):
    """A key, and the way to a node inside its document."""

    key: str
    tokens: Tokens = ()

    @property
    def pointer(self) -> str:
        return format_pointer((self.key, *self.tokens))


def read_node_text(address: Address, text: str) -> str:
    """The node at an address in the text of its key's document. Raises NotFound."""
    if not address.tokens:
        return text
    try:
        return get_node(text.encode(), address.tokens).decode()
    except Missing as error:
        raise NotFound(f"nothing is stored at {address.pointer}: {error}") from None


def find_node_text(address: Address, text: str | None) -> str | None:
    """The text of the node at an address, None if nothing is stored there; `text` is that of the key, None for none."""
    if text is None or not address.tokens:
        return text
    try:
        return get_node(text.encode(), address.tokens).decode()
    except Missing:
        return None
