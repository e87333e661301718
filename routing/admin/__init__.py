"""The admin. Django finds it as ``routing.admin``, and every page from here."""

from routing.admin.access import audit, caps, changes, tokens, users
from routing.admin.payments import discrepancies, payments, webhook_events
from routing.admin.registry import bots, domains, pause_everything, rules

__all__ = [
    "audit",
    "bots",
    "caps",
    "changes",
    "discrepancies",
    "domains",
    "pause_everything",
    "payments",
    "rules",
    "tokens",
    "users",
    "webhook_events",
]
