"""`make bench`: what Nola costs, beside its targets; then contexts, the pages, and the sync of a folder.

`python -m tests.bench --quick` shows the targets only, in a minute.
"""

import subprocess
import sys

from tests.bench import context, pages, targets
from tests.server import ROOT

if __name__ == "__main__":
    is_quick = "--quick" in sys.argv
    targets.run(targets.QUICK if is_quick else targets.FULL)
    if not is_quick:
        context.main()
        pages.main()
        subprocess.run([sys.executable, "-m", "tests.bench.sync"], cwd=ROOT, check=True)
