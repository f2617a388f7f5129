"""Files that a person brings: how they are kept, what is refused, and what becomes of them."""

import json
import os
import time
import zipfile

import pytest
from django.utils import timezone

from conversations import log
from conversations.drafts import NewMessage
from conversations.imports import uploads
from conversations.imports.uploads import BadUpload, WrongTurn
from conversations.imports.work import Work
from conversations.models import Conversation, Message
from state import store
from state.files.atomic import NoRoom
from state.locks import hold_lock
from state.models import Revision
from state.revisions import Author, Source

pytestmark = pytest.mark.django_db
ADA = "user:ada"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.NOLA_DATA_DIR = tmp_path
    return tmp_path / "imports"


def lines(*said, session="trip"):
    some = [
        {"session_id": session, "role": "user", "content": text, "timestamp": "2026-01-01T00:00:00Z"} for text in said
    ]
    return "".join(json.dumps(one) + "\n" for one in some).encode()


def bring(**files):
    """An upload that has come, of files by their names without `.jsonl`."""
    named = {f"{name}.jsonl": raw for name, raw in files.items()}
    upload = uploads.begin_upload(
        ADA, [{"name": name, "size": len(raw)} for name, raw in named.items()], with_state=True
    )
    for number, raw in enumerate(named.values()):
        uploads.add_piece(upload, number, 0, raw)
    return upload


def work(upload, stage, **asked):
    """As the process does that `start_work` begins."""
    upload.write_state({"stage": "waiting", "for": stage, "part": 0.0, **asked})
    Work(upload, os.getppid()).run()
    return upload.read_state()


def left(folder):
    return sorted(path.name.partition(".")[2] for path in folder.iterdir() if path.name != "busy.lock")


def test_pieces_become_the_file(folder):
    upload = uploads.begin_upload(ADA, [{"name": "a\\b/chats.json", "size": 5}], with_state=False)

    assert [uploads.add_piece(upload, 0, 0, b"abc"), uploads.add_piece(upload, 0, 3, b"de")] == [3, 5]
    assert (folder / f"{upload.token}.0").read_bytes() == b"abcde"
    assert upload.files[0].name == "chats.json"
    assert (upload.is_here, upload.read_state()["stage"]) == (True, "uploading")
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("number", "at", "piece"), [(0, 1, b"a"), (0, 0, b"abcdef"), (1, 0, b"a")])
def test_a_piece_that_does_not_fit_is_refused(folder, number, at, piece):
    upload = uploads.begin_upload(ADA, [{"name": "a", "size": 5}], with_state=False)

    with pytest.raises((WrongTurn, BadUpload)):
        uploads.add_piece(upload, number, at, piece)

    assert upload.count_bytes(0) == 0


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "choose 1 to 20 files"),
        ([{"name": "a", "size": 0}], "there is nothing in a: it is empty"),
        ([{"name": "a", "size": 5 << 30}], "4 GB come at most"),
        ([{"name": "a", "size": 1}, {"name": "a", "size": 1}], "the same name"),
        ([{"name": "a"}], "a name and a size"),
        (["a"], "a name and a size"),
        ([{"name": f"{n}", "size": 1} for n in range(21)], "choose 1 to 20 files"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_the_reason(folder, files, reason):
    with pytest.raises(BadUpload, match=reason):
        uploads.begin_upload(ADA, files, with_state=False)

    assert list(uploads.read_folder().glob("*")) == []


def test_an_upload_that_the_disk_has_no_room_for_is_refused(folder, monkeypatch):
    monkeypatch.setattr(uploads, "SPARED", 1 << 60)

    with pytest.raises(NoRoom):
        bring(chats=lines("hello"))

    assert left(folder) == []


def test_nobody_else_finds_an_upload(folder):
    upload = bring(chats=lines("hello"))

    assert uploads.find_upload(upload.token, ADA) == upload
    assert uploads.find_upload(upload.token, "user:eve") is None
    assert uploads.find_upload("../../etc/passwd", ADA) is None
    assert [uploads.list_uploads(ADA), uploads.list_uploads("user:eve")] == [[upload], []]


def test_a_look_writes_nothing_and_says_what_would_come(folder):
    upload = bring(chats=lines("# Plan *the* trip", "and the way back"), odd=b"nothing")

    state = work(upload, "looking")

    assert (state["stage"], store.head(), Conversation.objects.count()) == ("ready", 0, 0)
    first, second = state["files"]
    assert (first["conversations"], first["messages"], first["left"]) == ({"new": 1}, {"new": 2}, [])
    assert first["first"] == [
        {"name": "Plan the trip", "at": "2026-01-01T00:00:00+00:00", "messages": 2, "what": "new"}
    ]
    assert [(one["kind"], one["where"]) for one in second["left"]] == [("failed", ["odd.jsonl:1"])]


def test_an_import_brings_what_was_chosen_as_one_and_the_files_go(folder):
    upload = bring(one=lines("hello"), two=lines("bye", session="other"), three=lines("no", session="third"))
    work(upload, "looking")

    state = work(upload, "importing", files_asked=[0, 1])

    assert (state["stage"], state["revisions"]) == ("done", 2)
    assert sorted(Conversation.objects.values_list("session_id", "source")) == [
        ("other", "two.jsonl"), ("trip", "one.jsonl"),
    ]  # fmt: skip
    assert {(row.actor, row.source, row.info["batch"]) for row in Revision.objects.all()} == {
        (ADA, "import", state["batch"])
    }
    assert left(folder) == ["json", "state"]


def test_the_same_again_is_nothing_new_and_what_grows_is_said(folder):
    work(bring(chats=lines("hello")), "importing", files_asked=[0])
    head = store.head()

    again = work(bring(chats=lines("hello")), "importing", files_asked=[0])
    more = work(bring(chats=lines("hello", "more")), "looking")

    assert (again["stage"], again["revisions"], store.head()) == ("done", 0, head)
    assert again["files"][0]["conversations"] == {"there": 1}
    assert (more["files"][0]["conversations"], more["files"][0]["messages"]) == ({"grown": 1}, {"new": 1, "there": 1})


def test_what_was_changed_here_stays_and_is_named_unless_the_files_win(folder):
    work(bring(chats=lines("hello")), "importing", files_asked=[0])
    Conversation.objects.update(deleted_revision=store.head())

    looked = work(bring(chats=lines("hello")), "looking")
    assert [one["what"] for one in looked["files"][0]["left"]] == ["trip was deleted in Nola, and stays so"]
    assert looked["files"][0]["left"][0]["where"] == ["chats.jsonl:1, “hello”"]

    work(bring(chats=lines("hello")), "importing", files_asked=[0], replace=True)
    assert Conversation.objects.get().deleted_revision is None


@pytest.mark.parametrize("ended", ["stop", "server"])
def test_one_that_is_stopped_leaves_whole_revisions_and_goes_on(folder, monkeypatch, ended):
    upload = bring(one=lines("hello"), two=lines("bye", session="other"))
    monkeypatch.setattr("conversations.imports.work.NOTED", -1)
    upload.write_state({"stage": "waiting", "for": "importing", "part": 0.0, "files_asked": [0, 1]})
    process = Work(upload, os.getppid())
    taken = process.take

    def take(number, *rest):
        if number == 1:
            uploads.stop_work(upload) if ended == "stop" else setattr(process, "parent", -1)
        return taken(number, *rest)

    monkeypatch.setattr(process, "take", take)
    process.run()
    state = upload.read_state()

    assert (state["stage"], state["was"], store.head()) == ("stopped", "importing", 1)
    assert (Message.objects.count(), upload.is_here) == (1, True)
    upload.part("stop").unlink(missing_ok=True)
    assert work(upload, "importing", files_asked=[0, 1], batch=state["batch"])["stage"] == "done"
    assert Message.objects.count() == 2
    assert {row.info["batch"] for row in Revision.objects.all()} == {state["batch"]}


def test_a_process_that_was_killed_has_stopped(folder, monkeypatch):
    monkeypatch.setattr(uploads, "PATIENCE", 0)
    upload = bring(chats=lines("hello"))
    upload.write_state({"stage": "importing", "batch": "b"})

    with upload.part("lock").open("a") as file, hold_lock(file):
        assert (upload.is_worked_on, upload.read_state()["stage"]) == (True, "importing")
        with pytest.raises(WrongTurn, match="already"):
            uploads.start_work(upload, "looking")

    assert upload.read_state() == {"stage": "stopped", "was": "importing", "batch": "b"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"PK\x03\x04 cut off", "the zip cannot be read"),
        (b"\x89PNG\r\n", "not UTF-8"),
        (b'{"a": 1}', "no conversation and no message"),
        (b'{"role": "user", "content": "he', "line 1"),
    ],
)
def test_a_file_that_is_none_is_told_in_words(folder, raw, said):
    [file] = work(bring(chats=raw), "looking")["files"]

    assert said in file["left"][0]["what"]
    assert file["total"] == 0


def test_a_bomb_is_not_unpacked(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", b"[" + b" " * (100 << 20) + b"]")

    [file] = work(bring(bomb=(tmp_path / "bomb.zip").read_bytes()), "looking")["files"]

    assert "would grow from" in file["left"][0]["what"]


def test_what_was_put_away_or_left_behind_goes(folder):
    kept, away, old = (bring(chats=lines("hello")) for _ in range(3))
    uploads.remove_upload(away)
    for path in folder.glob(f"{old.token}.*"):
        os.utime(path, (time.time() - uploads.KEPT - 9,) * 2)

    uploads.sweep()

    assert {path.name.partition(".")[0] for path in folder.iterdir()} == {kept.token}


def test_a_sweep_leaves_what_is_worked_on(folder):
    upload = bring(chats=lines("hello"))

    with upload.part("lock").open("a") as file, hold_lock(file):
        uploads.sweep(older=-9)
        assert upload.path.exists()
    uploads.sweep(older=-9)

    assert not upload.path.exists()


def test_an_import_is_taken_back_as_one(folder):
    upload = bring(one=lines("hello"), two=lines("bye", session="other"))
    state = work(upload, "importing", files_asked=[0, 1])

    state = work(upload, "undoing", batch=state["batch"], files=state["files"])

    assert (state["stage"], len(state["files"])) == ("done", 2)
    assert Conversation.objects.filter(deleted_revision=None).count() == 0
    last = Revision.objects.latest("seq")
    assert (last.actor, last.source, last.info) == (ADA, "undo", {"undoes": [2, 1]})


def test_what_others_have_added_to_is_not_taken_back(folder):
    upload = bring(chats=lines("hello"))
    batch = work(upload, "importing", files_asked=[0])["batch"]
    log.append("trip", [NewMessage("user", "more", timezone.now())], Author("key:agent", Source.API))

    state = work(upload, "undoing", batch=batch)

    assert (state["stage"], state["was"]) == ("failed", "undoing")
    assert "in Activity you can choose what to keep" in state["problem"]
    assert Conversation.objects.get().deleted_revision is None
