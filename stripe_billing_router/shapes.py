"""What the router's answers look like to a type checker; at run time they are plain dicts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

Amount: TypeAlias = int | str | Decimal | float
"""Money in the currency's own units: ``10``, ``"10.00"``, ``Decimal("10.00")``; a float goes as it prints, ``10.0``."""

Record: TypeAlias = dict[str, Any]
"""An answer whose fields mirror Stripe's object; it has at least ``id`` where the object has one."""

Status: TypeAlias = Literal[
    "received",
    "sent",
    "succeeded",
    "declined",
    "rejected",
    "canceled",
    "requires_action",
    "processing",
    "unknown",
    "needs_review",
]


class PaymentRoute(TypedDict):
    """What the registry said when the payment was made."""

    domain: str
    region: str
    product_id: str
    price_id: str
    customer_id: str
    registry_version: int
    overrides: dict[str, str]


class StripeIds(TypedDict):
    """The payment at Stripe; None for what it does not have."""

    payment_intent: str | None
    charge: str | None
    invoice: str | None
    request_id: str | None


class Cap(TypedDict):
    """A limit that a payment counts towards. ``limit`` and ``left`` read ``"500.00 USD"``, or are a number of charges.

    ``scope``: ``"bot …"``, ``"category …"``, ``"domain …"`` or ``"everywhere"``. ``since``: the first date of the
    day or month (UTC) that ``left`` is for; None for a limit on each charge.
    """

    measure: Literal["gross", "count", "refunds"]
    per: Literal["charge", "day", "month"]
    scope: str
    since: str | None
    limit: str
    left: str


class Payment(TypedDict):
    """One row of the router's ledger; ``amount`` is a decimal string, times are ISO 8601.

    ``caps`` is what was left of each cap on it at the answer; None where the router could not read that. The payments
    of a list have none.
    """

    id: str
    kind: str
    status: Status
    bot: str
    amount: str
    currency: str
    description: str | None
    metadata: dict[str, str]
    route: PaymentRoute
    stripe: StripeIds
    error: Any
    created_at: str
    settled_at: str | None
    caps: NotRequired[list[Cap] | None]


class Route(TypedDict, total=False):
    """A bot's billing; in an override, the fields that it changes."""

    product_id: str
    price_id: str
    customer_id: str
    currency: str


class RegisteredRoute(TypedDict):
    domain: str
    region: str
    business_category: str
    bot_name: str
    route: Route


class RegisteredOverride(TypedDict):
    """A rule for callers that name ``key=value``; without a region it holds in every region."""

    domain: str
    region: str | None
    business_category: str
    bot_name: str
    key: str
    value: str
    route: Route


class Money(TypedDict):
    amount: str
    currency: str


class Balance(TypedDict):
    """The account's money, one entry a currency."""

    available: list[Money]
    pending: list[Money]
