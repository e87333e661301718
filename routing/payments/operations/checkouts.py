"""Checkout sessions: a person pays on a page of Stripe's, on the route's customer and price."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from routing.errors import AccountNotConfirmed, InvalidRequest, KeyUnavailable, WrongAccount
from routing.money import to_minor
from routing.payments.execution.exactly_once import PaymentResult, execute
from routing.payments.execution.plans import Operation, PaymentPlan, PaymentRequest, require_quantity, resolve_route
from routing.payments.kinds import Kind
from routing.payments.stripe_api import requests
from routing.payments.stripe_api.accounts import load_keys
from routing.registry.snapshot import current as current_snapshot
from stripe_billing_router.web_addresses import check_web_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from routing.identifiers import BotId
    from routing.payments.ledger.models import Payment
    from routing.registry.rules import Route
    from routing.registry.snapshot import Snapshot

MODES = ("payment", "subscription", "setup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout(Operation):
    """What to sell: an ``amount`` of the route's product, or the route's price; in the mode ``setup`` nothing.

    Then the customer gives a payment method to be charged with later. ``line_items`` may repeat the route's price, as
    Stripe writes it: ``[{"price": "price_…", "quantity": 2}]``. ``customer_id`` may be one that the bot created.
    """

    operation: ClassVar[str] = "checkout"

    success_url: str
    cancel_url: str = ""
    mode: str = "payment"
    amount: str | int | Decimal | None = None
    quantity: int | None = None
    line_items: Sequence[Mapping[str, Any]] = ()
    customer_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InvalidRequest(f"The mode must be one of {', '.join(MODES)}.")
        check_web_address("success_url", self.success_url)
        if self.cancel_url:
            check_web_address("cancel_url", self.cancel_url)
        if self.mode == "setup" and (self.amount is not None or self.quantity is not None or self.line_items):
            raise InvalidRequest("The mode 'setup' sells nothing. Leave out amount, quantity and line_items.")
        if self.amount is not None and (self.mode != "payment" or self.line_items):
            raise InvalidRequest("An amount is for the mode 'payment' and goes without line_items.")
        if len(self.line_items) > 1 or (self.line_items and self.quantity is not None):
            raise InvalidRequest("Give one line item, or a quantity: a bot sells the route's price alone.")
        for item in self.line_items:
            if set(item) - {"price", "quantity"} or not isinstance(item.get("quantity", 1), int):
                raise InvalidRequest('A line item is {"price": "price_…", "quantity": 1}.')
        require_quantity(self.units)

    @property
    def units(self) -> int:
        if self.line_items:
            return int(self.line_items[0].get("quantity", 1))
        return 1 if self.quantity is None else self.quantity

    def plan(self, request: PaymentRequest, snapshot: Snapshot) -> PaymentPlan:
        call = resolve_route(request, self.overrides, snapshot)
        for item in self.line_items:
            call.require_same("price", item.get("price"), call.route.price_id)
        metadata = call.stripe_metadata(self.metadata)
        customer_id = call.select_customer(self.customer_id)
        session = {"mode": self.mode, "success_url": self.success_url, "cancel_url": self.cancel_url}
        session["currency"] = call.route.currency if self.amount is None else ""
        line_item, amount_minor = self._line_item(call.route)
        if self.mode == "subscription":
            call.require_nothing_owed(customer_id)
        if amount_minor is None:
            amount_minor = call.quote_price(self.units, is_recurring=self.mode == "subscription")
        return call.plan(
            Kind.CHECKOUT,
            requests.open_checkout(line_item, customer_id, session, metadata, max_amount_due=amount_minor),
            amount_minor=amount_minor,
            quantity=None if self.mode == "setup" else self.units,
            customer_id=customer_id,
            metadata=dict(self.metadata),
        )

    def _line_item(self, route: Route) -> tuple[dict[str, Any] | None, int | None]:
        """Return the one line item, if there is one, and what it comes to where that is known."""
        if self.mode == "setup":
            return None, 0
        if self.amount is None:
            return {"price": route.price_id, "quantity": self.units}, None
        unit_amount = to_minor(self.amount, route.currency)
        price_data = {"currency": route.currency, "product": route.product_id, "unit_amount": unit_amount}
        return {"price_data": price_data, "quantity": self.units}, unit_amount * self.units


def open_checkout(bot: BotId, wanted: Checkout, *, idempotency_key: str, token_prefix: str = "") -> PaymentResult:
    """Open a checkout session at most once for the bot and key; the payment waits for the customer until it is paid."""
    return execute(PaymentRequest(bot, idempotency_key, wanted, token_prefix))


def load_publishable_key(payment: Payment) -> str | None:
    """Return the public key of the account that the session is on, for Stripe's script in a browser.

    None where it is not known, also because the keys cannot be loaded now: the session was opened all the same.
    """
    domain = current_snapshot().table.domains.get(payment.domain)
    with suppress(AccountNotConfirmed, KeyUnavailable, WrongAccount):
        return load_keys(domain)[0].public_key if domain else None
    return None
