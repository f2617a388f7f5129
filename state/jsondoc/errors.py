"""What is refused, and as what. Each base stands for one way of answering: a status of HTTP is its name everywhere."""

from typing import Any


class Refusal(Exception):
    """Something that was asked for and is not done; the message says what and why."""

    status: int
    seconds: int | None = None  # after which it is worth asking again

    def __init__(self, detail: str = "", seconds: int | None = None) -> None:
        super().__init__(detail)
        if seconds is not None:
            self.seconds = seconds

    @property
    def detail(self) -> str:
        """What is told over HTTP, where there may be more to say than in a message."""
        return str(self)

    @property
    def members(self) -> dict[str, Any]:
        """What is told besides, under names of its own; None is left out."""
        return {}

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.seconds is None else {"Retry-After": str(self.seconds)}


class Malformed(Refusal, ValueError):
    """It cannot be read as what it should be."""

    status = 400


class NotThere(Refusal, LookupError):
    """What it is about does not exist."""

    status = 404


class InTheWay(Refusal):
    """What is there by now does not go together with it."""

    status = 409


class Oversized(Refusal, ValueError):
    """It is, or would become, larger than what is kept or worked on."""

    status = 413


class Unprocessable(Refusal, ValueError):
    """It can be read, and asks for what cannot be done."""

    status = 422
