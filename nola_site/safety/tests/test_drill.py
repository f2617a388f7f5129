"""The disaster drill of docs/safety.md, as containers live it: the image's own command, its volumes as directories.

No engine is needed: what a container brings is its command and its environment, what it keeps is on the volumes.
"""

import json
import re
import shlex
import shutil

import pytest

from tests.server import ROOT, Server, manage

pytestmark = pytest.mark.process


def of_dockerfile(word):
    """The last instruction of a kind, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{word} (.*)$", text, re.MULTILINE)[-1]


def volumes():
    """The directories below the data directory that the compose file keeps on volumes."""
    compose = (ROOT / "docker-compose.yml").read_text()
    return re.findall(r"- nola_\w+:/app/data/(\w+)/", compose)


class Container:
    """A fresh data directory whose volumes are links to directories that outlive it."""

    def __init__(self, folder, kept):
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        for name in volumes():
            (kept / name).mkdir(parents=True, exist_ok=True)
            (self.data / name).symlink_to(kept / name)
        command = json.loads(of_dockerfile("CMD"))
        assert command[0] == "python"
        image = dict(word.split("=", 1) for word in shlex.split(of_dockerfile("ENV")))
        settings = {
            name: value for name, value in image.items() if name.startswith("NOLA_") and name != "NOLA_DATA_DIR"
        }
        self.server = Server(self.data, tuple(command[1:]), fresh=True, **settings)

    def __enter__(self):
        return self.server.start()

    def __exit__(self, *_):
        self.server.stop()
        self.server.close()


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "volumes"


def test_the_volumes_are_those_of_the_data_directory():
    assert volumes() == ["db", "checkpoints", "backups"]


def test_a_replaced_container_finds_everything_on_its_volumes(tmp_path, kept):
    with Container(tmp_path / "first", kept) as server:
        server.request("PUT", "/api/state/Kept", b'{"n":1}')
        server.request("DELETE", "/api/state/Context")
        server.kill()
    shutil.rmtree(tmp_path / "first")

    with Container(tmp_path / "second", kept) as server:
        assert server.request("GET", "/api/state/Kept")[1] == b'{"n":1}'
        assert server.request("GET", "/api/state")[2]["nola-revision"] == "3"
        assert "recovered" not in json.loads(server.request("GET", "/readyz", key=None)[1])


def test_the_memory_volume_is_lost_and_a_checkpoint_brings_the_state_back(tmp_path, kept):
    with Container(tmp_path / "first", kept) as server:
        server.request("PUT", "/api/state/Kept", b'{"n":1}')
        assert server.request("POST", "/api/checkpoints", b'{"name":"before"}')[0] == 201
        server.request("PUT", "/api/state/Kept/n", b"2")
        assert server.request("POST", "/api/checkpoints", b'{"name":"after"}')[0] == 201
    shutil.rmtree(kept / "db")

    with Container(tmp_path / "second", kept) as server:
        assert server.request("GET", "/api/state/Kept")[1] == b'{"n":2}'
        assert server.request("GET", "/api/state")[2]["nola-revision"] == "1"
        assert "after" in json.loads(server.request("GET", "/readyz", key=None)[1])["recovered"]["text"]
        assert server.request("POST", "/api/state/restore", b'{"checkpoint":"before"}')[0] == 200
        assert server.request("GET", "/api/state/Kept")[1] == b'{"n":1}'


def test_the_memory_volume_is_lost_and_a_backup_brings_everything_back(tmp_path, kept):
    with Container(tmp_path / "first", kept) as server:
        server.request("PUT", "/api/state/Kept", b"1")
        server.request("PUT", "/api/state/Kept", b"2")
        assert manage(tmp_path / "first" / "data", "backup").returncode == 0
    shutil.rmtree(kept / "db")

    second = Container(tmp_path / "second", kept)
    [backup] = (kept / "backups").glob("*.sqlite3")
    assert manage(second.data, "restorebackup", backup.name, "--yes").returncode == 0
    with second as server:
        assert server.request("GET", "/api/state/Kept?at=2")[1] == b"1"
        assert server.request("GET", "/api/state/Kept")[1] == b"2"
        assert manage(second.data, "doctor").returncode == 0
