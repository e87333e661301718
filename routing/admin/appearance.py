"""How amounts, times, statuses and Stripe's ids look to a person."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from babel.dates import format_datetime
from babel.numbers import format_decimal
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from routing.money import decimal_places, to_text
from routing.payments.kinds import Kind
from routing.payments.states import Status

if TYPE_CHECKING:
    from datetime import datetime

    from django.utils.safestring import SafeString

    from routing.payments.ledger.models import Payment

NOTHING = "\N{EN DASH}"

TONES: dict[Status, str] = {
    Status.RECEIVED: "quiet",
    Status.SENT: "info",
    Status.SUCCEEDED: "good",
    Status.DECLINED: "bad",
    Status.REJECTED: "bad",
    Status.CANCELED: "quiet",
    Status.REQUIRES_ACTION: "warning",
    Status.PROCESSING: "info",
    Status.UNKNOWN: "warning",
    Status.NEEDS_REVIEW: "alarm",
}

MEANINGS: dict[Status, str] = {
    Status.RECEIVED: "Stripe has not been asked, or refused before it did anything. Nothing was charged.",
    Status.SENT: "Stripe is being asked right now.",
    Status.SUCCEEDED: "Stripe confirmed it.",
    Status.DECLINED: "The customer's bank or Stripe said no. Nothing was charged.",
    Status.REJECTED: "Stripe did not accept the request; the route is probably wrong. Nothing was charged.",
    Status.CANCELED: "It was called off. Nothing was charged.",
    Status.REQUIRES_ACTION: "The customer's bank asks the customer to confirm. Nothing is charged until then.",
    Status.PROCESSING: "Stripe is still at work, as with bank debits. The outcome follows by itself.",
    Status.UNKNOWN: "Stripe's answer got lost. The router finds out by itself; do not charge again.",
    Status.NEEDS_REVIEW: "The router cannot tell what happened. Compare with Stripe before charging again.",
}


def money_of(payment: Payment) -> str:
    """Return what a payment comes to; what is given back carries a minus sign."""
    shown = amount(payment.amount_minor, payment.currency)
    return f"\N{MINUS SIGN}{shown}" if payment.kind == Kind.REFUND and shown != NOTHING else shown


def amount(minor: int | None, currency: str) -> str:
    """Return ``1,234.50 USD``, ``500 JPY`` or ``1.230 KWD``; a dash while the amount is not known."""
    if minor is None or not currency:
        return NOTHING
    decimals = "0" * decimal_places(currency)
    pattern = f"#,##0.{decimals}" if decimals else "#,##0"
    return f"{format_decimal(Decimal(to_text(minor, currency)), pattern, locale='en')} {currency.upper()}"


def moment(at: datetime | None) -> str:
    """Return ``3 Sep 2025, 14:05:09 UTC``."""
    return NOTHING if at is None else f"{format_datetime(at, 'd MMM yyyy, HH:mm:ss', tzinfo=UTC, locale='en')} UTC"


def badge(text: str, tone: str) -> SafeString:
    """``tone`` is one of quiet, info, good, warning, bad and alarm."""
    return format_html('<span class="badge badge-{}">{}</span>', tone, text)


def in_force(rule: Any) -> SafeString:
    now = timezone.now()
    if rule.valid_from and rule.valid_from > now:
        return badge("in future", "info")
    return badge("ended", "quiet") if rule.valid_until and rule.valid_until <= now else badge("in force", "good")


def period(rule: Any) -> SafeString | str:
    ends = [("from", rule.valid_from), ("until", rule.valid_until)]
    return format_html_join("", "<div>{} {}</div>", ((word, moment(at)) for word, at in ends if at)) or "always"


def rule_in_words(rule: Any) -> SafeString:
    """Return the heading of a route or an override on its bot's page."""
    qualifier = f"{rule.key}={rule.value}, " if hasattr(rule, "key") else ""
    where = f"region {rule.region}" if rule.region else "every region"
    return format_html("{} {}", qualifier + where, in_force(rule))


def status_badge(status: str) -> SafeString:
    known = Status(status)
    return badge(known.label, TONES[known])


def stripe_ids(*ids: str | None) -> SafeString | str:
    """Return Stripe's ids in full, one a line."""
    lines = format_html_join("", '<code class="stripe-id">{}</code>', ((id_,) for id_ in ids if id_))
    return format_html("<div>{}</div>", lines) if lines else NOTHING


def stripe_page(section: str, id_: str) -> SafeString | str:
    """Return the id with a link to its page at Stripe; a sandbox's objects have none."""
    if not id_ or settings.IS_SANDBOX:
        return stripe_ids(id_)
    return format_html(
        '<a class="text-link" href="https://dashboard.stripe.com/{}/{}" target="_blank" rel="noopener noreferrer">'
        "{} (open at Stripe)</a>",
        section,
        id_,
        stripe_ids(id_),
    )


def error_in_words(error: dict[str, Any] | None) -> SafeString | str:
    """Return Stripe's sentence, and below it its codes."""
    if not error:
        return "no error"
    codes = {name: value for name, value in error.items() if name != "message"}
    return format_html(
        "<p>{}</p>{}", error.get("message") or "Stripe gave no reason.", readable(codes) if codes else ""
    )


def readable(value: Any) -> SafeString | str:
    """Return JSON as names and values, one below the other."""
    if isinstance(value, dict) and value:
        rows = ((str(name).replace("_", " "), readable(inner)) for name, inner in value.items())
        return format_html('<dl class="readable">{}</dl>', format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows))
    if isinstance(value, list) and value:
        return format_html_join("", "<div>{}</div>", ((readable(inner),) for inner in value))
    if value is None or value in ("", {}, []):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
