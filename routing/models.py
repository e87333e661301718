"""Gathers the models of every room for Django."""

from routing.access.caps import Cap, CapHold, CapUsage
from routing.access.models import BotToken
from routing.payments.models import Discrepancy, Payment, PaymentEvent
from routing.payments.reconciliation.models import Bookmark
from routing.payments.reviews import Review
from routing.payments.webhook_events import EventCursor, WebhookEvent
from routing.registry.models import Bot, Category, Domain, Override, Pause, Region, RegistryHead, Route

__all__ = [
    "Bookmark",
    "Bot",
    "BotToken",
    "Cap",
    "CapHold",
    "CapUsage",
    "Category",
    "Discrepancy",
    "Domain",
    "EventCursor",
    "Override",
    "Pause",
    "Payment",
    "PaymentEvent",
    "Region",
    "RegistryHead",
    "Review",
    "Route",
    "WebhookEvent",
]
