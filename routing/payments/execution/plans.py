"""From what a bot requests to what will be sent: the request, the route that it takes, and the plan."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from routing.errors import InvalidRequest, NotAllowedByRoute, RouteUnusable
from routing.money import to_text
from routing.payments.execution.fingerprints import Terms, fingerprint
from routing.payments.execution.metadata import stripe_metadata
from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.payments.ledger.statements import Draft
from routing.payments.states import Status
from routing.payments.stripe_api import payment_methods, prices
from routing.payments.stripe_api.accounts import load_keys
from routing.payments.stripe_api.requests import Payer, payment_id
from routing.registry.table import resolve

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from routing.identifiers import BotId
    from routing.keys import AccountKeys
    from routing.payments.stripe_api.requests import FrozenRequest
    from routing.registry.rules import Route
    from routing.registry.snapshot import Snapshot
    from routing.registry.table import Resolution

MAX_QUANTITY = 1_000_000
MAX_DESCRIPTION = 500
_MAX_KEY = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(ABC):
    """What a bot may request. Its fields tell one request from another."""

    operation: ClassVar[str]

    @abstractmethod
    def plan(self, request: PaymentRequest, snapshot: Snapshot) -> PaymentPlan:
        """Return what will be sent, by reading alone; what can be refused without asking Stripe is refused first."""


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What a bot requests, under its idempotency key; raises ``InvalidRequest`` for a key that cannot be one."""

    bot: BotId
    idempotency_key: str
    operation: Operation
    token_prefix: str = ""
    """Of the token that the bot has shown; empty in the router's own process."""

    def __post_init__(self) -> None:
        key = self.idempotency_key
        if not (0 < len(key) <= _MAX_KEY and key.isascii() and key.isprintable()):
            raise InvalidRequest(
                "The idempotency key must be 1 to 255 printable ASCII characters, such as 'order-4711'."
            )
        if "," in key:  # a header that is sent twice arrives joined by a comma, as another key
            raise InvalidRequest("The idempotency key must not have a comma. Was its header sent twice? Send it once.")

    @property
    def id(self) -> uuid.UUID:
        return payment_id(self.bot, self.idempotency_key)

    def plan(self, snapshot: Snapshot) -> PaymentPlan:
        return self.operation.plan(self, snapshot)


@dataclass(frozen=True, slots=True)
class PaymentPlan:
    """What will be sent, with which keys, decided on which snapshot of the registry."""

    snapshot: Snapshot
    keys: AccountKeys
    draft: Draft


@dataclass(slots=True)
class RoutedCall:
    """A request and the route that it takes; its methods read whatever else the plan needs."""

    request: PaymentRequest
    snapshot: Snapshot
    resolution: Resolution
    _keys: tuple[AccountKeys, str] | None = field(default=None, init=False, repr=False)

    @property
    def route(self) -> Route:
        return self.resolution.route

    def require_same(self, name: str, given: str | None, allowed: str) -> None:
        """Refuse what the caller names otherwise than the route."""
        if given is not None and given != allowed:
            raise NotAllowedByRoute(
                f"The {name} {given!r:.100} is not what the bot's route allows: {allowed}. "
                "Leave it out, name the qualifier that leads to it, or have the route changed.",
                field=name,
            )

    def select_customer(self, customer_id: str | None) -> str:
        """Return who pays: the route's customer, or one that the same bot created."""
        default = self.route.customer_id
        if customer_id in (None, default) or _is_created_by(self.request.bot, str(customer_id)):
            return customer_id or default
        raise NotAllowedByRoute(
            f"The customer {customer_id!r:.100} is neither the route's ({default}) nor one that this bot created.",
            field="customer_id",
        )

    def stripe_metadata(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the metadata of the Stripe object: the bot's own and the router's."""
        return stripe_metadata(self.request.id, self.resolution, given)

    def load_keys(self) -> tuple[AccountKeys, str]:
        """Return the domain's keys and account, loaded once. Stripe may be asked whose they are."""
        if self._keys is None:
            self._keys = load_keys(self.resolution.domain)
        return self._keys

    def fetch_payer(self, customer_id: str) -> Payer:
        keys, _ = self.load_keys()
        domain = self.resolution.domain.slug
        return Payer(customer_id, payment_methods.default_payment_method(domain, customer_id, keys))

    def require_nothing_owed(self, customer_id: str) -> None:
        """Refuse a customer to whose next invoice Stripe would add what is owed."""
        keys, _ = self.load_keys()
        customer = payment_methods.fetch_customer(customer_id, keys)
        owed = customer.get("balance") or 0
        if owed > 0:
            amount = to_text(owed, str(customer.get("currency") or self.route.currency))
            raise RouteUnusable(
                f"The customer {customer_id} owes {amount} at Stripe, which would be added to the first invoice. "
                "Settle that balance first."
            )

    def quote_price(self, quantity: int, *, is_recurring: bool) -> int | None:
        """Return what so many of the route's price come to, in minor units; None where it is not known beforehand.

        Raises ``RouteUnusable`` where Stripe would not sell it so, or not in the route's currency.
        """
        keys, _ = self.load_keys()
        price = prices.load_price(self.resolution.domain.slug, self.route.price_id, keys)
        price.require_usable(self.route.currency, is_recurring=is_recurring)
        each = price.unit_amounts[self.route.currency]
        return None if each is None else each * quantity

    def plan(self, kind: Kind, frozen: FrozenRequest, **columns: Any) -> PaymentPlan:
        """Return the plan to send ``frozen``; ``columns`` are the ledger's in which it differs from the route."""
        keys, account_id = self.load_keys()
        decided = {**_route_columns(self.route), **columns}
        terms = Terms(decided["currency"], decided["price_id"], decided["customer_id"], decided.pop("refund_of", None))
        draft = Draft(
            id=self.request.id,
            bot=self.request.bot,
            resolution=self.resolution,
            columns={
                "kind": kind.value,
                "token_prefix": self.request.token_prefix,
                "idempotency_key": self.request.idempotency_key,
                "fingerprint": fingerprint(self.request.operation, terms),
                "request": frozen,
                "account_id": account_id,
                "refund_of_id": terms.refunded.id if terms.refunded else None,
                **decided,
            },
        )
        return PaymentPlan(self.snapshot, keys, draft)


def resolve_route(request: PaymentRequest, overrides: Mapping[str, str], snapshot: Snapshot) -> RoutedCall:
    """Return the request with the route that its bot takes now; raise what refuses it."""
    return RoutedCall(request, snapshot, resolve(snapshot.table, request.bot, overrides, snapshot.now()))


def require_quantity(quantity: int | None) -> None:
    if quantity is not None and not 0 < quantity <= MAX_QUANTITY:
        raise InvalidRequest(f"The quantity must be from 1 to {MAX_QUANTITY}.")


def require_short(description: str) -> None:
    if len(description) > MAX_DESCRIPTION:
        raise InvalidRequest(f"The description must be at most {MAX_DESCRIPTION} characters.")


def _route_columns(route: Route) -> dict[str, Any]:
    return {
        "amount_minor": None,
        "currency": route.currency,
        "quantity": None,
        "description": "",
        "metadata": {},
        "product_id": route.product_id,
        "price_id": route.price_id,
        "customer_id": route.customer_id,
    }


def _is_created_by(bot: BotId, customer_id: str) -> bool:
    created = Payment.objects.filter(bot=str(bot), kind=Kind.CUSTOMER, status=Status.SUCCEEDED, object_id=customer_id)
    return created.exists()
