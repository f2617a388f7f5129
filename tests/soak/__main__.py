"""`make soak`: what CI does a few times, a hundred times over. Takes minutes; says what it found at the end."""

import sys
import tempfile
import time
from pathlib import Path

from tests.soak import writers

KILLS = 100


def soak_writers() -> bool:
    """Writers in several processes on one file, killed again and again: nothing acknowledged may be missing."""
    with tempfile.TemporaryDirectory(prefix="nola-soak-") as folder:
        data, started = Path(folder) / "data", time.monotonic()
        told = writers.acknowledged(writers.storm(data, KILLS, seed=time.time_ns()))
        lost = writers.lost(data, told)
    sys.stdout.write(f"{KILLS} writers killed, {len(told):,} writes acknowledged, {len(lost)} problems,")
    sys.stdout.write(f" in {time.monotonic() - started:.0f} s\n" + "".join(f"  {one}\n" for one in lost[:20]))
    return not lost


if __name__ == "__main__":
    sys.exit(not soak_writers())
