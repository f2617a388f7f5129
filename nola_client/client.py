"""The two clients: what they have in common, and how each sends a request and waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from nola_client import context as contexts
from nola_client import conversations as talk
from nola_client import feed, state
from nola_client import history as past
from nola_client.errors import NolaError, read_error
from nola_client.feed import SILENCE, Event, Follower
from nola_client.flow import Flow, Page, Pause, Request, Retries, call, drive, pages
from nola_client.values import Address

T = TypeVar("T")

ADDRESS = "http://127.0.0.1:8000"
VERSION = "0.1.0"


class Calls:
    """All calls, each a method of both clients; those of the async one are awaited, its lists gone through `async`."""

    get = call(state.get)
    get_many = call(state.get_many)
    read = call(state.read)
    query = call(state.query)
    put = call(state.put)
    put_text = call(state.put_text)
    patch = call(state.patch)
    merge = call(state.merge)
    delete = call(state.delete)
    transaction = call(state.transaction)

    history = pages(past.list_history, past.read_revisions)
    diff = call(past.diff)
    blame = call(past.blame)
    undo = call(past.undo)
    preview_undo = call(past.preview_undo)
    changes = pages(feed.list_changes, feed.read_changes)

    proposals = pages(past.list_proposals, past.read_proposals)
    proposal = call(past.proposal)
    withdraw = call(past.withdraw)

    conversations = pages(talk.list_conversations, talk.read_conversations)
    conversation = call(talk.conversation)
    change_conversation = call(talk.change_conversation)
    delete_conversation = call(talk.delete_conversation)
    messages = pages(talk.list_messages, talk.read_messages)
    last_messages = call(talk.last_messages)
    append = call(talk.append)
    append_many = call(talk.append_many)
    change_message = call(talk.change_message)
    delete_messages = call(talk.delete_messages)
    clear = call(talk.clear)

    context = call(contexts.context)
    search = call(contexts.search)

    def __init__(self, retries: Retries) -> None:
        self.retries = retries


def _options(address: str, key: str, timeout: float) -> dict[str, Any]:
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ValueError("an API key is printable ASCII; this one is not, or is empty")  # never with the key itself
    headers = {"Authorization": f"Bearer {key}", "User-Agent": f"nola-client/{VERSION}", "Accept": "application/json"}
    return {"base_url": address, "headers": headers, "timeout": timeout}


def _build(http: httpx.Client | httpx.AsyncClient, request: Request) -> httpx.Request:
    return http.build_request(
        request.method,
        request.path,
        params=dict(request.query) or None,
        content=request.content,
        headers=dict(request.headers),
    )


def _build_stream(http: httpx.Client | httpx.AsyncClient, follower: Follower) -> httpx.Request:
    """The same, with more patience for a stream, which may be silent for a while."""
    request = _build(http, follower.begin())
    request.extensions["timeout"] = {**request.extensions["timeout"], "read": SILENCE}
    return request


class Nola(Calls):
    """A client that waits for each answer. It may be used by several threads."""

    def __init__(
        self,
        key: str,
        address: str = ADDRESS,
        *,
        timeout: float = 30.0,
        retries: Retries = Retries(),  # noqa: B008  # it does not change
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(retries)
        self.http = httpx.Client(**_options(address, key, timeout), transport=transport)

    def run(self, flow: Flow[T]) -> T:
        """Send what a call asks for, until it has its result."""
        steps = drive(flow, self.retries)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = next(steps)
                    continue
                try:
                    response = self.http.send(_build(self.http, step))
                except httpx.TransportError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as done:
            result: T = done.value
            return result

    def list_pages(self, request: Request, read_page: Callable[[Request], Flow[Page[T]]]) -> Iterator[T]:
        """All items, page by page."""
        following: Request | None = request
        while following:
            page = self.run(read_page(following))
            yield from page.items
            following = page.next

    def follow(
        self,
        since: str | int | None = None,
        *,
        keys: Sequence[str] = (),
        pointers: Sequence[Address] = (),
        attempts: int | None = None,
    ) -> Iterator[Event]:
        """What changes from now on, or since a cursor or revision, as it happens; it ends only by an error.

        A stream that breaks is opened again, and nothing is missed. `attempts` is how many in a row may fail.
        """
        follower = Follower(since, keys, pointers, attempts)
        while True:
            failure: Exception | None = None
            try:
                response = self.http.send(_build_stream(self.http, follower), stream=True)
                try:
                    if not response.is_success:
                        response.read()
                        raise read_error(response)
                    for chunk in response.iter_bytes():
                        yield from follower.take(chunk)
                finally:
                    response.close()
            except (httpx.TransportError, NolaError) as error:
                failure = error
            time.sleep(follower.fail(failure))

    def close(self) -> None:
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncNola(Calls):
    """The same for asyncio."""

    def __init__(
        self,
        key: str,
        address: str = ADDRESS,
        *,
        timeout: float = 30.0,
        retries: Retries = Retries(),  # noqa: B008  # it does not change
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(retries)
        self.http = httpx.AsyncClient(**_options(address, key, timeout), transport=transport)

    async def run(self, flow: Flow[T]) -> T:
        """Send what a call asks for, until it has its result."""
        steps = drive(flow, self.retries)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = next(steps)
                    continue
                try:
                    response = await self.http.send(_build(self.http, step))
                except httpx.TransportError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as done:
            result: T = done.value
            return result

    async def list_pages(self, request: Request, read_page: Callable[[Request], Flow[Page[T]]]) -> AsyncIterator[T]:
        """All items, page by page."""
        following: Request | None = request
        while following:
            page = await self.run(read_page(following))
            for item in page.items:
                yield item
            following = page.next

    async def follow(
        self,
        since: str | int | None = None,
        *,
        keys: Sequence[str] = (),
        pointers: Sequence[Address] = (),
        attempts: int | None = None,
    ) -> AsyncIterator[Event]:
        """What changes from now on, or since a cursor or revision, as it happens; see Nola.follow."""
        follower = Follower(since, keys, pointers, attempts)
        while True:
            failure: Exception | None = None
            try:
                response = await self.http.send(_build_stream(self.http, follower), stream=True)
                try:
                    if not response.is_success:
                        await response.aread()
                        raise read_error(response)
                    async for chunk in response.aiter_bytes():
                        for event in follower.take(chunk):
                            yield event
                finally:
                    await response.aclose()
            except (httpx.TransportError, NolaError) as error:
                failure = error
            await asyncio.sleep(follower.fail(failure))

    async def close(self) -> None:
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
