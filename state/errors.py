"""The bases of all errors that a caller may meet: each has the status it is answered with, in nola_site/api.py."""

from state.jsondoc.errors import InTheWay, Malformed, NotThere, Oversized, Refusal, Unprocessable

__all__ = [
    "Gone",
    "InTheWay",
    "Malformed",
    "NotThere",
    "Oversized",
    "Refusal",
    "StorageFull",
    "TooMany",
    "Unavailable",
    "Unprocessable",
]


class Gone(Refusal):
    """It was there, and is not any more."""

    status = 410


class TooMany(Refusal):
    """More than one caller may ask for in that time; `seconds` is when to come back."""

    status = 429


class Unavailable(Refusal):
    """It cannot be done right now, for no fault of the caller."""

    status = 503


class StorageFull(Refusal):
    """There is no room left to keep it."""

    status = 507
