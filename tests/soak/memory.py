"""Mixed requests for a long time: what the workers hold at the end is what they held at the beginning.

`python -m tests.soak.memory 60` does so for an hour.
"""

import statistics
import sys

from tests.bench import mixed, servers
from tests.bench.load import drive
from tests.bench.targets import worker_memory

CLIENTS = 8
WARM_UP = 10_000  # requests, until everything that is to be kept is kept
SAMPLES = 6  # a minute
GROWTH = 1.1  # of the last third over the first, at most


def soak(minutes: float, seconds: float = 60 / SAMPLES) -> list[float]:
    """The memory of all workers together, in MB, every so many seconds."""
    found = []
    with servers.nola() as (nola, _):
        mixed.fill(nola)
        crowd = [mixed.requests(nola, n) for n in range(CLIENTS)]
        drive(nola.port, nola.pids, crowd, seconds=600, count=WARM_UP, expected=mixed.STATUSES)
        for sample in range(round(minutes * SAMPLES)):
            load = drive(nola.port, nola.pids, crowd, seconds=seconds, expected=mixed.STATUSES)
            found.append(sum(worker_memory(nola)))
            if not sample % SAMPLES:
                sys.stdout.write(f"minute {sample // SAMPLES}: {found[-1]:.0f} MB, {load.per_second:.0f} requests/s\n")
                sys.stdout.flush()
    return found


def growth(samples: list[float]) -> float:
    """The last third over the first."""
    third = max(1, len(samples) // 3)
    return statistics.mean(samples[-third:]) / statistics.mean(samples[:third])


if __name__ == "__main__":
    grown = growth(soak(float(sys.argv[1]) if len(sys.argv) > 1 else 60))
    sys.stdout.write(f"the memory of the workers grew to {grown:.0%}; at most {GROWTH:.0%} is flat\n")
    sys.exit(grown > GROWTH)
