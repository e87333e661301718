"""What Ctrl+K finds besides pages: bots, and the payment of an exact id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import reverse
from unfold.dataclasses import SearchResult

from routing.admin.appearance import amount
from routing.admin.ledger import exactly
from routing.payments.ledger.models import Payment
from routing.registry.models import Bot

if TYPE_CHECKING:
    from django.http import HttpRequest

_MOST = 10
"""Results of a kind; whoever wants more narrows the term."""


def find(request: HttpRequest, _lowered: str) -> list[SearchResult]:
    term = request.GET["s"].strip()  # as typed: Stripe's ids tell capitals apart
    return [*_bots(request, term), *_payments(request, term)]


def _bots(request: HttpRequest, term: str) -> list[SearchResult]:
    if not request.user.has_perm("routing.view_bot"):
        return []
    desk = admin.site.get_model_admin(Bot)
    found, _ = desk.get_search_results(request, Bot.objects.order_by(), term)
    bots = Bot.objects.filter(pk__in=found.values("pk")).select_related("domain", "category")[:_MOST]
    return [
        SearchResult(str(bot), "bot", reverse("admin:routing_bot_change", args=[bot.pk]), "smart_toy") for bot in bots
    ]


def _payments(request: HttpRequest, term: str) -> list[SearchResult]:
    wanted = exactly(term)
    if wanted is None or not request.user.has_perm("routing.view_payment"):
        return []
    return [
        SearchResult(
            f"{payment} of {amount(payment.amount_minor, payment.currency)}",
            "payment",
            reverse("admin:routing_payment_change", args=[payment.pk]),
            "payments",
        )
        for payment in Payment.objects.filter(wanted)[:_MOST]
    ]
