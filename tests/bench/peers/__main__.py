"""`make bench-peers`: the targets, Nola beside its peers, and how cost grows, into docs/benchmarks.md. Half an hour.

`--quick` takes some minutes, tells less and writes nothing; `--only peers` (targets, peers, growth) neither.
"""

import argparse
import time

from tests.bench import growth, servers, targets
from tests.bench.peers import report, side_by_side
from tests.bench.table import say
from tests.server import ROOT

CHAPTERS = {"targets": "Targets", "peers": "Side by side", "growth": "Growth"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=CHAPTERS)
    asked = parser.parse_args()
    if not servers.PEERS.exists():
        raise SystemExit("the peers are not installed: run make bench-peers")
    run = {
        "targets": lambda: [targets.run(targets.QUICK if asked.quick else targets.FULL)],
        "peers": lambda: side_by_side.run(side_by_side.QUICK if asked.quick else side_by_side.FULL),
        "growth": lambda: growth.run(asked.quick),
    }
    chapters = []
    for name, title in CHAPTERS.items():
        if asked.only in (None, name):
            started = time.monotonic()
            chapters.append((title, run[name]()))
            say(f"\n{title}: {(time.monotonic() - started) / 60:.1f} minutes")
    if not asked.quick and not asked.only:
        page = ROOT / "docs" / "benchmarks.md"
        report.write(page, chapters)
        say(f"written to {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
