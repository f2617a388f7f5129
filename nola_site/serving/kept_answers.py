"""Answers that took long to work out, given again while nothing has been written since.

Agents ask for the same context before each answer, and what it says depends on the memory alone. Each process keeps
some, by who may see what and by the question; the key and the clock of the store are looked up on every call.
"""

from collections import OrderedDict
from typing import Any, NamedTuple

from access.auth import Row
from nola_site.serving.bridge import Answer, Scope
from nola_site.serving.plain_reads import PlainReads

PATHS = {"/api/context", "/api/query"}  # of which the answer depends on the memory and on what is asked alone
ASKS = (b"accept", b"if-none-match", b"if-match")  # headers that an answer may depend on
HEAD = "SELECT epoch, last_seq FROM state_meta WHERE id = 1"
MOST, ROOM = 64 * 1024, 1024 * 1024  # bytes of one, and of all that are kept


class KeptAnswer(NamedTuple):
    """An answer, and the clock of the store that it was made at."""

    answer: Answer
    head: tuple[str, int]


class KeptAnswers:
    """Used by the thread of the event loop alone."""

    def __init__(self, reads: PlainReads) -> None:
        self.reads = reads
        self.kept: OrderedDict[Any, KeptAnswer] = OrderedDict()
        self.size = 0

    async def find(self, scope: Scope) -> Answer | None:
        """The answer to a request if it is kept and still right."""
        if scope["path"] not in PATHS:
            return None
        try:
            name, head = await self._name(scope)
            kept = self.kept.get(name)
            return kept.answer if kept and kept.head == head else None
        except self.reads.reader.Error:
            return None

    async def keep(self, scope: Scope, answer: Answer) -> None:
        """Keep an answer that was worked out just now; what was kept first makes room for it."""
        if scope["path"] not in PATHS or answer.status != 200 or len(answer.body) > MOST:
            return
        try:
            name, head = await self._name(scope)
        except self.reads.reader.Error:
            return
        if name is None or head is None or dict(answer.headers).get(b"nola-revision") != b"%d" % head[1]:
            return
        self._drop(name)
        self.kept[name] = KeptAnswer(answer, head)
        self.size += len(answer.body)
        while self.size > ROOM:
            self._drop(next(iter(self.kept)))

    def _drop(self, name: Any) -> None:
        if name in self.kept:
            self.size -= len(self.kept.pop(name).answer.body)

    async def _name(self, scope: Scope) -> tuple[Any, Row | None]:
        """By what an answer is known: who asks, who may see what, and for what; None where it is not to be kept.

        And epoch and revision of the store.
        """
        sent = self.reads.read_headers(scope)
        if not sent or scope["method"] != "GET":
            return None, None
        grant, head = await self.reads.find_grant(sent, (HEAD, []))
        return grant and (grant, scope["raw_path"], scope["query_string"], *map(sent.get, ASKS)), head
