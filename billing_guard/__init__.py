"""Finds Stripe keys and billing logic in other code bases, and says what to write instead.

    python -m billing_guard PATH…

It needs Python alone. It only reads: it changes nothing and sends nothing. ``docs/guard.md`` lists the rules.
"""

from billing_guard.rules import Finding
from billing_guard.scanning import Report, scan

__all__ = ["Finding", "Report", "scan"]
