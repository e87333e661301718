"""How far each domain has been compared with Stripe."""

from __future__ import annotations

from django.db import models


class ReconciliationCursor(models.Model):
    """Until when a domain was compared, by the database's clock: the next run goes on from there."""

    domain = models.CharField(max_length=64, unique=True)
    starts_at = models.DateTimeField(
        "begins", help_text="What Stripe had before is from the time before the router, and is not a bypass."
    )
    payments_until = models.DateTimeField("payments compared until")
    balance_until = models.DateTimeField("balance transactions compared until")

    def __str__(self) -> str:
        return self.domain
