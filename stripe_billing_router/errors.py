"""Every error that a caller of the router can meet, one root.

The server raises these classes and answers them as RFC 9457 problems; the client raises the same class again,
found by its ``code``. All are ``RuntimeError``; those about bad arguments are ``ValueError`` too.
"""

from __future__ import annotations

from typing import Any, ClassVar

from stripe_billing_router.redaction import redact


class BillingError(RuntimeError):
    """A billing call did not do what was asked; the message says why and what to do, and never holds a secret.

    ``code`` is stable and names the class. ``status`` is the HTTP status. ``money_may_have_moved`` is true where the
    outcome at Stripe is not known. ``retry_with_same_key`` is true where sending the same call again with the same
    idempotency key is safe and may help. ``context`` holds the JSON values that the problem document carries besides,
    for example ``payment``.
    """

    code: ClassVar[str] = "billing_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "The billing call failed"
    money_may_have_moved: ClassVar[bool] = False
    retry_with_same_key: ClassVar[bool] = False

    def __init__(self, message: str, **context: Any) -> None:
        super().__init__(redact(message))
        self.context = context

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args[0], self.context)


def _rebuild(kind: type[BillingError], message: str, context: dict[str, Any]) -> BillingError:
    error = kind(message)
    error.context = context
    return error


# What the caller sent


class InvalidRequest(BillingError, ValueError):
    code, status, title = "invalid_request", 400, "The request is not valid"


class InvalidIdentifier(InvalidRequest):
    code, title = "invalid_identifier", "The bot's identifier is not valid"


class InvalidAmount(InvalidRequest):
    code, title = "invalid_amount", "The amount cannot be charged"


class KeyNotAllowed(InvalidRequest):
    code, title = "key_not_allowed", "A Stripe key was given where none may be"


class NotAuthenticated(BillingError):
    code, status, title = "not_authenticated", 401, "No valid bot token"


class NotPermitted(BillingError):
    code, status, title = "not_permitted", 403, "The token does not allow this"


class NotFound(BillingError):
    code, status, title = "not_found", 404, "There is no such thing"


class TooManyRequests(BillingError):
    code, status, title = "too_many_requests", 429, "Too many requests"
    retry_with_same_key = True


# What the registry says


class RoutingError(BillingError):
    code, status, title = "routing_error", 422, "The bot cannot be routed"


class UnknownDomain(RoutingError):
    code, title = "unknown_domain", "The domain is not supported"


class UnknownCategory(RoutingError):
    code, title = "unknown_category", "The business category is not supported"


class UnknownBot(RoutingError):
    code, title = "unknown_bot", "The bot is not registered"


class UnknownRegion(RoutingError):
    code, title = "unknown_region", "The region is not known"


class RouteNotFound(RoutingError):
    code, title = "route_not_found", "The bot has no route"


class OverrideNotFound(RoutingError):
    code, title = "override_not_found", "No rule for this qualifier"


class OverrideConflict(RoutingError):
    code, title = "override_conflict", "The overrides contradict each other"


class NotAllowedByRoute(RoutingError):
    code, title = "not_allowed_by_route", "The bot's routes do not allow this"


class RouteUnusable(RoutingError):
    """Stripe cannot charge what the route names, such as an archived price or one in another currency."""

    code, title = "route_unusable", "The route cannot be charged"


class CapExceeded(RoutingError):
    """A cap leaves no room for it; ``context["cap"]`` says which, and what is left."""

    code, title = "cap_exceeded", "A cap leaves no room for this"
    retry_with_same_key = True


class Paused(RoutingError):
    code, title = "paused", "Billing is paused"
    retry_with_same_key = True


class RegistryBusy(BillingError):
    code, status, title = "registry_busy", 503, "The registry is changing too fast, or is not set up"
    retry_with_same_key = True


class DatabaseUnavailable(BillingError):
    code, status, title = "database_unavailable", 503, "The router's database cannot be reached"
    retry_with_same_key = True


class ReconciliationOverdue(BillingError):
    """The ledger and Stripe were not compared for so long that a lost payment could be made twice."""

    code, status, title = "reconciliation_overdue", 503, "The ledger was not compared with Stripe"
    retry_with_same_key = True


# Keys and accounts


class KeyUnavailable(BillingError):
    """No live key can be had for the domain. Nothing was sent to Stripe."""

    code, status, title = "key_unavailable", 503, "No live Stripe key"
    retry_with_same_key = True


class WrongAccount(BillingError):
    code, status, title = "wrong_account", 503, "The key belongs to another Stripe account"
    retry_with_same_key = True


# What became of a payment. Each carries the payment in its context.


class IdempotencyConflict(BillingError):
    code, status, title = "idempotency_conflict", 422, "The idempotency key was used for another request"
    money_may_have_moved = True


class StillRunning(BillingError):
    code, status, title = "still_running", 409, "The same request is still running"
    money_may_have_moved = True
    retry_with_same_key = True


class LostPayment(BillingError):
    """Stripe has the payment, and the router's ledger has lost it. Nothing was sent; never use a new key for it."""

    code, status, title = "lost_payment", 409, "The ledger has lost the payment"
    money_may_have_moved = True
    retry_with_same_key = True


class NoPaymentMethod(BillingError):
    code, status, title = "no_payment_method", 422, "The customer has no payment method"
    retry_with_same_key = True


class Declined(BillingError):
    code, status, title = "declined", 402, "The payment was declined"


class Rejected(BillingError):
    """Stripe refused the request as invalid. Nothing was charged."""

    code, status, title = "rejected", 422, "Stripe refused the request"


class Canceled(BillingError):
    code, status, title = "canceled", 409, "The payment was canceled"


class StripeUnavailable(BillingError):
    """Stripe could not be reached or put the call off, and it is certain that nothing was charged."""

    code, status, title = "stripe_unavailable", 503, "Stripe cannot be reached"
    retry_with_same_key = True


class PermissionMissing(StripeUnavailable):
    """The domain's restricted key may not do this; the message names the permission. Nothing was charged."""

    code, title = "permission_missing", "The Stripe key lacks a permission"


class OutcomeUnknown(BillingError):
    """It is not known yet whether the money moved. Ask again with the same key; never with a new one."""

    code, status, title = "outcome_unknown", 202, "The outcome is not known yet"
    money_may_have_moved = True
    retry_with_same_key = True


class RouterUnavailable(BillingError):
    """The router could not be reached, or did not give an answer that can be understood."""

    code, status, title = "router_unavailable", 503, "The billing router cannot be reached"
    money_may_have_moved = True
    retry_with_same_key = True


def by_code(code: str) -> type[BillingError] | None:
    """Return the class that ``code`` names, or None."""
    return _CODES.get(code)


def _every(kind: type[BillingError]) -> list[type[BillingError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _every(child))]


_CODES = {kind.code: kind for kind in _every(BillingError)}
