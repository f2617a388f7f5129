"""What a command of manage.py imports: what it needs. The API, the admin's pages and the server are most of a start."""

import subprocess
from pathlib import Path

import pytest
from django.contrib.admin.sites import site
from django.core import checks
from django.core.management import get_commands

from state.models import StateEntry
from tests.server import environment, lay, started

pytestmark = pytest.mark.process

OURS = ("access", "state", "conversations", "nola_site")
HEAVY = {
    "ninja", "pydantic", "django.test", "jsonpath_rfc9535", "regex", "csp", "whitenoise", "unfold.admin",
    "gunicorn", "nola_site.urls", "nola_site.api", "state.admin", "conversations.admin", "access.admin",
}  # fmt: skip
RUN = "import atexit, manage, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); manage.main()"
RUNS = [
    "backup", "changepassword --help", "checkpoint list", "createsuperuser --help", "doctor", "dumpdata state",
    "loaddata identity", "makemigrations --check", "migrate", "shell -c pass", "showmigrations",
]  # fmt: skip
HELPS = {f"{name} --help" for name, app in get_commands().items() if app in OURS and name not in " ".join(RUNS).split()}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("commands") / "data"
    lay(data)
    return data


def list_imports(data: Path, *arguments: str) -> set[str]:
    """The modules that a command has imported when it ends, in a Python of its own."""
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with started("-c", RUN, *arguments, env=environment(data, 8000), fresh=True, **pipes) as process:
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0, errors
    return set(errors.splitlines()[-1].split())


@pytest.mark.parametrize("run", [*RUNS, *sorted(HELPS)])
def test_a_command_imports_no_more_than_it_needs(data, run):
    own = {"gunicorn"} if run.startswith("serve") else set()

    assert list_imports(data, *run.split()) & HEAVY == own


def test_a_check_looks_at_the_urls_and_at_the_pages_of_the_admin(data):
    assert list_imports(data, "check") >= {"nola_site.urls", "state.admin", "conversations.admin", "access.admin"}
    assert list_imports(data, "check", "--tag", "admin") >= {"state.admin", "conversations.admin", "access.admin"}


def test_a_check_finds_what_is_wrong_with_a_page_of_the_admin(monkeypatch):
    checks.run_checks(tags=["admin"])
    monkeypatch.setattr(type(site.get_model_admin(StateEntry)), "list_display", ["nothing_such"])

    assert [found.id for found in checks.run_checks(tags=["admin"])] == ["admin.E108"]
