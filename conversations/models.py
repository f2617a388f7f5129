"""Conversations and their messages. `conversations.log` writes them, `.undo` sets them back, nothing else does."""

from django.db import models

from state.fields import JSONTextField

ORDER = ("place", "timestamp", "id")  # of the messages of a conversation; see conversations.order


class Conversation(models.Model):
    """One session of talk. Its session id is what addresses it everywhere."""

    session_id = models.TextField(unique=True)
    title = models.TextField(blank=True, default="")
    channel = models.TextField(
        blank=True, default="", help_text="Where it took place: a chat app, a terminal, an import."
    )
    source = models.TextField(blank=True, default="", help_text="The file it was imported from.")
    started = models.DateTimeField(null=True)
    started_text = models.TextField(blank=True, default="", help_text="The start as its source wrote it.")
    archived = models.BooleanField(default=False)
    current_leaf = models.ForeignKey(
        "Message", on_delete=models.SET_NULL, null=True, related_name="+", help_text="Of branches, the one in use."
    )
    metadata = JSONTextField(default=dict)
    user_id = models.TextField(
        null=True,
        editable=False,
        serialize=False,
        help_text="That of all its messages; empty where they have several, null where there are none. See .users.",
    )
    revision = models.BigIntegerField()
    deleted_revision = models.BigIntegerField(null=True)

    class Meta:
        db_table = "conversation"
        ordering = ["-started", "-id"]
        permissions = [("purge_conversation", "Can purge conversations for good")]
        indexes = [
            models.Index(
                fields=["-started", "-id"], condition=models.Q(deleted_revision=None), name="conversation_listed"
            ),
            models.Index(
                fields=["user_id", "-started", "-id"],
                condition=models.Q(deleted_revision=None),
                name="conversation_of_user",
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.session_id


class Message(models.Model):
    """One utterance. `parent` is set where time does not tell it; empty means the message that stands before it."""

    id = models.BigAutoField(primary_key=True)
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="messages", db_index=False)
    user_id = models.TextField(help_text="Whose conversation it is.")
    message = models.TextField()
    speaker = models.TextField(help_text="user, assistant or system")
    timestamp = models.DateTimeField()
    timestamp_text = models.TextField(blank=True, default="", help_text="The time as its source wrote it.")
    place = models.BigIntegerField(
        db_default=0,
        editable=False,
        serialize=False,
        help_text="Where it stands: its time, or right behind the message it answers, in microseconds since 1970.",
    )
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    earlier = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        db_constraint=False,  # checking it would look through the whole table for each message that is erased
        editable=False,
        serialize=False,
        related_name="+",
        help_text="The deleted message that keeps the text before a newer export completed it.",
    )
    context_level = models.PositiveSmallIntegerField(null=True)
    stimuli_type = models.TextField(blank=True, default="")
    status = models.CharField(max_length=16, default="ok", help_text="ok, pending or error")
    client_id = models.TextField(null=True, help_text="The sender's own id, so that a repeated send adds nothing.")
    metadata = JSONTextField(default=dict)
    revision = models.BigIntegerField()
    deleted_revision = models.BigIntegerField(null=True)

    class Meta:
        db_table = "conversation_history"
        ordering = ORDER
        indexes = [
            models.Index(fields=["conversation", *ORDER], name="conversation_in_order"),
            models.Index(fields=["timestamp"], name="message_by_time"),
            models.Index(
                fields=["conversation"], condition=models.Q(deleted_revision__isnull=False), name="conversation_deleted"
            ),
        ]
        constraints = [models.UniqueConstraint(fields=["conversation", "client_id"], name="conversation_client_id")]

    def __str__(self) -> str:
        return f"{self.speaker}: {self.message[:60]}"
