"""The bases of all errors that a caller may meet: each has the status it is answered with, in nola_site/api.py; and
what may be wrong with a database."""

from state.jsondoc.errors import InTheWay, Malformed, NotThere, Oversized, Refusal, Unprocessable

__all__ = [
    "DamagedDatabase",
    "ForeignDatabase",
    "Gone",
    "InTheWay",
    "Malformed",
    "NewerDatabase",
    "NotThere",
    "Oversized",
    "Refusal",
    "StorageFull",
    "TooMany",
    "Unavailable",
    "Unprocessable",
    "UnsupportedDatabase",
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


class DamagedDatabase(Exception):
    """A database that must not be used; the message says what is wrong with it."""


class ForeignDatabase(DamagedDatabase):
    """A sound database, and none of Nola's."""


class NewerDatabase(DamagedDatabase):
    """A sound database, of a newer release than this one."""


class UnsupportedDatabase(Exception):
    """This kind of database has tools of its own."""
