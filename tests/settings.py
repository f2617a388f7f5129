"""Settings for tests: the project's, in a data directory of their own, so that no test can reach a live database."""

import atexit
import os
import shutil
import tempfile

from tests.postgres import find_ours

for name in [name for name in os.environ if name.startswith("NOLA_")]:
    del os.environ[name]
os.environ["NOLA_DATA_DIR"] = tempfile.mkdtemp(prefix="nola-test-")
atexit.register(shutil.rmtree, os.environ["NOLA_DATA_DIR"], ignore_errors=True)
os.environ["NOLA_TIME_ZONE"] = "Europe/Prague"
os.environ["DATABASE_URL"] = find_ours()

from nola_site.settings import *  # noqa: E402, F403
from nola_site.settings import DATABASES, NOLA_DATA_DIR, NOLA_DB_DIR  # noqa: E402

is_file = not os.environ["DATABASE_URL"]
DATABASES["default"]["TEST"] = {"NAME": NOLA_DATA_DIR / "test.sqlite3" if is_file else "test_nola"}  # a file, as in use
NOLA_DB_DIR.mkdir()  # as the first run leaves it
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
