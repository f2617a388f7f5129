"""Who may hold a thread of the pool: some are always left for short reads, whatever writers and exports do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from nola_site.serving.bridge import Scope

READING = ("GET", "HEAD", "OPTIONS")
EXPORTS = ("/api/state", "/api/state/", "/api/query", "/api/diff")  # they read the whole state, or may
MOST_EXPORTS = 2
PATIENCE = 5.0  # seconds; as long as a writer waits for the database


class PoolBusy(Exception):
    """Too many requests of this sort are being worked on."""


class PoolLimits:
    """At most pool-2 writers, two exports, and pool-1 of both together have a thread; others wait without one."""

    def __init__(self, threads: int) -> None:
        self.writers = asyncio.Semaphore(max(1, threads - 2))
        self.exports = asyncio.Semaphore(min(MOST_EXPORTS, max(1, threads - 2)))
        self.both = asyncio.Semaphore(max(1, threads - 1))

    @asynccontextmanager
    async def enter(self, scope: Scope) -> AsyncIterator[None]:
        """Wait for a place. Raises PoolBusy."""
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


def is_export(scope: Scope) -> bool:
    """Whether a reader may get, or go through, the whole state."""
    return scope["path"] in EXPORTS and b"pointer=" not in scope["query_string"]
