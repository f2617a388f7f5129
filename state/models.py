"""The tables of state and of its history. `state.store` is their only writer."""

import secrets
import uuid

from django.db import models
from django.utils import timezone

from state.fields import JSONTextField


class StateEntry(models.Model):
    """One key of the state and its JSON document."""

    key_name = models.TextField("key", primary_key=True)
    created_at = models.DateTimeField("created", serialize=False)
    updated_at = models.DateTimeField("last change", serialize=False)
    revision = models.BigIntegerField(serialize=False, help_text="The revision that last changed this key.")
    value_json = JSONTextField("value")  # last: SQLite goes through all of a large value for what stands behind it

    class Meta:
        db_table = "state_storage"
        ordering = ["key_name"]
        verbose_name = "key"
        verbose_name_plural = "keys"

    def __str__(self) -> str:
        return self.key_name


class Revision(models.Model):
    """One committed write, of any kind: the one clock of the system. Append-only, guarded by the database."""

    seq = models.BigAutoField("revision", primary_key=True)
    at = models.DateTimeField("when")
    actor = models.TextField("who")  # key:<name>, user:<name>, cli:<os user> or system:<job>
    source = models.CharField("through", max_length=16)
    reason = models.TextField("why", blank=True, default="")
    info = JSONTextField(default=dict)
    chain = models.CharField(max_length=64)

    class Meta:
        db_table = "state_revision"
        ordering = ["-seq"]

    def __str__(self) -> str:
        return f"revision {self.seq}"


class Change(models.Model):
    """What one revision did to one key or conversation, as a patch there and back. Append-only like its revision."""

    id = models.BigAutoField(primary_key=True)
    revision = models.ForeignKey(
        Revision, on_delete=models.PROTECT, related_name="changes", db_column="revision", db_index=False
    )
    kind = models.CharField(max_length=16)
    key = models.TextField()
    forward = JSONTextField()
    inverse = JSONTextField()
    result_hash = models.CharField(max_length=64, blank=True)
    salt = models.CharField(max_length=32, blank=True)
    digest = models.CharField(max_length=64)
    redacted_by = models.BigIntegerField(null=True, default=None)

    class Meta:
        db_table = "state_change"
        ordering = ["id"]
        indexes = [
            models.Index(fields=["revision"], name="state_change_revision"),
            models.Index(fields=["kind", "key", "revision"], name="state_change_of_key"),
            models.Index(
                fields=["kind", "-revision", "key"],
                condition=models.Q(result_hash=""),  # it removed the key, or what it did is redacted
                name="state_change_removal",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Snapshot(models.Model):
    """A key's document at a revision, with its blame, so that reading the past need not replay all of it. A cache."""

    id = models.BigAutoField(primary_key=True)
    key = models.TextField()
    revision = models.BigIntegerField()
    document = models.BinaryField()  # zlib over the JSON text
    blame = models.BinaryField()

    class Meta:
        db_table = "state_snapshot"
        constraints = [models.UniqueConstraint(fields=["key", "revision"], name="state_snapshot_of_key")]

    def __str__(self) -> str:
        return f"{self.key} at revision {self.revision}"


class Idempotency(models.Model):
    """A write that was sent with an Idempotency-Key, so that sending it again does nothing. Kept for a day."""

    id = models.BigAutoField(primary_key=True)
    credential = models.TextField()
    key = models.CharField(max_length=255)
    request = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    revision = models.BigIntegerField()
    changed = models.BooleanField()
    place = models.TextField(blank=True, default="", help_text="Where the value is, if a merge has moved it.")
    at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "state_idempotency"
        constraints = [models.UniqueConstraint(fields=["credential", "key"], name="idempotency_key")]

    def __str__(self) -> str:
        return f"{self.key} of {self.credential}"


class Receipt(models.Model):
    """A context as it was given to an agent: what the model saw, when, and who asked. Only ever erased."""

    id = models.BigAutoField(primary_key=True)
    receipt = models.CharField(max_length=22, unique=True, help_text="Its name in addresses.")
    at = models.DateTimeField("when")
    actor = models.TextField("who")
    revision = models.BigIntegerField()
    tokens = models.PositiveIntegerField()
    media_type = models.CharField(max_length=32, help_text="As what it was answered.")
    sessions = JSONTextField(default=list, help_text="The conversations whose words are in it.")
    document = models.BinaryField()  # zlib over the report; empty once erased
    erased_by = models.BigIntegerField(null=True, help_text="The purge that erased it.")

    class Meta:
        db_table = "state_receipt"
        ordering = ["-id"]
        indexes = [models.Index(fields=["actor", "at"], name="receipt_of_actor")]

    def __str__(self) -> str:
        return f"{self.receipt} for {self.actor}"


class Proposal(models.Model):
    """What an agent suggests to write, until a person decides. Not in the history unless it is accepted."""

    WAITING, ACCEPTED, IN_PART, REJECTED, WITHDRAWN = "waiting", "accepted", "accepted in part", "rejected", "withdrawn"

    id = models.BigAutoField("proposal", primary_key=True)
    at = models.DateTimeField("when")
    actor = models.TextField("who")
    source = models.CharField("through", max_length=16)
    client = models.TextField(blank=True, default="", help_text="The program it was made with, if that has said so.")
    reason = models.TextField("why", blank=True, default="")
    base = models.BigIntegerField(help_text="The revision that the patches apply to.")
    patches = JSONTextField(help_text="The operations on each key.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the patches.")
    places = JSONTextField(default=list, help_text="Where the first operations are.")
    operations = models.PositiveIntegerField(help_text="How many there are.")
    state = models.CharField(max_length=16, default=WAITING)
    decided_at = models.DateTimeField("decided", null=True)
    decided_by = models.TextField(blank=True, default="")
    answer = models.TextField(blank=True, default="", help_text="Why it was decided so.")
    accepted = JSONTextField(default=list, help_text="What was accepted of it, if in part.")
    revision = models.BigIntegerField(null=True, help_text="The revision it became, if that changed anything.")

    class Meta:
        db_table = "state_proposal"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "actor"], name="state_proposal_state"),
            models.Index(fields=["actor", "id"], name="state_proposal_of_actor"),
        ]

    def __str__(self) -> str:
        return f"proposal {self.pk} by {self.actor}"


def new_store_id() -> str:
    return str(uuid.uuid4())


def new_epoch() -> str:
    return secrets.token_hex(4)


class StoreMeta(models.Model):
    """The one row that says which store this is and where its clock stands; locked by every write."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    store_id = models.CharField(max_length=36, default=new_store_id)
    epoch = models.CharField(max_length=8, default=new_epoch, help_text="Changes when an older file is put back.")
    last_seq = models.BigIntegerField(default=0)
    last_at = models.DateTimeField(default=timezone.now)
    last_chain = models.CharField(max_length=64, default="")
    # Totals of what is stored now, see state/entries.py: a page of the keys tells them without a look at all keys.
    keys = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    characters = models.BigIntegerField(default=0)

    class Meta:
        db_table = "state_meta"

    def __str__(self) -> str:
        return f"store {self.store_id} at revision {self.last_seq}"
