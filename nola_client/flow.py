"""One implementation for both clients: a call is a generator that does no I/O.

It yields a `Request`, is sent the response, and returns what the caller gets. `drive` adds what is the same for all
calls, trying again and errors, as a generator too. The two clients (client.py) are what is left: a loop each that sends
what is yielded, with or without `await`. `call` and `pages` bind such a generator function to both, with its types:
the plain client's method returns T, the async client's a coroutine of T.
"""

import random
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeAlias, TypedDict, TypeVar, overload
from urllib.parse import quote

import httpx

from nola_client.errors import NolaError, Unreachable, read_error, read_retry_after

if TYPE_CHECKING:
    from nola_client.client import AsyncNola, Nola

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """One request. One that writes carries an Idempotency-Key, if it can be sent again under one."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be sent twice and is done once."""
        return self.method == "GET" or "Idempotency-Key" in self.headers


@dataclass(frozen=True, slots=True)
class Pause:
    """So many seconds to wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and how patiently, what can be repeated is sent again."""

    count: int = 3
    longest: float = 20.0  # seconds of one pause; a server that asks for more is left to the caller

    def pause(self, number: int) -> float:
        """The pause before the attempt of this number: twice as long each time, never the same for two clients."""
        return min(self.longest, 0.25 * 2.0**number) * random.uniform(0.5, 1)


Flow: TypeAlias = Generator[Request, httpx.Response, T]
Steps: TypeAlias = Generator[Request | Pause, httpx.Response | None, T]
AGAIN = (429, 503)  # what is answered so has not been done
OURS = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)  # the address or the key is none


class Said(TypedDict, total=False):
    """What goes with everything that changes something."""

    reason: str  # kept in the history
    idempotency_key: str | None  # of yours, in place of one that is made up


class Terms(Said, total=False):
    """What goes with a write of a value: it is made for revision `base`, or only where `if_match` is the ETag."""

    base: int | None
    if_match: str | None


def write(
    method: str,
    path: str,
    said: Said,
    content: bytes | None = None,
    query: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """A request that changes something, under an Idempotency-Key of ours if the caller has none."""
    told = {"Idempotency-Key": said.get("idempotency_key") or uuid.uuid4().hex}
    told |= {"Content-Type": "application/json"} if content is not None else {}
    told |= {"Nola-Reason": quote(reason, safe="")} if (reason := said.get("reason")) else {}
    return Request(method, path, given(query or {}), content, {**told, **(headers or {})})


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is None, which stands for what is not said."""
    return {name: value for name, value in values.items() if value is not None}


def drive(flow: Flow[T], retries: Retries) -> Steps[T]:
    """Run a call: each request is sent, again where that is safe, and refusals are raised in it."""
    try:
        request = next(flow)
        while True:
            try:
                response = yield from _attempt(request, retries)
            except NolaError as error:
                request = flow.throw(error)
            else:
                request = flow.send(response)
    except StopIteration as done:
        result: T = done.value
        return result


def _attempt(request: Request, retries: Retries) -> Steps[httpx.Response]:
    """The response to a request. Raises NolaError."""
    for number in range(retries.count + 1):
        is_last = number == retries.count or not request.is_repeatable
        try:
            response = yield request
        except httpx.TransportError as error:
            if is_last or isinstance(error, OURS):
                raise Unreachable(0, "", f"{type(error).__name__}: {error}") from error
            yield Pause(retries.pause(number))
            continue
        assert response is not None
        if response.is_success:
            return response
        refused = read_error(response)
        asked = read_retry_after(response) or 0.0
        if response.status_code not in AGAIN or is_last or asked > retries.longest:
            raise refused
        yield Pause(max(asked, retries.pause(number)))
    raise AssertionError("the last attempt ends it")


# Binding to the clients


class call(Generic[P, T]):  # a decorator, hence its name
    """A method of both clients."""

    def __init__(self, flow: Callable[P, Flow[T]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> "call[P, T]": ...
    @overload
    def __get__(self, client: "Nola", owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: "AsyncNola", owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        if client is None:
            return self

        @wraps(self.flow)
        def bound(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.run(self.flow(*args, **kwargs))

        return bound


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of a list, and the request for the next page, if there is one."""

    items: list[T]
    next: Request | None


class pages(Generic[P, T]):
    """A method of both clients that goes through all pages of a list, reading each when it is needed."""

    def __init__(self, first: Callable[P, Request], read: Callable[[httpx.Response], list[T]]) -> None:
        self.first, self.read = first, read
        self.__doc__ = first.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> "pages[P, T]": ...
    @overload
    def __get__(self, client: "Nola", owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: "AsyncNola", owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        if client is None:
            return self

        @wraps(self.first)
        def bound(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.list_pages(self.first(*args, **kwargs), self.page)

        return bound

    def page(self, request: Request) -> Flow[Page[T]]:
        """One page, and where the next one is: in the Link of the response."""
        response = yield request
        link = response.links.get("next", {}).get("url")
        return Page(self.read(response), replace(request, path=link, query={}) if link else None)
