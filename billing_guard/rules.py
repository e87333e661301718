"""The rules: what is a finding, under which code, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """``message`` completes a sentence that begins with what was detected."""

    code: str
    message: str
    instead: str


@dataclass(frozen=True, slots=True)
class Detection:
    """Text that breaks a rule, at an offset in characters; ``subject`` is short and never a secret."""

    rule: Rule
    offset: int
    subject: str


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A detection as it is reported; line and column count from 1, in characters."""

    path: str
    line: int
    column: int
    code: str
    message: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.code} {self.message} Write instead: {self.instead}"


_CALL = "charge(…) of stripe_billing_router, or POST /api/v1/charges to the billing router."
_NO_KEY = "nothing; the billing router holds the keys."

LIVE_KEY = Rule(
    "BG101",
    "is a live Stripe key.",
    f"{_NO_KEY} Roll this key in the Stripe Dashboard: it stays in the repository's history.",
)
TEST_KEY = Rule("BG102", "is a Stripe test key.", f"{_NO_KEY} Test against the router's sandbox.")
PUBLISHABLE_KEY = Rule(
    "BG103",
    "is a publishable Stripe key, which ties this code to one Stripe account.",
    "the URL that create_checkout_session(…) returns, or the publishable key that the router returns with it.",
)
WEBHOOK_SECRET = Rule(
    "BG104",
    "looks like a Stripe webhook signing secret.",
    "get_payment(…) of stripe_billing_router; Stripe sends its events to the router. Roll this secret where it was "
    "issued.",
)
SDK_IMPORT = Rule("BG201", "uses Stripe's SDK.", _CALL)
SDK_DEPENDENCY = Rule(
    "BG202",
    "is a Stripe package among the dependencies.",
    "stripe-billing-router, installed from the billing router's repository, or nothing.",
)
VENDORED_SDK = Rule(
    "BG203", "belongs to a vendored copy of Stripe's SDK.", f"nothing; remove the copy, and call {_CALL}"
)
API_CALL = Rule("BG301", "is a Stripe API URL.", _CALL)
STRIPE_COMMAND = Rule("BG302", "is Stripe's command line.", _CALL)
PAYMENT_LINK = Rule(
    "BG303",
    "is a link to a page on which Stripe collects a payment for one account.",
    "the URL that create_checkout_session(…) of stripe_billing_router returns.",
)
ROUTE_KEY = Rule(
    "BG401",
    "is a key field in a route, and routes hold no keys.",
    "only the route's product_id, price_id, customer_id and currency; the billing router holds the keys.",
)

RULES = (
    LIVE_KEY,
    TEST_KEY,
    PUBLISHABLE_KEY,
    WEBHOOK_SECRET,
    SDK_IMPORT,
    SDK_DEPENDENCY,
    VENDORED_SDK,
    API_CALL,
    STRIPE_COMMAND,
    PAYMENT_LINK,
    ROUTE_KEY,
)
