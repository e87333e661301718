"""How far each domain has been compared with Stripe."""

from __future__ import annotations

from django.db import models


class ReconciliationCursor(models.Model):
    """Until when a domain was compared, by the database's clock: the next run goes on from there."""

    domain = models.CharField(max_length=64, unique=True)
    starts_at = models.DateTimeField(
        "starts at", help_text="Objects that Stripe already had by then are older than the router, and not reported."
    )
    payments_until = models.DateTimeField("payments compared until")
    balance_until = models.DateTimeField("balance transactions compared until")

    def __str__(self) -> str:
        return self.domain
