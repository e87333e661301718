"""That a domain's key could not be used: since when, why, and until when."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from routing.audit.triggers import audited


class KeyRefusal(models.Model):
    domain = models.CharField(max_length=64)
    problem = models.TextField()
    began_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "refused key"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["domain"], condition=Q(ended_at=None), name="keyrefusal_is_one_per_domain"),
        ]
        triggers = [
            pgtrigger.Protect(name="kept_for_ever", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(name="refusal_is_fixed", exclude=["ended_at"]),
            audited("'key of ' || subject.domain"),
        ]

    def __str__(self) -> str:
        return f"key of {self.domain}: {self.problem}"
