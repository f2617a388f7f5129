"""The process that looks at the files of an upload or imports them, and notes where it is as it goes on."""

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import OperationalError, connections

from conversations.imports.chats import STATE, FileImport, import_file
from conversations.imports.legacy_chat_files import Chat
from conversations.imports.legacy_chats import ImportBusy
from conversations.imports.outcome import describe_outcome, name_chat
from conversations.imports.uploads import Upload, drop_files, find_any, read_folder
from conversations.management.import_command import explain_database
from state import registry, store, undo
from state.checkpoints.verify import DamagedCheckpoint
from state.files.atomic import CannotWrite, NoRoom
from state.locks import try_lock
from state.report import Report
from state.revisions import Author, Source

NOTED = 0.3  # seconds between two notes of how far it is
NICE = 10  # others go first


class Stopped(Exception):
    """The person has stopped it, or the server has ended."""


def run(token: str) -> None:
    """Do what the upload is waiting for. Called in a process of its own, which holds the upload's lock."""
    os.nice(NICE)
    upload = find_any(token)
    if upload is not None:
        Work(upload, os.getppid()).run()
    connections.close_all()
    os._exit(0)  # at once, so that the lock is free when it is said that it is done


@dataclass
class Work:
    """What is done for an upload: its files one after the other, as one import."""

    upload: Upload
    parent: int  # the process that ends it by ending
    state: dict[str, Any] = field(default_factory=dict)
    noted: float = 0.0

    def run(self) -> None:
        self.state = self.upload.read_state()
        try:
            with (read_folder() / "busy.lock").open("a") as lock:
                while not try_lock(lock, NOTED):  # one import at a time: the others would only wait for each other
                    self.check()
                self.do(self.state["for"])
        except Stopped:
            self.note(stage="stopped", was=self.state["stage"])
        except (OperationalError, ImportBusy) as error:
            self.fail(explain_database(error))
        except (NoRoom, CannotWrite, DamagedCheckpoint) as error:
            self.fail(f"{error}; before an import a checkpoint is taken")
        except (undo.CannotUndo, registry.ConflictError, store.Overtaken) as error:
            self.fail(f"{error}; in Activity you can choose what to keep")
        except Exception as error:
            self.fail(f"something went wrong that should not have: {error!r}")
            raise

    def fail(self, text: str) -> None:
        self.note(stage="failed", was=self.state["stage"], problem=text)

    def take_back(self) -> None:
        """Undo the import, as one."""
        revisions = undo.find_batch(self.state["batch"])
        store.commit(undo.plan(revisions), Author(self.upload.actor, Source.UNDO, info={"undoes": revisions}))
        self.note(stage="done")

    def do(self, what: str) -> None:
        if what == "undoing":
            self.note(stage=what)
            return self.take_back()
        is_dry = what == "looking"
        self.note(stage=what)
        asked = self.state if not is_dry else {}
        report = Report(batch=asked.get("batch") or uuid.uuid4().hex)
        chosen = asked.get("files_asked", [*range(len(self.upload.files))])
        if not is_dry:
            self.note(batch=report.batch)  # before it writes: so that it can be undone wherever it ends
        outcomes = [self.take(number, chosen, report, asked) for number in chosen]
        if is_dry:
            self.note(stage="ready", files=outcomes)
        else:
            self.note(stage="done", files=outcomes, revisions=report.revisions)
            drop_files(self.upload)

    def take(self, number: int, chosen: list[int], report: Report, asked: dict[str, Any]) -> dict[str, Any]:
        """One of the files: what comes of it."""
        file, start = self.upload.files[number], len(report.findings)
        names: dict[str, tuple[str, str]] = {}

        def meet(chat: Chat) -> None:
            names[chat.where] = name_chat(chat)

        import_file(
            FileImport(
                self.upload.actor, self.upload.part(number), asked.get("replace", False), not asked, report=report,
                name=file.name, bounded=True, state=STATE if asked.get("with_state", self.upload.with_state) else "",
                watch=self.watch(number, chosen), meet=meet,
            )
        )  # fmt: skip
        some = Report(findings=report.findings[start:])
        return {"number": number, "name": file.name, "size": file.size} | describe_outcome(some, names)

    def watch(self, number: int, chosen: list[int]) -> Callable[[float, int], None]:
        """Notes how much of all files is done."""
        sizes = {one: self.upload.files[one].size for one in chosen}
        before = sum(size for one, size in sizes.items() if chosen.index(one) < chosen.index(number))

        def noted(part: float, count: int) -> None:
            if time.monotonic() - self.noted > NOTED:
                self.check()
                done = (before + part * sizes[number]) / (sum(sizes.values()) or 1)
                self.note(part=round(done, 3), at=self.upload.files[number].name, count=count)

        return noted

    def check(self) -> None:
        """Raises Stopped."""
        if self.upload.part("stop").exists() or not self.upload.path.exists() or os.getppid() != self.parent:
            raise Stopped

    def note(self, **news: Any) -> None:
        self.noted = time.monotonic()
        self.state |= news
        if self.upload.path.exists():
            self.upload.write_state(self.state)
