"""The first page: what was charged, and what needs attention."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from babel.dates import format_date
from django.contrib.auth.models import User
from django.db.models import Count, Q, Sum
from django.db.models.functions import Now
from django.urls import reverse

from routing.access.models import BotToken
from routing.access.tokens import EXPIRES_SOON
from routing.admin.payments.filters import ALL_CHARGES, ALL_KINDS, FAILED, FAILED_STATUSES, SUCCEEDED
from routing.admin.payments.statuses import display_status, payment_amount
from routing.admin.shared.appearance import format_amount, format_time
from routing.admin.shared.base import visible
from routing.approval.models import ChangeRequest
from routing.payments.kinds import Kind
from routing.payments.ledger.models import PAST_DUE, Payment
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import Status
from routing.registry.models import Bot, Category, Domain, Pause, RegistryHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import QuerySet
    from django.http import HttpRequest

_MAX_RECENT = 10
_MAX_NAMES = 3
_MAX_PAUSED_BOTS = 10
"""Paused bots that are listed; the list of bots has them all."""


@dataclass(frozen=True, slots=True)
class Card:
    """A number and what it means. ``tone`` is a badge's; ``lines`` has one amount per currency."""

    title: str
    lines: tuple[str, ...]
    note: str
    link: str
    tone: str = ""


def overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the context what this user may see."""
    may = request.user.has_perm
    if may("routing.view_payment"):
        payments = visible(request, Payment)
        context |= {"cards": _cards(request, payments), "recent_payments": _recent_payments(payments)}
    if may("routing.view_changerequest"):
        context["cards"] = [*context.get("cards", []), *_changes_card(request)]
    if may("routing.view_bottoken"):
        context["cards"] = [*context.get("cards", []), *_tokens_card(request)]
    if may("auth.view_user"):
        context["cards"] = [*context.get("cards", []), _superusers_card()]
    if may("routing.view_bot"):
        context |= {"paused": _paused(request), "registry": _registry()}
        context["pause_url"] = _pause_url() if may("routing.view_pause") else ""
    return context | {"title": "Overview", "now": format_time(datetime.now(UTC)), "payments_url": _payments_url()}


def _cards(request: HttpRequest, payments: QuerySet[Payment]) -> list[Card]:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since_midnight = Q(created_at__gte=midnight)
    totals = list(
        payments.order_by()
        .filter(created_at__gte=midnight.replace(day=1), is_reversed=False)
        .exclude(kind=Kind.CUSTOMER)
        .values("currency", "status", is_refund=Q(kind=Kind.REFUND))
        .annotate(
            month=Sum("amount_minor"),
            month_count=Count("pk"),
            today=Sum("amount_minor", filter=since_midnight),
            today_count=Count("pk", filter=since_midnight),
        )
        .order_by("currency")
    )
    month = format_date(midnight, "MMMM yyyy", locale="en")
    month_filter = f"{midnight:%Y-%m}"
    return [
        _charged_card("Charged today", totals, "today", period="today"),
        _charged_card(f"Charged in {month}", totals, "month", period=month_filter),
        *_refunded_card(f"Refunded in {month}", totals, period=month_filter),
        _failed_card(totals),
        *_open_payments_cards(payments),
        *_past_due_card(payments),
        _discrepancies_card(request),
    ]


def _charged_card(title: str, totals: Iterable[Mapping[str, Any]], column: str, *, period: str) -> Card:
    charged = [total for total in _succeeded(totals, is_refund=False) if total[f"{column}_count"]]
    count = sum(total[f"{column}_count"] for total in charged)
    lines = tuple(format_amount(total[column], total["currency"]) for total in charged)
    note = f"{count:,} {'payment' if count == 1 else 'payments'} succeeded"
    link = _payments_url(period=period, outcome=SUCCEEDED, kind=ALL_CHARGES)
    return Card(title, lines or ("Nothing yet",), note, link)


def _refunded_card(title: str, totals: Iterable[Mapping[str, Any]], *, period: str) -> list[Card]:
    """Return the card of refunds, if there were any."""
    refunds = _succeeded(totals, is_refund=True)
    count = sum(total["month_count"] for total in refunds)
    lines = tuple(format_amount(total["month"], total["currency"]) for total in refunds)
    note = f"{count:,} {'refund' if count == 1 else 'refunds'}"
    link = _payments_url(period=period, outcome=SUCCEEDED, kind=Kind.REFUND)
    return [Card(title, lines, note, link)] if refunds else []


def _succeeded(totals: Iterable[Mapping[str, Any]], *, is_refund: bool) -> list[Mapping[str, Any]]:
    return [total for total in totals if total["status"] == Status.SUCCEEDED and total["is_refund"] is is_refund]


def _failed_card(totals: Iterable[Mapping[str, Any]]) -> Card:
    failed = [total for total in totals if total["status"] in FAILED_STATUSES]
    today = sum(total["today_count"] for total in failed)
    month = sum(total["month_count"] for total in failed)
    link = _payments_url(period="today", outcome=FAILED)
    return Card("Declined or rejected today", (f"{today:,}",), f"{month:,} this month", link)


def _open_payments_cards(payments: QuerySet[Payment]) -> list[Card]:
    """Count open payments of any age: the index on them has no others."""
    counts = payments.filter(settled_at=None).aggregate(
        unknown=Count("pk", filter=Q(status=Status.UNKNOWN)), review=Count("pk", filter=Q(status=Status.NEEDS_REVIEW))
    )
    unknown, review = counts["unknown"], counts["review"]
    return [
        Card(
            "Unknown outcome",
            (f"{unknown:,}",),
            "The router looks up each one" if unknown else "Every outcome is known",
            _payments_url(kind=ALL_KINDS, status__exact=Status.UNKNOWN),
            "warning" if unknown else "good",
        ),
        Card(
            "Needs review",
            (f"{review:,}",),
            "Look up each one in Stripe" if review else "Nothing to do",
            _payments_url(kind=ALL_KINDS, status__exact=Status.NEEDS_REVIEW),
            "alarm" if review else "good",
        ),
    ]


def _past_due_card(payments: QuerySet[Payment]) -> list[Card]:
    """Return the card of subscriptions whose renewal could not be collected, if there are any."""
    count = payments.filter(subscription_status__in=PAST_DUE).count()
    url = f"{reverse('admin:routing_payment_changelist')}?{urlencode({'subscription_status__in': ','.join(PAST_DUE)})}"
    note = "A renewal could not be collected"
    return [Card("Subscriptions past due", (f"{count:,}",), note, url, "warning")] if count else []


def _discrepancies_card(request: HttpRequest) -> Card:
    count = visible(request, Discrepancy).filter(cleared_at=None).count()
    return Card(
        "Open discrepancies",
        (f"{count:,}",),
        "Each one says what to do" if count else "The ledger and Stripe agree",
        reverse("admin:routing_discrepancy_changelist"),
        "alarm" if count else "good",
    )


def _changes_card(request: HttpRequest) -> list[Card]:
    """Return the card of what waits for approval, if anything does."""
    count = visible(request, ChangeRequest).filter(status=ChangeRequest.Status.OPEN).count()
    link = f"{reverse('admin:routing_changerequest_changelist')}?status__exact={ChangeRequest.Status.OPEN}"
    note = "Another person approves each one"
    return [Card("Changes waiting for approval", (f"{count:,}",), note, link, "warning")] if count else []


def _tokens_card(request: HttpRequest) -> list[Card]:
    """Return the card of tokens that expire soon, if any do: their bots are refused from then on."""
    live = visible(request, BotToken).filter(revoked_at=None, expires_at__gt=Now())
    count = live.filter(expires_at__lt=Now() + EXPIRES_SOON).count()
    title = f"Bot tokens that expire within {EXPIRES_SOON.days} days"
    link = f"{reverse('admin:routing_bottoken_changelist')}?o=6"  # by their expiry
    return (
        [Card(title, (f"{count:,}",), "Rotate each one with manage.py rotate_token", link, "warning")] if count else []
    )


def _superusers_card() -> Card:
    names = list(
        User.objects.filter(is_superuser=True, is_active=True)
        .order_by("username")[: _MAX_NAMES + 1]
        .values_list("username", flat=True)
    )
    more = ", …" if len(names) > _MAX_NAMES else ""
    link = f"{reverse('admin:auth_user_changelist')}?is_superuser__exact=1"
    note = "They may do everything"
    return Card("Superusers", (", ".join(names[:_MAX_NAMES]) + more or "None",), note, link)


def _recent_payments(payments: QuerySet[Payment]) -> list[dict[str, Any]]:
    return [
        {
            "link": reverse("admin:routing_payment_change", args=[payment.pk]),
            "created": format_time(payment.created_at),
            "bot": payment.bot,
            "type": payment.get_kind_display().capitalize(),
            "amount": payment_amount(payment),
            "status": display_status(payment).badge,
        }
        for payment in payments.exclude(kind=Kind.CUSTOMER)[:_MAX_RECENT]
    ]


def _paused(request: HttpRequest) -> list[tuple[str, str]]:
    """Return what is paused, each with its page: all billing, domains, categories and bots."""
    all_billing = [
        (f"All billing, since {format_time(pause.paused_at)}", _pause_url())
        for pause in Pause.objects.filter(resumed_at=None)
    ]
    domains = [
        (f"Domain {domain}", reverse("admin:routing_domain_change", args=[domain.pk]))
        for domain in visible(request, Domain).filter(is_paused=True)
    ]
    categories = [
        (f"Category {category}", reverse("admin:routing_category_change", args=[category.pk]))
        for category in Category.objects.filter(is_paused=True)
    ]
    bots = [
        (f"Bot {bot}", reverse("admin:routing_bot_change", args=[bot.pk]))
        for bot in visible(request, Bot).filter(is_paused=True).select_related("domain", "category")[:_MAX_PAUSED_BOTS]
    ]
    return all_billing + domains + categories + bots


def _registry() -> dict[str, str]:
    head = RegistryHead.objects.first()
    return {"version": f"{head.version:,}", "changed": format_time(head.changed_at)} if head else {}


def _pause_url() -> str:
    return reverse("admin:routing_pause_changelist")


def _payments_url(**filters: str) -> str:
    url = reverse("admin:routing_payment_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url
