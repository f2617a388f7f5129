"""What of the history a reader may see: which kinds of memory, and of these only what lies within the limits of a key.

A revision of which nothing shows is not told at all. Of one that shows, an API key with limits sees who, when and why,
and not its `info`, which names other things.
"""

from dataclasses import dataclass
from functools import lru_cache

from access.rights import Grant
from state import registry
from state.history import replay
from state.jsondoc.projection import Places, Ways
from state.models import Change


@dataclass(frozen=True, slots=True)
class Sight:
    """What shows: changes of these kinds; of those what lies in the places, and what belongs to the user id."""

    kinds: tuple[str, ...]
    places: Places | None = None
    user_id: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all shows."""
        return len(self.kinds) == len(registry.names()) and not self.is_limited

    @property
    def is_limited(self) -> bool:
        """Whether it takes more than the name of a change to say what of it shows."""
        return bool(self.places or self.user_id)

    def shows(self, kind: str, key: str) -> bool:
        """Whether something of the changes of a thing may show."""
        if kind not in self.kinds:
            return False
        if kind == "state":
            return self.places is None or self.places.reach(key)
        return not self.user_id or registry.get(kind).belongs_to(key, self.user_id)

    def shows_whole(self, kind: str, key: str) -> bool:
        """Whether all of a thing shows, if anything does."""
        return kind != "state" or self.find_ways(key) is None

    def find_ways(self, key: str) -> Ways:
        """The ways from a key to what shows of it."""
        return None if self.places is None else self.places.find_ways(key)

    def find_change(self, key: str, revision: int) -> Change | None:
        """What shows of a change of a key."""
        return replay.find_change(key, revision, self.find_ways(key))


@lru_cache(1024)
def see_by(grant: Grant) -> Sight:
    """What a grant lets its holder see."""
    named = registry.names_with_keys() if grant.is_limited else registry.names()  # what was forgotten is of all
    kinds = tuple(name for name in named if registry.get(name).reads in grant.rights)
    return Sight(kinds, find_places(grant), grant.user_id)


def find_places(grant: Grant) -> Places | None:
    """The places that a grant is limited to, None where it is not."""
    return Places(grant.places) if grant.places else None
