"""The finance desk. Django finds it as ``routing.admin``, and every page from here."""

from routing.admin import access, bots, discrepancies, ledger, registry, rules

__all__ = ["access", "bots", "discrepancies", "ledger", "registry", "rules"]
