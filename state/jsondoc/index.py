"""A JSON text with the places of what its large containers hold, for who reads parts of it again and again."""

from array import array
from itertools import accumulate, chain, islice, zip_longest
from typing import NamedTuple

from state.jsondoc.pointer import (
    RAW_ARRAY,
    RAW_OBJECT,
    Blocked,
    Missing,
    Tokens,
    find_child,
    measure_labels,
    parse_index,
)

LARGE = 16 * 1024  # bytes from where a container is worth a list of places
MEMBER_BYTES = 200  # about what one place takes
READS = 6  # that find their way without: they take as long as it does to list the places


class _Places(NamedTuple):
    """Which of an object's members has a name (None of an array), and where the value of each begins and ends."""

    names: dict[str, int] | None
    bounds: "array[int]"

    def find(self, token: str) -> tuple[int, int] | None:
        number = parse_index(token) if self.names is None else self.names.get(token)
        if number is None or number * 2 >= len(self.bounds):
            return None
        return self.bounds[2 * number], self.bounds[2 * number + 1]


class IndexedText:
    """Compact UTF-8, and the places that were found so far, by the container's pointer."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads = 0
        self.places: dict[Tokens, _Places] = {}

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.data) + MEMBER_BYTES * sum(len(one.bounds) // 2 for one in self.places.values())

    def read_node(self, tokens: Tokens) -> str:
        """The text of the node at `tokens`. Raises Missing."""
        self.reads += 1
        start, end = 0, len(self.data)
        for depth, token in enumerate(tokens):
            places = self._list_places(tokens[:depth], start, end) if end - start > LARGE else None
            try:
                start, end = (places and places.find(token)) or find_child(self.data, start, end, token)
            except Blocked as error:
                raise Missing(str(error)) from None
        return self.data[start:end].decode()

    def _list_places(self, tokens: Tokens, start: int, end: int) -> _Places | None:
        if tokens not in self.places and self.reads > READS and self.data[start] in b"[{":
            self.places[tokens] = _find_places(self.data, start, end)
        return self.places.get(tokens)


def _find_places(data: bytes, start: int, end: int) -> _Places:
    level = memoryview(data)[start:end]
    names, labels = None, []
    if data[start] == ord("{"):
        members = RAW_OBJECT.decode(level)
        names = {name: number for number, name in enumerate(members)}
        labels = measure_labels(members)
        sizes = [len(value) for value in members.values()]
    else:
        sizes = [len(value) for value in RAW_ARRAY.decode(level)]
    # before each value stand a bracket or a comma, and its label
    steps = chain.from_iterable(zip_longest((1 + label for label in labels), sizes, fillvalue=1))
    return _Places(names, array("Q", islice(accumulate(steps, initial=start), 1, None)))
