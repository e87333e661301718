"""Every error that a caller of the router can catch, with one root.

The server raises these classes and returns them as RFC 9457 problems; the client finds the class by its ``code`` and
raises it again. All are ``RuntimeError``; those about arguments are ``ValueError`` too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stripe_billing_router.redaction import redact

if TYPE_CHECKING:
    from typing import Unpack

    from stripe_billing_router.schemas import ProblemExtensions


class BillingError(RuntimeError):
    """A billing call failed; the message says why and what to do, and never contains a secret.

    ``code`` is stable and names the class. ``status`` is the HTTP status. ``money_may_have_moved`` is true where the
    outcome at Stripe is not known. ``retry_with_same_key`` is true where a retry with the same idempotency key is safe
    and may help. ``context`` holds the problem's extensions, for example ``payment``.
    """

    code: ClassVar[str] = "billing_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Billing call failed"
    money_may_have_moved: ClassVar[bool] = False
    retry_with_same_key: ClassVar[bool] = False

    def __init__(self, message: str, **context: Unpack[ProblemExtensions]) -> None:
        super().__init__(redact(message))
        self.context: dict[str, Any] = {**context}

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args[0], self.context)


def _rebuild(kind: type[BillingError], message: str, context: dict[str, Any]) -> BillingError:
    error = kind(message)
    error.context = context
    return error


# What the caller sent


class InvalidRequest(BillingError, ValueError):
    code, status, title = "invalid_request", 400, "Invalid request"


class InvalidIdentifier(InvalidRequest):
    code, title = "invalid_identifier", "Invalid bot identifier"


class InvalidAmount(InvalidRequest):
    code, title = "invalid_amount", "Invalid amount"


class KeyNotAllowed(InvalidRequest):
    code, title = "key_not_allowed", "Stripe key not allowed"


class CardNotAllowed(InvalidRequest):
    code, title = "card_not_allowed", "Card number in the request"


class RequestTooLarge(InvalidRequest):
    code, status, title = "request_too_large", 413, "Request too large"


class RequestIncomplete(BillingError):
    code, status, title = "request_incomplete", 408, "Request incomplete"
    retry_with_same_key = True


class NotAuthenticated(BillingError):
    code, status, title = "not_authenticated", 401, "Missing or invalid bot token"


class NotPermitted(BillingError):
    code, status, title = "not_permitted", 403, "Not permitted"


class NotFound(BillingError):
    code, status, title = "not_found", 404, "Not found"


class TooManyRequests(BillingError):
    code, status, title = "too_many_requests", 429, "Too many requests"
    retry_with_same_key = True


class Overloaded(BillingError):
    """The router was too busy to begin the call. Nothing was done."""

    code, status, title = "overloaded", 503, "Router overloaded"
    retry_with_same_key = True


# What the registry says


class RoutingError(BillingError):
    code, status, title = "routing_error", 422, "Routing failed"


class UnknownDomain(RoutingError):
    code, title = "unknown_domain", "Unknown domain"


class UnknownCategory(RoutingError):
    code, title = "unknown_category", "Unknown business category"


class UnknownBot(RoutingError):
    code, title = "unknown_bot", "Unknown bot"


class UnknownRegion(RoutingError):
    code, title = "unknown_region", "Unknown region"


class RouteNotFound(RoutingError):
    code, title = "route_not_found", "Route not found"


class OverrideNotFound(RoutingError):
    code, title = "override_not_found", "Override not found"


class OverrideConflict(RoutingError):
    code, title = "override_conflict", "Conflicting overrides"


class NotAllowedByRoute(RoutingError):
    code, title = "not_allowed_by_route", "Not allowed by the route"


class RouteUnusable(RoutingError):
    """Stripe cannot charge what the route names, such as an archived price or one in another currency."""

    code, title = "route_unusable", "Route unusable"


class CapExceeded(RoutingError):
    """The payment would exceed a cap; ``context["cap"]`` is the cap and what is left of it."""

    code, title = "cap_exceeded", "Cap exceeded"
    retry_with_same_key = True


class Paused(RoutingError):
    code, title = "paused", "Billing is paused"
    retry_with_same_key = True


class RegistryBusy(BillingError):
    code, status, title = "registry_busy", 503, "Registry busy or not set up"
    retry_with_same_key = True


class DatabaseUnavailable(BillingError):
    code, status, title = "database_unavailable", 503, "Database unavailable"
    retry_with_same_key = True


class OutdatedServer(BillingError):
    """The server that answered runs a release that may not charge any more. Nothing was charged."""

    code, status, title = "outdated_server", 503, "Server outdated"
    retry_with_same_key = True


class ReconciliationOverdue(BillingError):
    """The ledger and Stripe were not compared for so long that a lost payment could be made twice."""

    code, status, title = "reconciliation_overdue", 503, "The ledger was not compared with Stripe"
    retry_with_same_key = True


# Keys and accounts


class KeyUnavailable(BillingError):
    """There is no live key for the domain. Nothing was sent to Stripe."""

    code, status, title = "key_unavailable", 503, "Stripe key unavailable"
    retry_with_same_key = True


class WrongAccount(BillingError):
    code, status, title = "wrong_account", 503, "Key of another Stripe account"
    retry_with_same_key = True


class AccountNotConfirmed(BillingError):
    """Nobody has confirmed yet that the domain's money goes to the Stripe account of its key. Nothing was charged."""

    code, status, title = "account_not_confirmed", 503, "Stripe account not confirmed"
    retry_with_same_key = True


# The outcome of a payment. The payment, where there is one, is in the context.


class IdempotencyConflict(BillingError):
    code, status, title = "idempotency_conflict", 422, "Idempotency key used for another request"
    money_may_have_moved = True


class StillRunning(BillingError):
    code, status, title = "still_running", 409, "Request still running"
    money_may_have_moved = True
    retry_with_same_key = True


class LostPayment(BillingError):
    """The payment is at Stripe and not in the router's ledger. Nothing was sent; never retry it with a new key."""

    code, status, title = "lost_payment", 409, "Payment missing from the ledger"
    money_may_have_moved = True
    retry_with_same_key = True


class NoPaymentMethod(BillingError):
    code, status, title = "no_payment_method", 422, "No payment method"
    retry_with_same_key = True


class Declined(BillingError):
    """The customer's bank refused, for a reason that Stripe gives where it knows one. Nothing was charged.

    https://docs.stripe.com/declines/codes
    """

    code, status, title = "declined", 402, "Payment declined"

    @property
    def decline_code(self) -> str:
        """Stripe's code for the reason, such as ``insufficient_funds``; empty where there is none."""
        return self._of_stripe("decline_code")

    @property
    def advice_code(self) -> str:
        """What Stripe advises, such as ``try_again_later`` or ``do_not_try_again``; empty where it advises nothing."""
        return self._of_stripe("advice_code")

    def _of_stripe(self, name: str) -> str:
        payment = self.context.get("payment") or {}
        return str((payment.get("error") or {}).get(name) or "")


class Rejected(BillingError):
    """Stripe rejected the request as invalid. Nothing was charged."""

    code, status, title = "rejected", 422, "Request rejected by Stripe"


class Canceled(BillingError):
    code, status, title = "canceled", 409, "Payment canceled"


class StripeUnavailable(BillingError):
    """Stripe could not be reached or did not run the request; it is certain that nothing was charged."""

    code, status, title = "stripe_unavailable", 503, "Stripe unavailable"
    retry_with_same_key = True


class PermissionMissing(StripeUnavailable):
    """The domain's restricted key may not do this; the message names the permission. Nothing was charged."""

    code, title = "permission_missing", "Stripe key permission missing"


class OutcomeUnknown(BillingError):
    """It is not known yet whether the money moved. Retry with the same key; never with a new one."""

    code, status, title = "outcome_unknown", 202, "Outcome unknown"
    money_may_have_moved = True
    retry_with_same_key = True


class RouterUnavailable(BillingError):
    """The router could not be reached, or the response was not the router's."""

    code, status, title = "router_unavailable", 503, "Billing router unavailable"
    money_may_have_moved = True
    retry_with_same_key = True


def by_code(code: str) -> type[BillingError] | None:
    """Return the class that ``code`` names, or None."""
    return _CODES.get(code)


def _with_subclasses(kind: type[BillingError]) -> list[type[BillingError]]:
    return [kind, *(found for subclass in kind.__subclasses__() for found in _with_subclasses(subclass))]


_CODES = {kind.code: kind for kind in _with_subclasses(BillingError)}


def all_errors() -> list[type[BillingError]]:
    """Return every class but the root, each with its own code."""
    return [kind for kind in _CODES.values() if kind is not BillingError]
