"""What is in flight: the payments that were requested and whose outcome is still open."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db.models import Count, Sum
from django.urls import reverse
from django.utils.html import format_html

from routing.admin.shared.appearance import format_amount
from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment

if TYPE_CHECKING:
    from collections.abc import Sequence

NONE_IN_FLIGHT = "No payment"

IN_FLIGHT = "outcome"
"""The parameter of the list of payments that leaves those whose outcome is open, with the value ``open``."""

_SEARCHED_FOR = {"bot": "q"}
"""By column of the ledger: the parameter of the list of payments, where it is not the column."""


def in_flight(**names: Sequence[str]) -> str:
    """Return how many payments are in flight, and their amounts, with a link to them; of everything if not ``names``.

    ``names`` is one column of the ledger, such as ``domain=["stripe"]``. Only one name has a link.
    """
    payments = Payment.objects.order_by().filter(settled_at=None).exclude(kind=Kind.CUSTOMER)
    for column, values in names.items():
        payments = payments.filter(**{f"{column}__in": values})
    sums = list(payments.values("currency").annotate(count=Count("pk"), total=Sum("amount_minor")))
    if not sums:
        return NONE_IN_FLIGHT
    count = sum(each["count"] for each in sums)
    amounts = " and ".join(format_amount(each["total"], each["currency"]) for each in sums)
    text = f"{count:,} {'payment' if count == 1 else 'payments'}, {amounts}"
    if any(len(values) > 1 for values in names.values()):
        return text
    filters = {_SEARCHED_FOR.get(column, column): value for column, [value] in names.items()}
    query = urlencode({IN_FLIGHT: "open", **filters})
    url = f"{reverse('admin:routing_payment_changelist')}?{query}"
    return format_html('<a class="text-link" href="{}">{}</a>', url, text)


def what_a_pause_does_to(payments_in_flight: str) -> tuple[str, ...]:
    """Return the sentences, one a paragraph, of a page that asks whether to pause."""
    stays = "What Stripe has made stays: it is neither stopped nor refunded."
    if payments_in_flight == NONE_IN_FLIGHT:
        return ("Nothing is in flight now.", stays)
    return (
        format_html("In flight now: {}.", payments_in_flight),
        "Of these, what never reached Stripe is canceled.",
        "What may have reached Stripe is looked up there, and not sent again while the pause lasts.",
        stays,
    )
