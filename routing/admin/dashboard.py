"""The first page: what was charged, and what waits for somebody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from babel.dates import format_date
from django.db.models import Count, Q, Sum
from django.urls import reverse

from routing.admin.appearance import amount, moment, money_of, status_badge
from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import Status
from routing.registry.models import Bot, Category, Domain, Pause, RegistryHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.http import HttpRequest

_RECENT = 10
_NAMED = 10
"""Paused bots that are named; a longer list is behind the link."""

_NOT_CHARGED = (Status.DECLINED, Status.REJECTED)


@dataclass(frozen=True, slots=True)
class Card:
    """A number with its sense. ``tone`` is a badge's; ``lines`` holds one amount per currency."""

    title: str
    lines: tuple[str, ...]
    note: str
    link: str
    tone: str = ""


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what this person may see."""
    may = request.user.has_perm
    if may("routing.view_payment"):
        context |= {"cards": _cards(), "recent": _recent()}
    if may("routing.view_bot"):
        context |= {"paused": _paused(), "registry": _registry()}
        context["switch"] = _switch() if may("routing.view_pause") else ""
    return context | {"title": "Overview", "now": moment(datetime.now(UTC)), "payments": _ledger()}


def _cards() -> list[Card]:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since_midnight = Q(created_at__gte=midnight)
    rows = list(
        Payment.objects.order_by()
        .filter(created_at__gte=midnight.replace(day=1))
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
    this_month = f"{midnight:%Y-%m}"
    return [
        _charged("Charged today", rows, "today", period="today"),
        _charged(f"Charged in {month}", rows, "month", period=this_month),
        *_given_back(rows, month, period=this_month),
        _refused(rows, period=this_month),
        *_waiting(),
    ]


def _charged(title: str, rows: Iterable[Mapping[str, Any]], column: str, *, period: str) -> Card:
    charged = [row for row in _succeeded(rows, is_refund=False) if row[f"{column}_count"]]
    count = sum(row[f"{column}_count"] for row in charged)
    lines = tuple(amount(row[column], row["currency"]) for row in charged)
    note = f"{count:,} {'charge' if count == 1 else 'charges'} that succeeded"
    return Card(title, lines or ("Nothing yet",), note, _ledger(period=period, status__exact=Status.SUCCEEDED))


def _given_back(rows: Iterable[Mapping[str, Any]], month: str, *, period: str) -> list[Card]:
    """Return the card of what was given back, where anything was."""
    refunds = _succeeded(rows, is_refund=True)
    count = sum(row["month_count"] for row in refunds)
    lines = tuple(amount(row["month"], row["currency"]) for row in refunds)
    note = f"{count:,} {'refund' if count == 1 else 'refunds'}"
    return [Card(f"Given back in {month}", lines, note, _ledger(period=period, what=Kind.REFUND))] if refunds else []


def _succeeded(rows: Iterable[Mapping[str, Any]], *, is_refund: bool) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["status"] == Status.SUCCEEDED and row["is_refund"] is is_refund]


def _refused(rows: Iterable[Mapping[str, Any]], *, period: str) -> Card:
    refused = [row for row in rows if row["status"] in _NOT_CHARGED]
    today = sum(row["today_count"] for row in refused)
    month = sum(row["month_count"] for row in refused)
    link = _ledger(period=period, status__exact=Status.DECLINED)
    return Card("Declined or rejected today", (f"{today:,}",), f"{month:,} this month", link)


def _waiting() -> list[Card]:
    """Count what is open, of any age: the index on open payments holds only those."""
    open_now = Payment.objects.filter(settled_at=None).aggregate(
        unknown=Count("pk", filter=Q(status=Status.UNKNOWN)), review=Count("pk", filter=Q(status=Status.NEEDS_REVIEW))
    )
    unknown, review = open_now["unknown"], open_now["review"]
    return [
        Card(
            "Outcome not known yet",
            (f"{unknown:,}",),
            "The router is finding out" if unknown else "All outcomes are known",
            _ledger(what="everything", status__exact=Status.UNKNOWN),
            "warning" if unknown else "good",
        ),
        Card(
            "Needs a person",
            (f"{review:,}",),
            "Compare with Stripe" if review else "Nothing to do",
            _ledger(what="everything", status__exact=Status.NEEDS_REVIEW),
            "alarm" if review else "good",
        ),
        _discrepancies(),
    ]


def _discrepancies() -> Card:
    count = Discrepancy.objects.filter(cleared_at=None).count()
    return Card(
        "Ledger and Stripe differ",
        (f"{count:,}",),
        "Each says what to do" if count else "They agree",
        reverse("admin:routing_discrepancy_changelist"),
        "alarm" if count else "good",
    )


def _recent() -> list[dict[str, Any]]:
    return [
        {
            "link": reverse("admin:routing_payment_change", args=[payment.pk]),
            "created": moment(payment.created_at),
            "bot": payment.bot,
            "what": payment.get_kind_display().capitalize(),
            "amount": money_of(payment),
            "status": status_badge(payment.status),
        }
        for payment in Payment.objects.exclude(kind=Kind.CUSTOMER)[:_RECENT]
    ]


def _paused() -> list[tuple[str, str]]:
    """Return what is paused, each with its page: everything, or domains, categories and bots."""
    everything = [
        (f"Everything, since {moment(pause.paused_at)}", _switch()) for pause in Pause.objects.filter(resumed_at=None)
    ]
    domains = [
        (f"Domain {d}", reverse("admin:routing_domain_change", args=[d.pk]))
        for d in Domain.objects.filter(is_paused=True)
    ]
    categories = [
        (f"Category {c}", reverse("admin:routing_category_change", args=[c.pk]))
        for c in Category.objects.filter(is_paused=True)
    ]
    bots = [
        (str(bot), reverse("admin:routing_bot_change", args=[bot.pk]))
        for bot in Bot.objects.filter(is_paused=True).select_related("domain", "category")[:_NAMED]
    ]
    return everything + domains + categories + bots


def _registry() -> dict[str, str]:
    head = RegistryHead.objects.first()
    return {"version": f"{head.version:,}", "changed": moment(head.changed_at)} if head else {}


def _switch() -> str:
    return reverse("admin:routing_pause_changelist")


def _ledger(**filters: str) -> str:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return reverse("admin:routing_payment_changelist") + (f"?{query}" if query else "")
