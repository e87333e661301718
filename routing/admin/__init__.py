"""The finance desk. Django finds it as ``routing.admin``, and every page from here."""

from routing.admin import access, bots, ledger, registry, rules

__all__ = ["access", "bots", "ledger", "registry", "rules"]
