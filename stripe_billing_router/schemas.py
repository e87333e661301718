"""The JSON that the router answers with, written once.

The client returns these types, the server renders them, and the OpenAPI document describes them. At run time they are
plain dicts. What ``Annotated`` adds to a type goes into the OpenAPI document: a ``Format``, or the description.
Annotations are evaluated here, because the document is made from them.
"""

from decimal import Decimal
from typing import Annotated, Literal, NotRequired, TypeAlias, TypedDict


class Format(str):
    """The ``format`` of a string in JSON Schema."""

    __slots__ = ()


Amount: TypeAlias = int | str | Decimal | float
"""An argument: money in the currency's main unit, ``10``, ``"10.00"``, ``Decimal("10.00")``; a float goes as it prints,
``10.0``. In responses an amount is a decimal string."""

PaymentId: TypeAlias = Annotated[str, Format("uuid")]
Timestamp: TypeAlias = Annotated[str, Format("date-time")]
"""ISO 8601, in UTC."""

Kind: TypeAlias = Literal["charge", "invoice", "customer", "subscription", "renewal", "refund", "checkout"]
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
Measure: TypeAlias = Literal["gross", "count", "refunds"]
Per: TypeAlias = Literal["charge", "hour", "24h", "day", "month"]


# Payments


class PaymentRoute(TypedDict):
    """The route that the payment took, as the registry had it then."""

    domain: str
    region: str
    product_id: str
    price_id: str
    customer_id: str | None
    registry_version: int
    overrides: dict[str, str]


class StripeIds(TypedDict):
    """The payment's ids at Stripe; null for the objects that it does not have."""

    payment_intent: str | None
    charge: str | None
    invoice: str | None
    request_id: str | None


class PaymentError(TypedDict, total=False):
    """Why the payment failed, as Stripe says it: https://docs.stripe.com/api/errors."""

    http_status: int | None
    type: str
    code: str
    decline_code: str
    advice_code: str
    message: str
    param: str
    charge: str


class Cap(TypedDict):
    """A limit that a payment counts towards, and what is left of it."""

    measure: Measure
    per: Per
    scope: Annotated[str, "`bot …`, `category …`, `domain …`, `token …` or `everywhere`."]
    since: Annotated[Timestamp, "When the period began that is counted; null for `charge`."] | None
    limit: Annotated[str, "`500.00 USD`, or a number of charges."]
    used: Annotated[str, "What was charged, or refunded, in the period."]
    reserved: Annotated[str, "What payments whose outcome is open may come to."]
    left: Annotated[str, "What is left of the limit: neither used nor reserved."]


class Payment(TypedDict):
    """One row of the router's ledger."""

    id: PaymentId
    kind: Kind
    status: Status
    bot: str
    amount: Annotated[str, "A decimal string in the currency's main unit."] | None
    amount_refunded: Annotated[str, "What was refunded of a charge; null for what is not one."] | None
    disputed: Annotated[bool, "The customer disputes the charge."]
    subscription_status: Annotated[
        str | None,
        "Of the subscription that the payment began, Stripe's status now: `active`, `past_due`, …",
    ]
    renewal_of: Annotated[PaymentId | None, "Of a renewal: the payment that began the subscription."]
    currency: str | None
    quantity: int | None
    description: str
    metadata: dict[str, str]
    route: PaymentRoute
    stripe: StripeIds
    error: PaymentError | None
    created_at: Timestamp
    settled_at: Timestamp | None
    caps: NotRequired[
        Annotated[
            list[Cap] | None,
            "What is left now of each cap on the payment; null if that could not be read. "
            "Absent in lists, and where it is beside the payment.",
        ]
    ]
    dry_run: NotRequired[Annotated[bool, "True where nothing was sent: it is the payment that would be made."]]


class StripeObject(TypedDict):
    """An object at Stripe, and the payment that records it."""

    id: Annotated[str, "Stripe's id."]
    status: Annotated[str, "Stripe's status."] | None
    payment: Payment
    caps: list[Cap] | None


class Refund(StripeObject):
    """A refund at Stripe, and the payment that records it."""


class Subscription(StripeObject):
    """A subscription at Stripe, and the payment that records it."""


class CanceledSubscription(TypedDict):
    """A subscription that was canceled, or that ends with its period."""

    id: Annotated[str, "Stripe's id, `sub_…`."]
    status: Annotated[str, "Stripe's status: `canceled`, or as before where it ends with its period."]
    cancel_at_period_end: bool
    payment_id: Annotated[PaymentId, "Of the payment that began it."]


class CheckoutSession(StripeObject):
    """A Checkout Session at Stripe, and the payment that records it."""

    url: Annotated[str, "Stripe's payment page, to which the customer is sent."] | None
    publishable_key: Annotated[str, "For Stripe.js."] | None


class Customer(TypedDict):
    """A customer at Stripe, and the id of the payment that records it."""

    id: Annotated[str, "Stripe's id, `cus_…`."]
    email: str | None
    name: str | None
    phone: str | None
    description: str | None
    metadata: dict[str, str]
    created: Annotated[int, "Unix timestamp."]
    livemode: bool
    bot: str
    payment_id: PaymentId


class Money(TypedDict):
    amount: Annotated[str, "A decimal string in the currency's main unit."]
    currency: str


class Balance(TypedDict):
    """The balance of a domain's Stripe account, one entry per currency."""

    domain: str
    available: list[Money]
    pending: list[Money]


class Token(TypedDict):
    """What the bot token allows with which the call was made."""

    name: str
    prefix: Annotated[str, "The first characters of the token, by which the router's operators know it."]
    bots: Annotated[list[str], "`stripe:finance:*` is a business category, `stripe:*:*` a domain, `*` every bot."]
    scopes: list[str]
    qualifiers: Annotated[list[str], "The qualifiers that its calls may name, `key=value`; `*` is every one."]
    networks: Annotated[list[str], "From where it may be used; from anywhere if empty."]
    limits: Annotated[list[Cap], "The caps on the token itself, and what is left of each now."]
    expires_at: Timestamp | None


# The registry


class RouteFields(TypedDict):
    product_id: str
    price_id: str
    customer_id: str
    currency: str


class NewRoute(TypedDict):
    """An argument: the fields of a route to register; ``currency`` is ``"usd"`` unless given."""

    product_id: str
    price_id: str
    customer_id: str
    currency: NotRequired[str]


class RouteChanges(TypedDict, total=False):
    """The fields of a route that an override replaces."""

    product_id: str
    price_id: str
    customer_id: str
    currency: str


ChangeStatus: TypeAlias = Literal["open", "applied", "rejected", "withdrawn", "stale"]


class Change(TypedDict):
    """What was proposed because it needs another person's approval, and what became of it."""

    change: Annotated[int, "The number by which it can be looked up."]
    status: Annotated[ChangeStatus, "`stale`: something else has changed since, so that it cannot take effect."]
    reason: Annotated[str, "Why it was rejected or is stale."]
    proposed_at: Timestamp
    decided_at: Timestamp | None


class Route(TypedDict):
    """A bot's registered route in a region."""

    domain: str
    region: str
    business_category: str
    bot_name: str
    valid_from: Timestamp | None
    valid_until: Timestamp | None
    route: RouteFields


class Override(TypedDict):
    """What changes on a bot's routes for callers that pass the qualifier ``key=value``."""

    domain: str
    region: Annotated[str, "Null for every region."] | None
    business_category: str
    bot_name: str
    valid_from: Timestamp | None
    valid_until: Timestamp | None
    key: str
    value: str
    route: RouteChanges


class RoutingStep(TypedDict):
    """A rule that was considered: whether it applied, and why."""

    rule: str
    won: bool
    reason: str


class Resolution(TypedDict):
    """The route that a call takes, and why."""

    bot: str
    domain: str
    region: str
    overrides: dict[str, str]
    registry_version: int
    as_of: Timestamp
    route: RouteFields
    explanation: list[RoutingStep]


# Lists: pass the query of ``next`` for the next page; null on the last one


class PaymentPage(TypedDict):
    results: list[Payment]
    next: Annotated[str, Format("uri")] | None


class RoutePage(TypedDict):
    results: list[Route]
    next: Annotated[str, Format("uri")] | None


class OverridePage(TypedDict):
    results: list[Override]
    next: Annotated[str, Format("uri")] | None


# Errors


class FieldError(TypedDict):
    """What is wrong with one field of the request; ``field`` is empty where it is the whole."""

    field: str
    detail: str


class ProblemExtensions(TypedDict, total=False):
    """What a problem carries besides; ``BillingError.context`` in the client."""

    payment: Payment
    cap: Annotated[Cap, "The cap that was exceeded."]
    left: Annotated[str, "What can still be refunded of the payment."]
    field: Annotated[str, "The field or qualifier that was refused."]
    errors: Annotated[list[FieldError], "What is wrong with each field."]
    explanation: Annotated[list[RoutingStep], "The rules that were considered."]


class Problem(ProblemExtensions):
    """An RFC 9457 problem."""

    type: Annotated[str, Format("uri")]
    title: str
    status: int
    detail: Annotated[str, "What went wrong, and what to do."]
    code: Annotated[str, "Stable; names the error's class in the client."]
    money_may_have_moved: Annotated[bool, "The outcome at Stripe is not known."]
    retry_with_same_key: Annotated[bool, "A retry with the same idempotency key is safe and may help."]
