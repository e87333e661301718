"""The finance desk. Django finds it as ``routing.admin``, and every page from here."""

from routing.admin import access, bots, caps, discrepancies, everything, ledger, registry, rules, webhooks

__all__ = ["access", "bots", "caps", "discrepancies", "everything", "ledger", "registry", "rules", "webhooks"]
