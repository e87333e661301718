"""The audit log. Its entries are written by triggers, and never changed; each minute's are sealed."""

from __future__ import annotations

import uuid

import pgtrigger
from django.db import models
from django.db.models.functions import Now

from routing.audit.triggers import IS_RESTORED, QUEUE_ENTRY


class AuditEntry(models.Model):
    """One change of one row."""

    class Action(models.TextChoices):
        INSERT = "insert", "added"
        UPDATE = "update", "changed"
        DELETE = "delete", "deleted"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField("time")
    actor = models.CharField("who", max_length=255, help_text="A user, token or command; else the database role.")
    actor_id = models.BigIntegerField("user's number", null=True, help_text="It stays when the user is renamed.")
    road = models.CharField("by way of", max_length=64)
    request_id = models.CharField("request ID", max_length=64, blank=True)
    reason = models.TextField(blank=True)
    transaction_id = models.CharField("transaction", max_length=20, help_text="Changes of one are made together.")
    database_role = models.CharField(max_length=63)
    action = models.CharField(max_length=8, choices=Action)
    table_name = models.CharField("table", max_length=63)
    object_id = models.CharField("object's number", max_length=64)
    object_name = models.CharField("object", max_length=255)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit log"
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["-at", "-id"], name="auditentry_newest"),
            models.Index(fields=["table_name", "object_id", "-at"], name="auditentry_of_object"),
            models.Index(fields=["actor", "-at"], name="auditentry_of_actor"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="audit_queue",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition(f"NOT ({IS_RESTORED})"),
                func=QUEUE_ENTRY,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.object_name} {self.get_action_display()} by {self.actor}"


class AuditUnsealed(models.Model):
    """An entry that no seal covers yet."""

    entry = models.OneToOneField(AuditEntry, models.PROTECT, primary_key=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"audit entry {self.pk}"


class AuditSeal(models.Model):
    """A link of the chain: the digest of some entries and of the seal before, so that neither can be changed unseen."""

    number = models.BigIntegerField(primary_key=True, help_text="From 1, without a gap.")
    at = models.DateTimeField("time", db_default=Now())
    entries = models.JSONField(help_text="Each entry's id and digest, in the order of their times.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the digest before and of the entries, as hex.")

    class Meta:
        ordering = ["number"]
        default_permissions = ("view",)
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"audit seal {self.number}"
