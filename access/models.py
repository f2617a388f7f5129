"""API keys: who may come in over HTTP. The key itself is never stored, only its SHA-256."""

import hashlib
import secrets

from django.conf import settings
from django.db import models


class ApiKey(models.Model):
    """A named key. It is revoked, not deleted: history names it for good, so the name is never free again."""

    name = models.CharField(
        max_length=60, unique=True, help_text="History shows it with every change made by this key."
    )
    prefix = models.CharField(max_length=12, help_text="How the key begins, to tell keys apart.")
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.CharField("may", max_length=200, help_text="Words with spaces between, as in RFC 6749 §3.3.")
    places = models.TextField("only below", default="[]", help_text="JSON pointers, in a JSON array; none: everywhere.")
    user_id = models.TextField("only conversations of", default="", blank=True)
    expires_at = models.DateTimeField("expires", null=True, blank=True)
    previous_sha256 = models.CharField(max_length=64, default="", editable=False, db_index=True)
    previous_until = models.DateTimeField(null=True, editable=False, help_text="How long the key before it holds.")
    created_at = models.DateTimeField("created", auto_now_add=True)
    last_used_at = models.DateTimeField("last used", null=True, blank=True)
    revoked_at = models.DateTimeField("revoked", null=True, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name = "API key"
        permissions = [("administer", "Can administer: who comes in, and what is forgotten")]

    def __str__(self) -> str:
        return self.name


class SecurityEvent(models.Model):
    """Something that happened at the door; see access.security."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    event = models.CharField(max_length=40)
    actor = models.TextField()
    detail = models.TextField(default="", blank=True)
    address = models.TextField(default="", blank=True)

    class Meta:
        db_table = "security_log"
        ordering = ["-id"]
        verbose_name = "event"
        verbose_name_plural = "security log"

    def __str__(self) -> str:
        return f"{self.event}: {self.actor}"


class FailedSignIns(models.Model):
    """How often signing in has failed at a place, one after the other; see access.delays."""

    place = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField()
    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.count} at {self.place[:9]}"


class Visit(models.Model):
    """Which revision a person saw last, and which one in the visit before; see access.visits."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True)
    seen = models.BigIntegerField()
    seen_at = models.DateTimeField()
    before = models.BigIntegerField(null=True)
    before_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.user_id} at revision {self.seen}"


def new_key() -> str:
    return "nola_" + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
