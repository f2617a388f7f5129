"""A file that is not UTF-8 is told by the name of its encoding, with the way to UTF-8, wherever JSON files are read."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from state.checkpoints.files import read_checkpoints
from state.models import Revision

pytestmark = pytest.mark.django_db
ROWS = [{"model": "state.stateentry", "pk": "A", "fields": {"value_json": "é"}}]
CHAT = [{"role": "user", "content": "é", "session_id": "s"}]


def run(*arguments):
    """All that a command says, also as it fails."""
    out = io.StringIO()
    try:
        call_command(*arguments, stdout=out)
    except CommandError as error:
        return out.getvalue() + str(error)
    return out.getvalue()


def restore(path, client):
    return run("checkpoint", "restore", str(path), "--yes")


def show(path, client):
    return run("checkpoint", "show", str(path))


def verify(path, client):
    return run("checkpoint", "verify", str(path))


def accept(path, client):
    return run("checkpoint", "accept", str(path))


def loaddata(path, client):
    return run("loaddata", str(path))


def importchats(path, client):
    return run("importchats", str(path))


def importlegacy(path, client):
    return run("importlegacy", str(path.parent))


def push(path, client):
    return run("push", str(path))


def put(path, client):
    return client.put("/api/state/A", path.read_bytes(), content_type="application/json").json()["detail"]


READERS = [loaddata, restore, show, verify, accept, importchats, importlegacy, push, put]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("encoding", "name"), [("utf-16", "UTF-16"), ("utf-16-be", "UTF-16BE"), ("utf-32", "UTF-32")])
def test_another_encoding_is_named_and_nothing_is_written(agent, tmp_path, read, encoding, name):
    agent.put("/api/state/Head", "1", content_type="application/json")
    path = tmp_path / "folder" / "file.json"
    path.parent.mkdir()
    path.write_bytes(json.dumps(CHAT if read is importchats else ROWS, ensure_ascii=False).encode(encoding))

    said = read(path, agent)

    assert f"is {name}, not UTF-8; save it as UTF-8, or convert it: iconv -f {name} -t UTF-8 OLD > NEW" in said
    assert "byte 0x" not in said
    assert Revision.objects.count() == 1


@pytest.mark.parametrize("read", [one for one in READERS if one is not put])
def test_a_byte_that_is_no_utf8_is_named_with_the_way_out(agent, tmp_path, read):
    agent.put("/api/state/Head", "1", content_type="application/json")
    path = tmp_path / "folder" / "file.json"
    path.parent.mkdir()
    path.write_bytes(json.dumps(CHAT if read is importchats else ROWS, ensure_ascii=False).encode("latin-1"))

    said = read(path, agent)

    assert "not UTF-8: byte 0xe9" in said
    assert read is show or "save the file as UTF-8" in said
    assert Revision.objects.count() == 1


def test_an_upload_in_another_encoding_is_named(owner):
    file = io.BytesIO(json.dumps(ROWS).encode("utf-16"))
    file.name = "mine.json"

    response = owner.post("/admin/checkpoints/upload/", {"file": file, "name": "mine"})

    assert "is UTF-16, not UTF-8; save it as UTF-8, or convert it" in response.content.decode()
    assert list(read_checkpoints()) == []
