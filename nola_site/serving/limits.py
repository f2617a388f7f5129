"""Who may hold a thread of the pool: some are always left for short reads, whatever writers and exports do."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from nola_site.serving.bridge import Scope

READING = ("GET", "HEAD", "OPTIONS")
EXPORTS = ("/api/state", "/api/state/", "/api/query", "/api/diff")  # they read the whole state, or may
MOST_EXPORTS = 2
PATIENCE = 5.0  # seconds; as long as a writer waits for the database


SIGN_IN = "/admin/login/"
MOST_SIGN_INS = 4  # of which one is worked on, in a thread that does nothing else


class PoolBusy(Exception):
    """Too many requests of this sort are being worked on."""


class PoolLimits:
    """At most pool-2 writers, two exports, and pool-1 of both together have a thread; others wait without one.

    Who signs in takes none of these places, and there are few of their own: a password takes long to look at, and
    anybody may send one.
    """

    def __init__(self, threads: int) -> None:
        self.writers = asyncio.Semaphore(max(1, threads - 2))
        self.exports = asyncio.Semaphore(min(MOST_EXPORTS, max(1, threads - 2)))
        self.both = asyncio.Semaphore(max(1, threads - 1))
        self.signing_in = 0

    @asynccontextmanager
    async def enter(self, scope: Scope) -> AsyncIterator[None]:
        """Wait for a place. Raises PoolBusy."""
        if is_sign_in(scope):
            with self._enter_sign_in():
                yield
            return
        is_write = scope["method"] not in READING
        if not is_write and not is_export(scope):
            yield
            return
        async with AsyncExitStack() as places:
            try:
                async with asyncio.timeout(PATIENCE):
                    await places.enter_async_context(self.writers if is_write else self.exports)
                    await places.enter_async_context(self.both)
            except TimeoutError:
                raise PoolBusy("The server is busy with other requests of this sort; nothing was changed") from None
            yield

    @contextmanager
    def _enter_sign_in(self) -> Iterator[None]:
        if self.signing_in >= MOST_SIGN_INS:
            raise PoolBusy("Too many are signing in at this moment. Try again in a second")
        self.signing_in += 1
        try:
            yield
        finally:
            self.signing_in -= 1


def is_sign_in(scope: Scope) -> bool:
    """Whether somebody sends a password."""
    return scope["method"] == "POST" and scope["path"] == SIGN_IN


def is_export(scope: Scope) -> bool:
    """Whether a reader may get, or go through, the whole state."""
    return scope["path"] in EXPORTS and b"pointer=" not in scope["query_string"]
