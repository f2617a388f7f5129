"""What a sync costs: of many keys of which none or ten have changed, and of one large key.

In this process, without the half second in which a command starts. `python -m tests.bench.sync` runs it alone.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

TIMES = 5


def run(sizes: tuple[int, ...] = (100, 1_000, 10_000)) -> None:
    """Measure on a memory of its own, in a process that has no Django yet."""
    with tempfile.TemporaryDirectory(prefix="nola-bench-") as folder:
        os.environ["NOLA_DATA_DIR"] = folder
        from nola_site import ready

        ready()
        from nola_site.safety import first_run

        first_run.prepare()
        heading("keys of 1 kB", "first", "none", "10 files", "10 keys", "10 both")
        for size in sizes:
            measure(Path(folder) / f"files{size}", size)
        heading("one key", "first", "none", "file", "key", "both")
        for kilobytes in (100, 1_000, 5_000):
            measure(Path(folder) / f"large{kilobytes}", 1, kilobytes)


def heading(what: str, *columns: str) -> None:
    say(f"\n{'sync of ' + what:<24}" + "".join(f"{column:>12}" for column in columns) + "  (ms)")


def measure(folder: Path, keys: int, kilobytes: int = 1) -> None:
    from state import store
    from state.jsondoc.text import make_document
    from state.revisions import Author, Source
    from state.sync import sync

    author = Author("system:bench", Source.API)
    names = [f"S{keys}x{kilobytes}-{number}" for number in range(keys)]
    text = {f"k{n}": {"n": n, "nola": 0, "file": 0, "text": "x" * 80} for n in range(kilobytes * 8)}
    store.put_keys({name: make_document(text) for name in names}, author)
    some = names[:10]
    count = iter(range(1, 1_000_000))

    def edit_files() -> None:
        for name in some:
            path = folder / f"{name}.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | {"file": next(count)}))

    def edit_keys() -> None:
        for name in some:
            store.put(store.Address(name, ("nola",)), make_document(next(count)), author)

    def sync_folder() -> None:
        report = sync(folder, keys=names)
        assert not report.count("failed") + report.count("conflicting")

    first = took(sync_folder)
    edits = [[], [edit_files], [edit_keys], [edit_files, edit_keys]]
    figures = [first, *(median(sync_folder, before) for before in edits)]
    label = f"{keys:,} keys" if keys > 1 else f"{kilobytes:,} kB"
    say(f"{label:<24}" + "".join(f"{one:>12,.0f}" for one in figures))


def median(call: Callable[[], None], before: list[Callable[[], None]]) -> float:
    times = []
    for _ in range(TIMES):
        for edit in before:
            edit()
        times.append(took(call))
    return statistics.median(times)


def took(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run()
