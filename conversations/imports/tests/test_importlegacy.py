"""Which files an import takes, how the command reports it, and the sample of a real folder."""

import json
import os
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection

from conversations import log
from conversations.imports.tests.legacy import PERSON, bring, chat, counts, run, said, state, texts, turn, write
from conversations.models import Conversation, Message
from state import store
from state.address import Address
from state.checkpoints.files import read_checkpoints
from state.jsondoc.text import parse_json
from state.report import Category, Unit

SAMPLE = settings.BASE_DIR.parent / "shared" / "legacy-nola"

pytestmark = pytest.mark.django_db
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the sample folder {SAMPLE} is not here")


# Which files are taken


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a": "caf\xe9"}', "line 1, column 11: not UTF-8: byte 0xe9; save the file as UTF-8"),
        ('{"a": 1,\n "b": NaN}', "line 2, column 7, inside /b: NaN is not JSON; send null or a string"),
        ('{"a": 1, "a": 2}', 'line 1, column 10, inside /a: the name "a" stands twice in one object'),
        ('{"a": [1, 2', "line 1, column 12, inside /a/1: a comma or the closing bracket is missing"),
        ("", "line 1, column 1: a value is missing or not JSON"),
        (
            "\ufeff1".encode("utf-16-le"),
            "is UTF-16, not UTF-8; save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW",
        ),
    ],
)
def test_a_bad_file_is_named_with_its_place_and_the_rest_is_brought_over(tmp_path, content, problem):
    write(tmp_path, "deep/bad.json", content)
    write(tmp_path, "good.json", 1)

    report = bring(tmp_path)

    assert texts(report, Category.FAILED) == [f"deep/bad.json: {problem}"]
    assert state() == {"good": 1}


def test_a_byte_order_mark_is_accepted(tmp_path):
    write(tmp_path, "alpha.json", b'\xef\xbb\xbf{"a": 1}')

    bring(tmp_path)

    assert state() == {"alpha": {"a": 1}}


def test_a_file_over_the_limit_fails_and_says_which_setting_lets_it_in(tmp_path, settings):
    settings.NOLA_MAX_BODY_MB = 1
    write(tmp_path, "big.json", json.dumps("x" * 1024 * 1024))

    report = bring(tmp_path)

    assert texts(report, Category.FAILED) == [
        "big.json: 1,048,578 bytes, over the limit; set NOLA_MAX_BODY_MB=2 and import again"
    ]


def test_files_of_tools_and_hidden_ones_are_skipped_with_a_reason(tmp_path):
    write(tmp_path, "package.json", {})
    write(tmp_path, "tsconfig.app.json", "// not JSON")
    write(tmp_path, "node_modules/a.json", {})
    write(tmp_path, ".git/a.json", {})
    write(tmp_path, "._user.json", b"\x00\x05")
    write(tmp_path, "notes.txt", "milk")
    write(tmp_path, "main.py", "")

    report = bring(tmp_path)

    assert texts(report, Category.SKIPPED) == [
        ".git/: a hidden folder",
        "node_modules/: a folder of a tool",
        "._user.json: a hidden file",
        "package.json: the configuration of a tool",
        "tsconfig.app.json: the configuration of a tool",
        "notes.txt: a text file outside of Stimuli and Feeds",
    ]
    assert texts(report, Category.NOTED) == ["other files: 1 not read (.py)"]
    assert report.count(Category.READ) == 0
    assert state() == {}


def test_a_linked_folder_is_not_followed(tmp_path):
    write(tmp_path, "a/alpha.json", 1)
    (tmp_path / "a" / "loop").symlink_to(tmp_path)

    report = bring(tmp_path)

    assert texts(report, Category.SKIPPED) == ["a/loop/: a link to another folder"]
    assert state() == {"alpha": 1}


def test_a_file_name_that_cannot_be_a_key_fails_and_the_rest_goes_on(tmp_path):
    (tmp_path / "caf\udce9.json").write_text("1")
    write(tmp_path, "alpha.json", 1)

    report = bring(tmp_path)

    assert texts(report, Category.FAILED) == ["caf\\xe9.json: a key must be valid Unicode; rename the file"]
    assert state() == {"alpha": 1}


def test_chats_of_all_spellings_of_the_folder_come_together(tmp_path):
    for number, folder in enumerate(["Stimuli", "stimuli", "Nola/Stimuli", "Nola/Nola/Stimuli", "Nola /Stimuli"]):
        write(tmp_path, f"{folder}/conversations/one.json", chat(turns=[turn(f"10:00:0{number}", str(number), "")]))

    bring(tmp_path)

    assert said("react_1") == [("user", "0"), ("user", "1"), ("user", "2"), ("user", "3"), ("user", "4")]


def test_a_folder_of_conversations_can_be_imported_by_itself(tmp_path):
    write(tmp_path, "Stimuli/conversations/one.json", {"turns": [turn("10:00:00", "hi", "hello")]})

    bring(tmp_path / "Stimuli" / "conversations")

    assert said("one") == [("user", "hi"), ("assistant", "hello")]


def test_a_subfolder_that_cannot_be_looked_into_stops_nothing(tmp_path, monkeypatch):
    write(tmp_path, "secret/beta.json", 1)
    write(tmp_path, "alpha.json", 1)
    stat = os.stat

    def denied(path, *args, **kwargs):
        if "secret" + os.sep in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", denied)
    report = bring(tmp_path)

    assert state() == {"alpha": 1}
    assert texts(report, Category.FAILED) == ["secret/beta.json: cannot be opened: Permission denied"]


def test_an_equal_number_of_each_unit_is_read_and_accounted_for(tmp_path):
    write(tmp_path, "Stimuli/conversations/a.json", chat(name="Trip"))
    write(tmp_path, "Stimuli/conversations/b.json", chat(name="Tour", turns=[turn("10:00:00", "hi", "good day")]))
    bring(tmp_path)
    log.change("react_1", {"title": "Journey"}, PERSON)

    report = bring(tmp_path)

    outcomes = set(Category) - {Category.READ, Category.NOTED}
    for unit in (Unit.CONVERSATIONS, Unit.MESSAGES):
        assert sum(report.count(one, unit) for one in outcomes) == report.count(Category.READ, unit)


# The command


def test_the_command_prints_a_table_and_what_needs_a_look(tmp_path):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "package.json", {})

    out = run(tmp_path, "--dry-run")

    assert "(dry run: nothing was written)" in out
    assert "state keys              1           1" in out
    assert "Skipped:\n  package.json: the configuration of a tool\n" in out


def test_the_command_fails_at_the_end_and_says_that_the_rest_is_there(tmp_path):
    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "broken.json", "{")

    with pytest.raises(CommandError, match=r"^1 failed, as listed above; everything else was brought over\.$"):
        run(tmp_path)

    assert state() == {"alpha": 1}


def test_a_dry_run_with_a_failure_does_not_claim_to_have_written(tmp_path):
    write(tmp_path, "broken.json", "{")

    with pytest.raises(CommandError, match=r"^1 failed, as listed above; everything else can be brought over\.$"):
        run(tmp_path, "--dry-run")


def test_everything_is_listed_on_request(tmp_path):
    write(tmp_path, "alpha.json", 1)
    bring(tmp_path)

    out = run(tmp_path, "--verbosity=2")

    assert "  alpha.json: alpha is in Nola already, as it is here\n" in out
    assert "Nothing new: no revision was made." in out


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"the folder .*/missing is not there") as error:
        run(tmp_path / "missing")

    assert error.value.returncode == 2


def test_a_file_instead_of_a_folder_is_refused_with_the_way_out(tmp_path):
    path = write(tmp_path, "alpha.json", 1)

    with pytest.raises(CommandError, match="is a file; give the folder it lies in"):
        run(path)


def test_an_empty_folder_is_said_to_be_empty(tmp_path):
    assert "There is nothing to import in it." in run(tmp_path)


def test_failures_and_conflicts_are_all_listed_and_so_are_updates(tmp_path):
    for number in range(5):
        write(tmp_path, f"{number}/broken.json", "{")
        write(tmp_path, f"key{number}.json", 1)
    bring(tmp_path)
    for number in range(5):
        write(tmp_path, f"key{number}.json", 2)
    out = StringIO()

    with pytest.raises(CommandError):
        call_command("importlegacy", str(tmp_path), stdout=out)

    assert out.getvalue().count("/broken.json: ") == 5
    assert "Updated:\n  key0.json: key0\n  key1.json: key1\n" in out.getvalue()


def test_nothing_that_a_file_holds_reaches_the_terminal_as_a_command(tmp_path):
    write(tmp_path, "identity.json", {"userID": {"\x1b[31mred": 1}})
    write(tmp_path, "Stimuli/conversations/one.json", chat("\x1b]0;title\x07"))

    out = run(tmp_path, "--verbosity=2")

    assert "\x1b" not in out
    assert "\\x1b[31mred" in out


def test_no_folder_at_all_is_refused():
    with pytest.raises(CommandError, match="name the folder to import"):
        run("")


def test_a_folder_name_that_is_too_long_is_not_there():
    with pytest.raises(CommandError, match="is not there"):
        run("x" * 300)


@pytest.mark.sqlite
def test_without_a_database_none_is_made(tmp_path, monkeypatch):
    missing = tmp_path / "nola.sqlite3"
    monkeypatch.setitem(connection.settings_dict, "NAME", missing)

    with pytest.raises(CommandError, match="there is no database yet; start Nola once"):
        run(tmp_path, "--dry-run")

    assert not missing.exists()


def test_a_busy_database_is_named_and_what_was_done_is_printed(tmp_path, monkeypatch):
    def locked(*args, **kwargs):
        raise OperationalError("database is locked")

    write(tmp_path, "alpha.json", 1)
    write(tmp_path, "Stimuli/conversations/one.json", chat())
    monkeypatch.setattr(log, "write_portion", locked)
    out = StringIO()

    with pytest.raises(CommandError, match=r"the database is busy: others are writing to it\. Try again"):
        call_command("importlegacy", str(tmp_path), stdout=out)

    assert "state keys              1           1" in out.getvalue()


def test_a_run_that_writes_nothing_does_not_claim_a_batch(tmp_path):
    write(tmp_path, "alpha.json", 1)
    bring(tmp_path)
    store.put(Address("alpha"), parse_json("9"), PERSON)

    assert run(tmp_path).endswith("Nothing new: no revision was made.\n")


# The sample


@needs_sample
def test_the_sample_is_brought_over_whole():
    report = bring(SAMPLE)

    assert counts(report) == {
        "read files": 10,
        "read state keys": 4,
        "read conversations": 10,
        "read messages": 46,
        "added state keys": 4,
        "added conversations": 10,
        "added messages": 46,
        "duplicate copied parts": 22,
        "noted files": 1,
    }


@needs_sample
def test_the_samples_user_file_comes_back_equal_and_in_order():
    bring(SAMPLE)

    raw = (SAMPLE / "identity_thread" / "userID" / "user.json").read_bytes()
    assert store.read(Address("userID")).text == parse_json(raw).text


@needs_sample
def test_the_sample_adds_nothing_the_second_time():
    bring(SAMPLE)
    before = store.head()

    report = bring(SAMPLE)

    assert store.head() == before
    assert report.count(Category.ADDED) == report.count(Category.UPDATED) == 0


@needs_sample
def test_no_user_name_of_the_samples_paths_remains_in_what_is_left_of_the_aggregates():
    bring(SAMPLE)

    left = store.read(Address("identity")).text + store.read(Address("Nola")).text
    assert "/Users/" not in left
    assert '"source_file":"identity_thread/userID/user.json"' in left


@needs_sample
def test_the_samples_text_file_becomes_five_sessions_with_two_errors():
    bring(SAMPLE)

    cli = Conversation.objects.filter(channel="cli")
    assert cli.count() == 5
    assert cli.filter(messages=None).count() == 1
    assert Message.objects.filter(status="error").count() == 2


# What is kept


def test_an_import_that_changes_nothing_takes_no_checkpoint(tmp_path):
    store.put(Address("Mine"), parse_json("1"), PERSON)
    write(tmp_path, "State/Task.json", {"a": 1})
    write(tmp_path, "Conversations/one.json", chat())

    kept = [len(read_checkpoints()) for _ in range(3) if bring(tmp_path)]
    write(tmp_path, "State/Task.json", {"a": 2})
    bring(tmp_path)

    assert kept == [1, 1, 1]
    assert [one.header.why for one in read_checkpoints()] == ["before import", "before import"]
