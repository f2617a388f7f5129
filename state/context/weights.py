"""How much each section of a context counts: an ordinary key of the state, with history, edited like any other."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from state.address import Address
from state.context.sections import Moment, read_section_documents
from state.jsondoc.pointer import format_pointer
from state.jsondoc.text import JSONValue
from state.revisions import PROTECTED

WEIGHTS = "ContextWeights"
SETTINGS = (WEIGHTS, PROTECTED)  # keys that are no memory: a context has them only if they are asked for
MOST_WEIGHT = 1000


class Weights(NamedTuple):
    """How much each section counts, and what of the stored weights is none."""

    given: Mapping[str, float]
    unusable: Sequence[str]

    def find_weight(self, address: Address) -> float:
        """The weight of the node itself, else of the nearest one that it lies in, else 1."""
        tokens = (address.key, *address.tokens)
        for depth in range(len(tokens), 0, -1):
            pointer = format_pointer(tokens[:depth])
            if pointer in self.given:
                return self.given[pointer]
        return self.given.get(address.key, 1.0)


def parse_weights(now: Moment) -> Weights:
    """What the key ContextWeights says: a number from 0 to 1,000 for a key by its name, or a node by its pointer."""
    text = read_section_documents(now, [WEIGHTS]).get(WEIGHTS, "{}")
    document: JSONValue = json.loads(text)
    if not isinstance(document, dict):
        return Weights({}, [f"{WEIGHTS} is not an object of weights; all weights are taken as 1"])
    given: dict[str, float] = {}
    unusable = []
    for name, value in document.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_WEIGHT:
            given[name] = float(value)
        else:
            unusable.append(f"{WEIGHTS}: the weight of {name!r} is not a number from 0 to 1,000; it is taken as 1")
    return Weights(given, unusable)
