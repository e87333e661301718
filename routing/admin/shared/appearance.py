"""How amounts, times, JSON and Stripe IDs look in the admin."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from babel.dates import format_datetime
from babel.numbers import format_decimal
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst

from routing.money import decimal_places, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from django.utils.safestring import SafeString

EMPTY = "\N{EN DASH}"


def format_amount(minor: int | None, currency: str) -> str:
    """Return ``1,234.50 USD``, ``500 JPY`` or ``1.230 KWD``; a dash while the amount is unknown."""
    if minor is None or not currency:
        return EMPTY
    decimals = "0" * decimal_places(currency)
    pattern = f"#,##0.{decimals}" if decimals else "#,##0"
    return f"{format_decimal(Decimal(to_text(minor, currency)), pattern, locale='en')} {currency.upper()}"


def format_time(at: datetime | None) -> str:
    """Return ``3 Sep 2025, 14:05:09 UTC``."""
    return EMPTY if at is None else f"{format_datetime(at, 'd MMM yyyy, HH:mm:ss', tzinfo=UTC, locale='en')} UTC"


def badge(text: str, tone: str) -> SafeString:
    """``tone`` is one of quiet, info, good, warning, bad and alarm."""
    return format_html('<span class="badge badge-{}">{}</span>', tone, capfirst(text))


def stripe_ids(*ids: str | None) -> SafeString | str:
    """Return the IDs in full, one a line."""
    lines = format_html_join("", '<code class="stripe-id">{}</code>', ((id_,) for id_ in ids if id_))
    return format_html("<div>{}</div>", lines) if lines else EMPTY


def dashboard_link(section: str, stripe_id: str) -> SafeString | str:
    """Return the ID with a link to its page in the Stripe Dashboard, which has none for a sandbox's objects."""
    if not stripe_id or settings.IS_SANDBOX:
        return stripe_ids(stripe_id)
    return format_html(
        '<a class="text-link" href="https://dashboard.stripe.com/{}/{}" target="_blank" rel="noopener noreferrer">'
        "{} (open in Stripe)</a>",
        section,
        stripe_id,
        stripe_ids(stripe_id),
    )


def key_values(rows: Iterable[tuple[str, Any]]) -> SafeString:
    """Return names and values, one below the other."""
    return format_html('<dl class="key-values">{}</dl>', format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows))


def differences_table(sides: tuple[str, str], differences: Iterable[tuple[str, str, str]]) -> SafeString:
    """Return a table of fields and their values on either side, which ``sides`` names."""
    context = {"sides": sides, "differences": list(differences)}
    return render_to_string("admin/routing/differences.html", context)


def format_json(value: Any) -> SafeString | str:
    """Return JSON as names and values, with spaces in the names."""
    if isinstance(value, dict) and value:
        return key_values((str(name).replace("_", " "), format_json(inner)) for name, inner in value.items())
    if isinstance(value, list) and value:
        return format_html_join("", "<div>{}</div>", ((format_json(inner),) for inner in value))
    if value is None or value in ("", {}, []):
        return EMPTY
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
