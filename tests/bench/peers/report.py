"""docs/benchmarks.md: the tables of one run, with what they were measured on and how to repeat them."""

import os
import platform
import re
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.bench import servers
from tests.bench.table import Table, number, spread
from tests.postgres import find_tools

OURS = ("django", "django-ninja", "gunicorn", "msgspec")
THEIRS = ("fastapi", "uvicorn", "tinydb", "kinto")
HEAD = """# Benchmarks

What Nola costs beside its targets, beside what one might take instead, and as memories grow. `make bench-peers` writes
this page anew (about half an hour, best on a machine that does nothing else); it installs the peers into `.venv-peers`.
`make bench` shows the targets alone, and what PostgreSQL costs; `python -m tests.bench --database postgres` the same
targets there. [Scaling](scaling.md) says what came of it.

Figures are medians of rounds that take turns (A B C A B C), with the least and the most in brackets: read them as
ratios. The client keeps its connections and is on the same machine. CPU is user and system time of all of a server's
processes.
"""


def write(path: Path, chapters: Iterable[tuple[str, Sequence[Table]]]) -> None:
    """The page, from chapters with their tables."""
    lines = [HEAD, "## Measured on\n", *(f"- {line}" for line in describe_machine())]
    for title, tables in chapters:
        lines += [f"\n## {title}\n", *(table.markdown("### " if len(tables) > 1 else "") for table in tables)]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines).rstrip("\n") + "\n")


def describe_machine() -> list[str]:
    """Processor, system, disk, versions; no names of hosts."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    ours = ", ".join(f"{name} {version(name)}" for name in OURS)
    return [
        f"{os.cpu_count()} cores, {model[1] if model else platform.machine()}, {gigabytes:.0f} GB of memory",
        f"Linux {platform.release().partition('-')[0]}; a synced write of 4 kB takes {sync_cost()} ms",
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {ours}",
        f"peers: {', '.join(peer_versions())}",
        f"{servers.NOLA}; {servers.WSGI}; {servers.ASGI}; {servers.FASTAPI}",
    ]


def sync_cost(times: int = 50) -> str:
    took = []
    with tempfile.TemporaryFile() as file:
        for _ in range(times):
            started = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - started) * 1000)
    return number(spread(took).median)


def peer_versions() -> list[str]:
    """Of the packages in the peers' environment, and of PostgreSQL."""
    if not servers.PEERS.exists():
        return ["not installed"]
    code = f"from importlib.metadata import version; print(*[f'{{n}} {{version(n)}}' for n in {THEIRS}], sep=', ')"
    found = subprocess.run([servers.PEERS, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    tools = find_tools()
    if tools is None:
        return [found]
    told = subprocess.run([tools / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return [found, f"PostgreSQL {told.split()[2]}"]
