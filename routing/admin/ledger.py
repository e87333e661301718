"""The ledger, to be read: what was charged, by which rule, and what Stripe said."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.text import Truncator
from unfold.views import ChangeList

from routing.admin.appearance import (
    MEANINGS,
    NOTHING,
    error_in_words,
    moment,
    money_of,
    readable,
    status_badge,
    stripe_ids,
    stripe_page,
)
from routing.admin.desk import ReadOnlyAdmin
from routing.admin.filters import CreatedIn, LedgerCategory, LedgerCurrency, LedgerDomain, What
from routing.admin.reviews import ReviewingAdmin
from routing.payments.models import Payment
from routing.payments.states import Status

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

_COUNTED = 10_000
"""Rows that a list counts and pages through: counting a whole ledger would read all of it."""

_STRIPE_IDS = {
    "pi": "payment_intent_id",
    "ch": "charge_id",
    "py": "charge_id",
    "in": "invoice_id",
    "req": "stripe_request_id",
    "cus": "customer_id",
    "price": "price_id",
    "prod": "product_id",
    "acct": "account_id",
    "sub": "object_id",
    "re": "object_id",
    "cs": "object_id",
}


_OPTIONAL = {
    "quantity_asked": "quantity",
    "about_in_full": "description",
    "notes": "metadata",
    "intent": "payment_intent_id",
    "charge": "charge_id",
    "invoice": "invoice_id",
    "created_object": "result",
    "customer": "customer_id",
    "money": "currency",
}
"""What a page shows only where there is something to show, and the column that says so."""


class LedgerPaginator(Paginator):  # type: ignore[type-arg]  # generic for type checkers alone
    template_name = "admin/routing/ledger_pages.html"

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, up to a bound."""
        rows: QuerySet[Payment] = self.object_list  # type: ignore[assignment]  # Django's lists page through querysets
        return rows.order_by()[:_COUNTED].count()

    @property
    def is_bounded(self) -> bool:
        return self.count == _COUNTED

    @property
    def bound(self) -> int:
        return _COUNTED


class LedgerList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count  # else the heading offers to show all


@admin.register(Payment)
class PaymentAdmin(ReviewingAdmin, ReadOnlyAdmin):
    actions = None
    paginator = LedgerPaginator
    show_full_result_count = False
    list_display = ["created", "bot", "what", "money", "state", "customer", "region", "about"]
    list_filter = [CreatedIn, "status", What, LedgerDomain, LedgerCategory, LedgerCurrency]
    sortable_by = ["created"]
    search_fields = ["id"]  # shows the box; get_search_results decides
    search_help_text = "Payment id, bot, idempotency key, or any Stripe id"
    when_empty = "No payment has been made yet. Each one appears here the moment a bot asks for it."
    fieldsets = [
        (
            "What was charged",
            {"fields": ["what", "money", "state", "meaning", "quantity_asked", "about_in_full", "notes", "number"]},
        ),
        (
            "Who and by which rule",
            {"fields": ["bot", "customer", "product", "price", "region", "qualifiers", "version"]},
        ),
        (
            "What Stripe said",
            {"fields": ["answer", "intent", "charge", "invoice", "created_object", "account", "stripe_request"]},
        ),
        ("When", {"fields": ["created", "settled"]}),
        ("History", {"fields": ["history"]}),
        (
            "For engineers",
            {"classes": ["collapse"], "fields": ["idempotency_key", "sent"]},
        ),
    ]

    def get_fieldsets(self, _request: HttpRequest, obj: Payment | None = None) -> Any:
        """Leave out what this payment does not have."""
        absent = {field for field, column in _OPTIONAL.items() if obj and not getattr(obj, column)}
        return [
            (title, {**section, "fields": [field for field in section["fields"] if field not in absent]})
            for title, section in self.fieldsets
        ]

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Show no history of edits: there are none."""
        kwargs["extra_context"] = {**(kwargs.get("extra_context") or {}), "show_history": False}
        return super().change_view(request, *args, **kwargs)

    def get_changelist(self, _request: HttpRequest, **_kwargs: Any) -> type[LedgerList]:
        return LedgerList

    def get_search_results(
        self, _request: HttpRequest, rows: QuerySet[Payment], term: str
    ) -> tuple[QuerySet[Payment], bool]:
        return (rows.filter(_matching(term.strip())) if term.strip() else rows), False

    @admin.display(description="created", ordering="created_at")
    def created(self, payment: Payment) -> str:
        return moment(payment.created_at)

    @admin.display(description="payment id")
    def number(self, payment: Payment) -> str:
        return str(payment.pk)

    @admin.display(description="settled")
    def settled(self, payment: Payment) -> str:
        return moment(payment.settled_at) if payment.settled_at else "not settled yet"

    @admin.display(description="what")
    def what(self, payment: Payment) -> str:
        return payment.get_kind_display().capitalize()

    @admin.display(description="amount")
    def money(self, payment: Payment) -> str:
        return money_of(payment)

    @admin.display(description="status")
    def state(self, payment: Payment) -> SafeString:
        return status_badge(payment.status)

    @admin.display(description="customer")
    def customer(self, payment: Payment) -> str:
        return stripe_page("customers", payment.customer_id)

    @admin.display(description="description")
    def about(self, payment: Payment) -> str:
        return Truncator(payment.description).chars(60) or NOTHING

    @admin.display(description="description")
    def about_in_full(self, payment: Payment) -> str:
        return payment.description or NOTHING

    @admin.display(description="what that means")
    def meaning(self, payment: Payment) -> str:
        return MEANINGS[Status(payment.status)]

    @admin.display(description="quantity")
    def quantity_asked(self, payment: Payment) -> str:
        return NOTHING if payment.quantity is None else f"{payment.quantity:,}"

    @admin.display(description="the bot's own notes")
    def notes(self, payment: Payment) -> str:
        return readable(payment.metadata)

    @admin.display(description="product")
    def product(self, payment: Payment) -> str:
        return stripe_page("products", payment.product_id)

    @admin.display(description="price")
    def price(self, payment: Payment) -> str:
        return stripe_page("prices", payment.price_id)

    @admin.display(description="what the caller named")
    def qualifiers(self, payment: Payment) -> str:
        return ", ".join(f"{key}={value}" for key, value in payment.overrides.items()) or "nothing besides the bot"

    @admin.display(description="registry version")
    def version(self, payment: Payment) -> str:
        return f"{payment.registry_version:,}"

    @admin.display(description="Stripe's answer")
    def answer(self, payment: Payment) -> str:
        return error_in_words(payment.error)

    @admin.display(description="payment")
    def intent(self, payment: Payment) -> str:
        return stripe_page("payments", payment.payment_intent_id)

    @admin.display(description="charge")
    def charge(self, payment: Payment) -> str:
        return stripe_ids(payment.charge_id)

    @admin.display(description="invoice")
    def invoice(self, payment: Payment) -> str:
        return stripe_page("invoices", payment.invoice_id)

    @admin.display(description="what was created")
    def created_object(self, payment: Payment) -> str:
        return readable(payment.result)

    @admin.display(description="Stripe account")
    def account(self, payment: Payment) -> str:
        return stripe_ids(payment.account_id)

    @admin.display(description="Stripe's number of the request")
    def stripe_request(self, payment: Payment) -> str:
        return stripe_ids(payment.stripe_request_id)

    @admin.display(description="every step, oldest first")
    def history(self, payment: Payment) -> str:
        steps = [
            {
                "at": moment(event.at),
                "status": status_badge(event.to_status),
                "answer": (event.error or {}).get("message", ""),
                "request": event.request_id,
            }
            for event in payment.events.all()
        ]
        return render_to_string("admin/routing/history.html", {"steps": steps})

    @admin.display(description="sent to Stripe")
    def sent(self, payment: Payment) -> str:
        return readable(payment.request)


def exactly(term: str) -> Q | None:
    """Ask for the one column that the term can be in, so that an index can answer; None where it could be any text."""
    try:
        return Q(pk=uuid.UUID(term))
    except ValueError:
        pass
    prefix, _, rest = term.partition("_")
    if rest and prefix in _STRIPE_IDS:
        return Q(**{_STRIPE_IDS[prefix]: term})
    return None


def _matching(term: str) -> Q:
    return exactly(term) or Q(idempotency_key=term) | Q(bot__contains=term)
