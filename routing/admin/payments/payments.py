"""The pages of payments: the ledger, which is only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Value
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.text import Truncator

from routing.admin.payments.filters import (
    CategoryFilter,
    CreatedFilter,
    CurrencyFilter,
    DomainFilter,
    KindFilter,
    OutcomeFilter,
)
from routing.admin.payments.refunding import RefundingAdmin, has_refunds, refunds_table
from routing.admin.payments.reviews import ReviewAdmin
from routing.admin.payments.search import match_term
from routing.admin.payments.statuses import display_status, format_error, payment_amount, status_badge
from routing.admin.shared.appearance import (
    EMPTY,
    badge,
    dashboard_link,
    format_amount,
    format_json,
    format_time,
    key_values,
    stripe_ids,
)
from routing.admin.shared.base import LargeTableAdmin
from routing.admin.shared.contact import mask_contact, may_see_contact
from routing.payments.ledger.models import Payment
from routing.payments.settlement.models import Review

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

_MAX_COUNTED = 10_000
"""Rows that a list counts and pages through: counting a whole ledger would read all of it."""

_MAX_DESCRIPTION = 60
"""Characters of a description in the list."""

_OPTIONAL_FIELDS = {
    "renewal_of_link": "renewal_of_id",
    "subscription_status_text": "subscription_status",
    "quantity_text": "quantity",
    "full_description": "description",
    "metadata_values": "metadata",
    "payment_intent": "payment_intent_id",
    "charge": "charge_id",
    "invoice": "invoice_id",
    "created_object": "result",
    "customer": "customer_id",
    "amount": "currency",
    "refund_of_link": "refund_of_id",
    "refunded": "amount_refunded_minor",
}
"""What a page shows only where the payment has it, and the column that says so."""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # Django makes it generic for type checkers alone
    template_name = "admin/routing/payments_pagination.html"

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, up to ``max_counted``."""
        payments: QuerySet[Payment] = self.object_list  # type: ignore[assignment]  # Django's lists page through querysets
        return payments.order_by()[:_MAX_COUNTED].count()

    @property
    def is_bounded(self) -> bool:
        return self.count == _MAX_COUNTED

    @property
    def max_counted(self) -> int:
        return _MAX_COUNTED


@admin.register(Payment)
class PaymentAdmin(ReviewAdmin, RefundingAdmin, LargeTableAdmin):
    domain_lookup = "domain"
    actions = None
    actions_detail = ["refund", "review_payment"]
    paginator = BoundedPaginator
    list_display = ["created", "bot", "kind_label", "amount", "status_text", "customer", "region", "short_description"]
    list_filter = [CreatedFilter, "status", OutcomeFilter, KindFilter, DomainFilter, CategoryFilter, CurrencyFilter]
    sortable_by = ["created"]
    search_fields = ["id"]  # shows the box; get_search_results decides
    search_help_text = "Search by payment ID, Stripe ID, bot or idempotency key"
    empty_message = "No payment has been made yet. Each payment appears here as soon as a bot requests it."
    fieldsets = [
        (
            "Details",
            {
                "fields": [
                    "kind_label",
                    "amount",
                    "refunded",
                    "refunds",
                    "refund_of_link",
                    "renewal_of_link",
                    "subscription_status_text",
                    "status_text",
                    "meaning",
                    "quantity_text",
                    "full_description",
                    "metadata_values",
                    "payment_id",
                ]
            },
        ),
        ("Bot and route", {"fields": ["bot", "customer", "product", "price", "region", "qualifiers", "version"]}),
        (
            "Stripe",
            {
                "fields": [
                    "error_text",
                    "payment_intent",
                    "charge",
                    "invoice",
                    "created_object",
                    "account",
                    "stripe_request",
                ]
            },
        ),
        ("Timeline", {"fields": ["created", "settled", "history"]}),
        ("For engineers", {"classes": ["collapse"], "fields": ["idempotency_key", "request_values"]}),
    ]

    def get_fieldsets(self, _request: HttpRequest, obj: Payment | None = None) -> Any:
        """Leave out what this payment does not have."""
        absent = {field for field, column in _OPTIONAL_FIELDS.items() if obj and not getattr(obj, column)}
        if obj and not has_refunds(obj):
            absent.add("refunds")
        return [
            (title, {**section, "fields": [field for field in section["fields"] if field not in absent]})
            for title, section in self.fieldsets
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        return super().get_queryset(request).annotate(shows_contact=Value(may_see_contact(request)))

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Offer no history of edits: nobody edits a payment."""
        kwargs["extra_context"] = {**(kwargs.get("extra_context") or {}), "show_history": False}
        return super().change_view(request, *args, **kwargs)

    def get_search_results(
        self, _request: HttpRequest, payments: QuerySet[Payment], term: str
    ) -> tuple[QuerySet[Payment], bool]:
        return (payments.filter(match_term(term.strip())) if term.strip() else payments), False

    @admin.display(description="created", ordering="created_at")
    def created(self, payment: Payment) -> str:
        return format_time(payment.created_at)

    @admin.display(description="payment ID")
    def payment_id(self, payment: Payment) -> str:
        return str(payment.pk)

    @admin.display(description="completed")
    def settled(self, payment: Payment) -> str:
        return format_time(payment.settled_at) if payment.settled_at else "not completed yet"

    @admin.display(description="type")
    def kind_label(self, payment: Payment) -> str:
        return payment.get_kind_display().capitalize()

    @admin.display(description="amount")
    def amount(self, payment: Payment) -> str:
        return payment_amount(payment)

    @admin.display(description="status")
    def status_text(self, payment: Payment) -> SafeString:
        return display_status(payment).badge

    @admin.display(description="refund of")
    def refund_of_link(self, payment: Payment) -> SafeString:
        url = reverse("admin:routing_payment_change", args=[payment.refund_of_id])
        return format_html('<a class="text-link" href="{}">{}</a>', url, payment.refund_of)

    @admin.display(description="renewal of")
    def renewal_of_link(self, payment: Payment) -> SafeString:
        url = reverse("admin:routing_payment_change", args=[payment.renewal_of_id])
        return format_html('<a class="text-link" href="{}">{}</a>', url, payment.renewal_of)

    @admin.display(description="subscription")
    def subscription_status_text(self, payment: Payment) -> SafeString:
        """Return Stripe's status of the subscription now, and a link to its renewals."""
        status = payment.subscription_status
        tone = {"active": "good", "trialing": "good", "canceled": "quiet"}.get(status, "alarm")
        count = payment.renewals.count()
        url = f"{reverse('admin:routing_payment_changelist')}?renewal_of__id__exact={payment.pk}"
        renewed = "not renewed yet" if not count else "1 renewal" if count == 1 else f"{count:,} renewals"
        return format_html(
            '{} <a class="text-link" href="{}">{}</a>', badge(status.replace("_", " "), tone), url, renewed
        )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        allowed = ("renewal_of__id__exact", "subscription_status__in")
        return lookup in allowed or super().lookup_allowed(lookup, value, request)

    @admin.display(description="refunded")
    def refunded(self, payment: Payment) -> str:
        return format_amount(payment.amount_refunded_minor, payment.currency)

    @admin.display(description="refunds")
    def refunds(self, payment: Payment) -> SafeString:
        return refunds_table(payment)

    @admin.display(description="customer")
    def customer(self, payment: Payment) -> str:
        return dashboard_link("customers", payment.customer_id)

    @admin.display(description="description")
    def short_description(self, payment: Any) -> str:
        return Truncator(_shown(payment, payment.description)).chars(_MAX_DESCRIPTION) or EMPTY

    @admin.display(description="description")
    def full_description(self, payment: Any) -> str:
        return _shown(payment, payment.description) or EMPTY

    @admin.display(description="what this means")
    def meaning(self, payment: Any) -> str:
        review = Review.objects.filter(payment=payment.pk, confirmed_at__isnull=False).first()
        return display_status(payment).meaning if review is None else _shown(payment, _settled_by(review))

    @admin.display(description="quantity")
    def quantity_text(self, payment: Payment) -> str:
        return EMPTY if payment.quantity is None else f"{payment.quantity:,}"

    @admin.display(description="metadata")
    def metadata_values(self, payment: Any) -> str:
        return key_values(_shown(payment, payment.metadata).items())

    @admin.display(description="product")
    def product(self, payment: Payment) -> str:
        return dashboard_link("products", payment.product_id)

    @admin.display(description="price")
    def price(self, payment: Payment) -> str:
        return dashboard_link("prices", payment.price_id)

    @admin.display(description="qualifiers")
    def qualifiers(self, payment: Payment) -> str:
        return ", ".join(f"{key}={value}" for key, value in payment.overrides.items()) or "none"

    @admin.display(description="registry version")
    def version(self, payment: Payment) -> str:
        return f"{payment.registry_version:,}"

    @admin.display(description="error")
    def error_text(self, payment: Any) -> str:
        return format_error(_shown(payment, payment.error))

    @admin.display(description="payment intent")
    def payment_intent(self, payment: Payment) -> str:
        return dashboard_link("payments", payment.payment_intent_id)

    @admin.display(description="charge")
    def charge(self, payment: Payment) -> str:
        return stripe_ids(payment.charge_id)

    @admin.display(description="invoice")
    def invoice(self, payment: Payment) -> str:
        return dashboard_link("invoices", payment.invoice_id)

    @admin.display(description="created object")
    def created_object(self, payment: Any) -> str:
        return format_json(_shown(payment, payment.result))

    @admin.display(description="Stripe account")
    def account(self, payment: Payment) -> str:
        return stripe_ids(payment.account_id)

    @admin.display(description="Stripe request ID")
    def stripe_request(self, payment: Payment) -> str:
        return stripe_ids(payment.stripe_request_id)

    @admin.display(description="status changes")
    def history(self, payment: Any) -> str:
        changes = [
            {
                "at": format_time(event.at),
                "status": status_badge(event.to_status),
                "error": _shown(payment, (event.error or {}).get("message", "")),
                "request_id": event.request_id,
            }
            for event in payment.events.all()
        ]
        return render_to_string("admin/routing/status_history.html", {"changes": changes})

    @admin.display(description="request to Stripe")
    def request_values(self, payment: Any) -> str:
        return format_json(_shown(payment, payment.request))


def _settled_by(review: Review) -> str:
    """Return the sentences that say that people settled a payment, and on what evidence."""
    return (
        f"{review.proposed_by} proposed this outcome and {review.confirmed_by} confirmed it, on "
        f"{format_time(review.confirmed_at)}; the router could not find it out. Their evidence: {review.reason}"
    )


def _shown(payment: Any, value: Any) -> Any:
    """Return text or JSON of the payment as the user may see it."""
    return value if payment.shows_contact else mask_contact(value)
