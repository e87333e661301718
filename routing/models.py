"""Gathers the models of every package for Django."""

from routing.access.models import BotToken, SignIn, StaffDomains, TokenUse
from routing.approval.models import ChangeApproval, ChangeItem, ChangeRequest
from routing.approval.people import (
    AuditedAuthenticator,
    GuardedGroup,
    GuardedGroupPermission,
    GuardedMembership,
    GuardedUser,
    GuardedUserPermission,
)
from routing.audit.models import AuditEntry, AuditSeal, AuditUnsealed
from routing.caps.models import Cap, CapReservation, CapUsage
from routing.keys.models import KeyRefusal
from routing.payments.ledger.models import Payment, PaymentEvent
from routing.payments.operations.models import RequestedRefund
from routing.payments.reconciliation.models import ReconciliationCursor
from routing.payments.settlement.models import Discrepancy, Review
from routing.payments.webhooks.models import EventCursor, WebhookEvent
from routing.registry.models import Bot, Category, Domain, Override, Pause, Region, RegistryHead, Route

__all__ = [
    "AuditEntry",
    "AuditSeal",
    "AuditUnsealed",
    "AuditedAuthenticator",
    "Bot",
    "BotToken",
    "Cap",
    "CapReservation",
    "CapUsage",
    "Category",
    "ChangeApproval",
    "ChangeItem",
    "ChangeRequest",
    "Discrepancy",
    "Domain",
    "EventCursor",
    "GuardedGroup",
    "GuardedGroupPermission",
    "GuardedMembership",
    "GuardedUser",
    "GuardedUserPermission",
    "KeyRefusal",
    "Override",
    "Pause",
    "Payment",
    "PaymentEvent",
    "ReconciliationCursor",
    "Region",
    "RegistryHead",
    "RequestedRefund",
    "Review",
    "Route",
    "SignIn",
    "StaffDomains",
    "TokenUse",
    "WebhookEvent",
]
