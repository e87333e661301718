"""What Ctrl+K finds besides pages: bots, and the payment of an exact ID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import reverse
from unfold.dataclasses import SearchResult

from routing.admin.payments.search import match_id
from routing.admin.shared.appearance import format_amount
from routing.admin.shared.base import visible
from routing.payments.ledger.models import Payment
from routing.registry.models import Bot

if TYPE_CHECKING:
    from django.http import HttpRequest

_MAX_RESULTS = 10
"""Of bots, and of payments; a longer term finds fewer."""


def search(request: HttpRequest, _lowercased_term: str) -> list[SearchResult]:
    term = request.GET["s"].strip()  # as typed: Stripe IDs are case-sensitive
    return [*_bots(request, term), *_payments(request, term)]


def _bots(request: HttpRequest, term: str) -> list[SearchResult]:
    if not request.user.has_perm("routing.view_bot"):
        return []
    found, _ = admin.site.get_model_admin(Bot).get_search_results(request, visible(request, Bot).order_by(), term)
    bots = Bot.objects.filter(pk__in=found.values("pk")).select_related("domain", "category")[:_MAX_RESULTS]
    return [
        SearchResult(str(bot), "bot", reverse("admin:routing_bot_change", args=[bot.pk]), "smart_toy") for bot in bots
    ]


def _payments(request: HttpRequest, term: str) -> list[SearchResult]:
    condition = match_id(term)
    if condition is None or not request.user.has_perm("routing.view_payment"):
        return []
    return [
        SearchResult(
            f"{payment} of {format_amount(payment.amount_minor, payment.currency)}",
            "payment",
            reverse("admin:routing_payment_change", args=[payment.pk]),
            "payments",
        )
        for payment in visible(request, Payment).filter(condition)[:_MAX_RESULTS]
    ]
