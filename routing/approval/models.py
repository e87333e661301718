"""Change requests: what one person proposes, and what takes effect once another has approved it."""

from __future__ import annotations

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from routing.approval.triggers import APPLY, BEGIN_OPEN, CHECK_APPROVAL, KEEP_ITEMS, digest_of
from routing.audit.triggers import audited
from routing.postgres.trigger_functions import restored_by_the_owner

EVERY_DOMAIN = "*"


class ChangeRequest(models.Model):
    """Changes that take effect together, or not at all."""

    class Status(models.TextChoices):
        OPEN = "open", "waiting for approval"
        APPLIED = "applied", "applied"
        REJECTED = "rejected", "rejected"
        WITHDRAWN = "withdrawn", "withdrawn"
        STALE = "stale", "out of date"

    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    reason = models.TextField(blank=True, help_text="Why, for the person who approves it.")
    road = models.CharField("by way of", max_length=64)
    domains = ArrayField(
        models.CharField(max_length=64),
        db_default=[EVERY_DOMAIN],
        editable=False,
        help_text="Whose rows it changes; * is what is not of one domain.",
    )
    proposed_at = models.DateTimeField("proposed", db_default=Now())
    proposed_by = models.CharField(max_length=255)
    proposed_by_id = models.BigIntegerField("proposer's number", null=True)
    decided_at = models.DateTimeField("decided", null=True)
    decided_by = models.CharField(max_length=255, blank=True)
    decision_reason = models.TextField(blank=True)
    applied_in = models.CharField(max_length=20, blank=True, editable=False, help_text="The transaction's number.")

    class Meta:
        ordering = ["-id"]
        verbose_name = "change"
        default_permissions = ("view",)
        permissions = [
            ("approve_change", "Can approve and reject what others propose"),
        ]
        indexes = [models.Index(fields=["-id"], name="changerequest_open", condition=Q(status="open"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="open", decided_at=None) | ~Q(status="open") & Q(decided_at__isnull=False),
                name="changerequest_has_when_it_was_decided",
            ),
            models.CheckConstraint(
                condition=~Q(status="rejected") | ~Q(decision_reason=""), name="changerequest_is_rejected_with_a_reason"
            ),
        ]
        triggers = [
            pgtrigger.FSM(
                name="legal_steps",
                field="status",
                transitions=[("open", status) for status in ("applied", "rejected", "withdrawn", "stale")],
            ),
            pgtrigger.ReadOnly(
                name="proposal_is_fixed",
                fields=["id", "road", "domains", "proposed_at", "proposed_by", "proposed_by_id"],
            ),
            pgtrigger.Protect(name="kept_for_ever", operation=pgtrigger.Delete),
            restored_by_the_owner("NEW.proposed_at < transaction_timestamp()"),
            pgtrigger.Trigger(
                name="begins_open",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=BEGIN_OPEN,
            ),
            pgtrigger.Trigger(
                name="is_applied_once_approved",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__status="open", new__status="applied"),
                func=APPLY.format(digest=digest_of("NEW.id")),
            ),
            pgtrigger.Trigger(
                name="is_applied_once",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.applied_in <> NEW.applied_in AND NOT (OLD.status = 'open' AND NEW.status = 'applied')"
                ),
                func="RAISE EXCEPTION 'A change is applied once.' USING ERRCODE = 'BR006';",
            ),
            audited("'change ' || subject.id"),
        ]

    def __str__(self) -> str:
        return f"change {self.pk}"


class ChangeItem(models.Model):
    """One row that a change adds, changes or deletes: all of its columns before and after."""

    request = models.ForeignKey(ChangeRequest, models.PROTECT, related_name="items")
    table_name = models.CharField("table", max_length=63)
    object_id = models.CharField("object's number", max_length=64)
    object_name = models.CharField("object", max_length=255)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        ordering = ["id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["request", "table_name", "object_id"], name="changeitem_is_one_per_row"),
            models.CheckConstraint(
                condition=Q(before__isnull=False) | Q(after__isnull=False), name="changeitem_changes_something"
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="items_are_kept",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                declare=[("changed", "record"), ("request", "record")],
                func=KEEP_ITEMS,
            )
        ]

    def __str__(self) -> str:
        return f"{self.object_name} in change {self.request_id}"


class ChangeApproval(models.Model):
    """That a person has approved a change request as its items were then, which ``digest`` tells."""

    request = models.ForeignKey(ChangeRequest, models.PROTECT, related_name="approvals")
    person = models.CharField(max_length=255)
    person_id = models.BigIntegerField("person's number")
    at = models.DateTimeField(db_default=Now())
    digest = models.CharField(max_length=64, editable=False)

    class Meta:
        ordering = ["at"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["request", "person_id"], name="changeapproval_is_one_per_person"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update),
            restored_by_the_owner("NEW.at < transaction_timestamp()"),
            pgtrigger.Trigger(
                name="another_person_approves",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.at >= transaction_timestamp()"),
                func=CHECK_APPROVAL.format(digest=digest_of("NEW.request_id")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} approved change {self.request_id}"
