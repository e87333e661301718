"""Gathers the models of every room for Django."""

from routing.access.models import BotToken
from routing.payments.models import Discrepancy, Payment, PaymentEvent
from routing.payments.reconciliation.models import Bookmark
from routing.registry.models import Bot, Category, Domain, Override, Region, RegistryHead, Route

__all__ = [
    "Bookmark",
    "Bot",
    "BotToken",
    "Category",
    "Discrepancy",
    "Domain",
    "Override",
    "Payment",
    "PaymentEvent",
    "Region",
    "RegistryHead",
    "Route",
]
