"""What is a hit, by code, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of hit; ``says`` follows the words that were found."""

    code: str
    says: str
    instead: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that something in a text breaks; ``what`` is short and never a secret."""

    rule: Rule
    offset: int
    what: str


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A hit as it is reported; line and column count from 1, in characters."""

    path: str
    line: int
    column: int
    code: str
    message: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.code} {self.message} Write instead: {self.instead}"


_CALL = "charge(…) of stripe_billing_router, or POST /api/v1/charges to the billing router."
_NOTHING = "nothing; the billing router holds the key."

LIVE_KEY = Rule("BG101", "is a live key of Stripe.", f"{_NOTHING} Roll this one at Stripe: it is in the history.")
TEST_KEY = Rule("BG102", "is a test key of Stripe.", f"{_NOTHING} Test against the router's sandbox.")
PUBLISHABLE_KEY = Rule(
    "BG103",
    "is a publishable key of Stripe, which names the account outside the router.",
    "the address that create_checkout_session(…) answers with, or the publishable key that the router hands out.",
)
WEBHOOK_SECRET = Rule(
    "BG104",
    "has the form of Stripe's webhook signing secrets.",
    "get_payment(…) of stripe_billing_router; Stripe's events go to the router. Roll the secret where it was issued.",
)
SDK_IMPORT = Rule("BG201", "takes in Stripe's SDK.", _CALL)
SDK_DEPENDENCY = Rule("BG202", "would install Stripe's own package.", "stripe-billing-router, or nothing.")
SDK_COPY = Rule("BG203", "is the mark of a copy of Stripe's SDK.", f"nothing; remove the copy, and call {_CALL}")
RAW_CALL = Rule("BG301", "is an address of Stripe's API.", _CALL)
ROUTE_KEY = Rule(
    "BG401",
    "stands in a route, and a route holds no key.",
    "the route's product_id, price_id, customer_id and currency alone; the billing router holds the key.",
)

RULES = (
    LIVE_KEY,
    TEST_KEY,
    PUBLISHABLE_KEY,
    WEBHOOK_SECRET,
    SDK_IMPORT,
    SDK_DEPENDENCY,
    SDK_COPY,
    RAW_CALL,
    ROUTE_KEY,
)
