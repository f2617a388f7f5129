"""`./nola mcp`: the protocol over standard input and output, a line a message.

Clients give a server few seconds to say its first word, start several at once, and leave them behind: so the first
lines are answered before Django is there, nothing is held, and it ends with its input or with who started it.
"""

import argparse
import gc
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from access.rights import NotAllowed
from nola_site.mcp.graph_tools import make_offer
from nola_site.mcp.messages import (
    INTERNAL_ERROR,
    Id,
    Message,
    RpcError,
    Unreadable,
    make_error,
    read_message,
    refuse_message,
    write_message,
)
from nola_site.mcp.offer import NOLA
from nola_site.mcp.protocol import NEEDS_NO_MEMORY, Offer, Request, answer_message, answer_unreadable, make_failure
from state.errors import Refusal
from state.jsondoc.budget import limit_work

LOOK = 0.5  # seconds between two looks at the feed, and at whether our parent is there
SOON = 0.01  # seconds without a message, after which there is time to make ready
AHEAD = 64  # messages that are read before the first of them is answered
PATIENCE = 4  # so many times the limit is kept of a line that is too long
MOST_MB = 16  # of a line; NOLA_MAX_BODY_MB says otherwise
CANCEL = "notifications/cancelled"
REPLACED = "the database was replaced by another file, and nothing was done; this server ends, start it again"
UPDATED = "If Nola was updated, start it once (make run)"
OPTIONS = ("data", "key", "compat", "graph", "import")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be said on the command line."""
    parser.add_argument("--data", type=Path, metavar="DIR", help="the data directory, in place of NOLA_DATA_DIR")
    parser.add_argument("--key", metavar="NAME", help="come in as the API key of this name; else you may do everything")
    parser.add_argument("--compat", choices=["memory"], help="offer the tools of the reference memory server instead")
    parser.add_argument("--graph", default="Graph", metavar="KEY", help="of these: the key that holds their graph")
    parser.add_argument("--import", type=Path, metavar="FILE", help="of these: take in a memory.jsonl, and end")


def main(arguments: list[str]) -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(prog="./nola mcp", description="Serve the memory to one agent.")
    add_arguments(parser)
    run(**vars(parser.parse_args(arguments)))
    gc.freeze()  # what is left goes as a whole: to look for garbage in it first takes long


def run(data: Path | None, key: str | None, compat: str | None, graph: str, **more: Path | None) -> None:
    """Serve until the input ends; or take in a file."""
    if data is not None:
        os.environ["NOLA_DATA_DIR"] = str(data.expanduser().absolute())
    server = StdioServer(make_offer(graph) if compat else NOLA, key, sys.stdin.buffer, take_output())
    if missing := explain_missing():
        print(f"nola: {missing}", file=sys.stderr, flush=True)  # noqa: T201 - it is a command
    if file := more.get("import"):
        sys.exit(1 if missing else server.take_in(file, graph))
    server.serve()


def take_output() -> BinaryIO:
    """Standard output, for messages alone: whatever else is printed goes to standard error."""
    sys.stdout.flush()
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return output


def find_database() -> Path | None:
    """The file that the memory is, by the environment: known before Django is there; None where it is no file."""
    if os.environ.get("DATABASE_URL"):
        return None
    home = Path(os.environ.get("NOLA_DATA_DIR") or Path(__file__).resolve().parents[2] / "data")
    return home.expanduser().absolute() / "db" / "nola.sqlite3"


def explain_missing() -> str:
    """That there is no memory where one is looked for; "" where there is."""
    database = find_database()
    if database is None or database.exists():
        return ""
    return (
        f"there is no memory in {database.parent.parent}. Start Nola there once (make run), or name its data directory:"
        " ./nola mcp --data DIR"
    )


def identify_database() -> tuple[int, int] | None:
    """Which file it is: another one, once a backup was put in its place."""
    database = find_database()
    if database is None:
        return None
    found = database.stat()
    return found.st_dev, found.st_ino


class StdioServer:
    """One client, whose messages are answered one after the other."""

    is_stateless = False  # messages say so for themselves

    def __init__(self, offer: Offer, key: str | None, lines: BinaryIO, output: BinaryIO) -> None:
        self.offer, self.key, self.lines, self.output = offer, key, lines, output
        self.client = ""
        self.parent = os.getppid()
        megabytes = os.environ.get("NOLA_MAX_BODY_MB", "")
        self.most = (int(megabytes) if megabytes.isdecimal() else MOST_MB) * 1024 * 1024
        self.read: queue.Queue[bytes | None] = queue.Queue(AHEAD)
        self.cancelled: set[Id] = set()
        self.listeners: Any = None
        self.is_ready = self.has_spoken = self.is_over = False
        self.file: tuple[int, int] | None = None

    def serve(self) -> None:
        """Answer until the input ends, the client takes nothing any more, or who started it is gone."""
        threading.Thread(target=self._read_lines, daemon=True).start()
        try:
            while not self.is_over and (line := self._next()) is not None:
                self._answer(line)
        except (BrokenPipeError, KeyboardInterrupt):
            pass
        self._add_up_reads()

    # What comes in

    def _read_lines(self) -> None:
        while line := self._read_line():
            if CANCEL.encode() in line and b'"id"' not in line:
                self._note_cancelled(line)
            if line.strip():
                self.read.put(line)
        self.read.put(None)

    def _read_line(self) -> bytes:
        """A line, b"" at the end; of one that is too long as much as may show its id, which may stand last in it."""
        line = self.lines.readline(PATIENCE * self.most)
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = self.lines.readline(self.most)
        return line

    def _note_cancelled(self, line: bytes) -> None:
        """Know of it before the request that it is about is begun, if that is still waiting."""
        try:
            message = read_message(line)
        except (Unreadable, RpcError):
            return
        id_ = message.get("params", {}).get("requestId") if isinstance(message.get("params"), dict) else None
        if message.get("method") == CANCEL and isinstance(id_, str | int):
            self.cancelled.add(id_)

    def _next(self) -> bytes | None:
        """The next line; None at the end. While nothing comes, what takes long is made ready."""
        while True:
            try:
                return self.read.get(timeout=LOOK if self.is_ready or not self.has_spoken else SOON)
            except queue.Empty:
                if os.getppid() != self.parent:
                    return None
                if self.has_spoken:
                    self._make_ready()
                if self.listeners:
                    self.listeners.look()
                self._add_up_reads()

    def _add_up_reads(self) -> None:
        """Keep what was asked for, which no schedule does here."""
        if self.is_ready:
            from nola_site.safety import reads

            reads.add_up()

    # What goes out

    def _answer(self, line: bytes) -> None:
        told = self._find_answer(line)
        if told is not None:
            self.send(told)

    def _find_answer(self, line: bytes) -> Message | None:
        """The answer to a line, None where none is wanted. There is one to any line that is no message, too."""
        if len(line) > self.most:
            return answer_unreadable(refuse_message(line, f"the line has more than {self.most:,} bytes"))
        try:
            message = read_message(line)
        except Unreadable as error:
            return answer_unreadable(error)
        except RpcError as error:
            return make_error(None, error)
        id_ = message.get("id")
        if message.get("method") == CANCEL:
            return self._cancel(message)
        if isinstance(id_, str | int) and id_ in self.cancelled:
            self.cancelled.discard(id_)
            return None  # nobody waits for it
        return self._work(message, id_)

    def _work(self, message: Message, id_: Id) -> Message | None:
        is_request = "id" in message and isinstance(message.get("method"), str)
        try:
            if is_request and message["method"] not in NEEDS_NO_MEMORY:
                if missing := explain_missing():
                    return self._refuse(message, missing)
                self._make_ready()
                if self.file != identify_database():
                    self.is_over = (
                        True  # what is open is the file that was there before: nobody would find what we write
                    )
                    return self._refuse(message, REPLACED)
            with limit_work():
                return self._answer_message(message)
        except BrokenPipeError:
            raise
        except Exception as error:
            import traceback

            traceback.print_exc()
            return self._refuse(
                message, f"something went wrong on our side: {type(error).__name__}: {error}. {UPDATED}"
            )

    def _answer_message(self, message: Message) -> Message | None:
        if not self.is_ready:
            return answer_message(self.offer, message, self)
        from access.database import try_twice

        return try_twice(lambda: answer_message(self.offer, message, self))

    def _refuse(self, message: Message, text: str) -> Message:
        if message["method"] == "tools/call":
            return {"jsonrpc": "2.0", "id": message["id"], "result": make_failure(text)}
        return make_error(message.get("id"), RpcError(INTERNAL_ERROR, text))

    def _cancel(self, message: Message) -> Message | None:
        params = message.get("params")
        id_ = params.get("requestId") if isinstance(params, dict) else None
        if isinstance(id_, str | int):
            self.cancelled.discard(id_)  # what it was about came before it
            if self.listeners:
                self.listeners.remove(id_)
        return None

    def _make_ready(self) -> None:
        """Set up Django and what the tools need, once."""
        if self.is_ready or explain_missing():
            return
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nola_site.settings")
        import django

        self.file = identify_database()
        django.setup()
        self.offer.load()
        self.is_ready = True

    def take_in(self, file: Path, graph: str) -> str | None:
        """Take in a file of the reference memory server, and tell of it; why not, where it cannot be."""
        self._make_ready()
        from nola_site.mcp import graph_memory

        try:
            told, bad = graph_memory.import_file(file, graph, self.find_caller())
        except (OSError, Refusal, NotAllowed) as error:
            return f"nola: nothing was taken in: {error}"
        left = [f"left out: {one}" for one in bad]
        held = f"{graph} has by now: entities {told['entities']:,}, relations {told['relations']:,}"
        print("\n".join([*left, f"{held} (revision {told['revision']})"]), file=sys.stderr)  # noqa: T201
        return None

    # The wire

    def send(self, message: Message) -> None:
        """Send a message."""
        data = write_message(message) + b"\n"
        while data:
            data = data[self.output.write(data) :]
        self.has_spoken = True

    def find_caller(self) -> Any:
        """Who calls: asked on each call, since a key can be revoked. Raises NotAllowed."""
        from nola_site.mcp import callers

        return callers.find_by_name(self.key) if self.key is not None else callers.find_user()

    def listen(self, request: Request, wanted: Message) -> None:
        """Tell of changes from now on. Raises RpcError."""
        from nola_site.mcp import listen

        subscription = listen.subscribe(request, wanted, self.find_caller())
        if self.listeners is None:
            self.listeners = listen.Listeners(self.send, self.find_caller)
        self.listeners.add(subscription)
