"""`make bench`: what Nola costs, beside its targets; then contexts, the pages, the sync of a folder, and PostgreSQL.

`python -m tests.bench --quick` shows the targets only, in a minute; `--database postgres` shows them there.
"""

import argparse
import subprocess
import sys

from tests.bench import context, databases, on_postgres, pages, targets
from tests.server import ROOT


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--database", choices=databases.KINDS, default="sqlite")
    asked = parser.parse_args()
    effort = targets.QUICK if asked.quick else targets.FULL
    with databases.on(asked.database):
        targets.run(effort)
        if asked.database == "postgres":
            return
    if not asked.quick:
        context.main()
        pages.main()
        subprocess.run([sys.executable, "-m", "tests.bench.sync"], cwd=ROOT, check=True)
        on_postgres.run()


if __name__ == "__main__":
    main()
