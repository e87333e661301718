"""Finds Stripe keys and billing logic in other code bases, and says what to write instead.

    python -m stripe_billing_router.guard PATH…

It needs Python alone, and reads; it changes nothing and sends nothing. ``docs/guard.md`` says what is a hit.
"""

from stripe_billing_router.guard.rules import Finding
from stripe_billing_router.guard.scanning import Report, scan

__all__ = ["Finding", "Report", "scan"]
