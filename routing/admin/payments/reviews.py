"""The page on which two people settle a payment that needs review."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from routing.admin.payments.statuses import payment_amount
from routing.admin.shared.appearance import EMPTY, format_amount, format_time
from routing.admin.shared.base import BaseAdmin
from routing.admin.shared.confirmation import is_confirmed
from routing.admin.shared.forms import PlainForm
from routing.admin.shared.people import person_of
from routing.errors import BillingError
from routing.payments.kinds import payment_id_in
from routing.payments.settlement.lookups import look_up
from routing.payments.settlement.models import VERDICTS, Review
from routing.payments.settlement.reviews import confirm, is_own, propose
from routing.payments.states import Status

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from routing.payments.ledger.models import Payment

_OUTCOMES = {
    Status.SUCCEEDED: "Succeeded: the money moved",
    Status.DECLINED: "Declined: no money moved",
    Status.CANCELED: "Canceled or never made: no money moved",
}


class OutcomeForm(PlainForm):
    verdict = forms.ChoiceField(
        label="Outcome at Stripe",
        choices=[("", "Choose"), *((verdict.value, _OUTCOMES[verdict]) for verdict in VERDICTS)],
        widget=UnfoldAdminSelectWidget,
    )
    stripe_id = forms.CharField(
        label="Stripe ID",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Such as pi_1a2B3c. Required if the money moved.",
    )
    reason = forms.CharField(
        label="Evidence",
        widget=UnfoldAdminTextareaWidget,
        help_text="What you looked up, where, and what it showed. It is kept with the payment.",
    )

    @property
    def proposal(self) -> dict[str, Any]:
        return {**self.cleaned_data, "verdict": Status(self.cleaned_data["verdict"])}


class ReviewAdmin(BaseAdmin):
    """For the pages of payments: adds the review of one that needs it."""

    def has_review_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        return request.user.has_perm("routing.change_payment")

    @action(description="Review payment", icon="gavel", permissions=["review"], variant=ActionVariant.PRIMARY)
    def review_payment(self, _request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:routing_payment_review", args=[object_id]))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        payment = self.get_object(request, object_id)
        actions = super().get_actions_detail(request, object_id)
        if payment is not None and payment.status == Status.NEEDS_REVIEW:
            return actions
        return [each for each in actions if not each.action_name.endswith("_review_payment")]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.review_page)
        return [path("<uuid:payment_id>/review/", view, name="routing_payment_review"), *super().get_urls()]

    def review_page(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        """Take the outcome from one person, and the confirmation from another."""
        if not self.has_review_permission(request):
            raise PermissionDenied
        payment = self.get_queryset(request).filter(pk=payment_id).first()
        if payment is None:
            raise Http404
        form = OutcomeForm(request.POST if request.method == "POST" and "verdict" in request.POST else None)
        try:
            if message := _submit(request, payment, form):
                messages.success(request, message)
                return HttpResponseRedirect(_payment_url(payment))
        except BillingError as error:
            messages.error(request, str(error))
        return self._render(request, payment, form)

    def _render(self, request: HttpRequest, payment: Payment, form: OutcomeForm) -> TemplateResponse:
        review = Review.objects.filter(payment=payment, confirmed_at=None).first()
        context = {
            **self.admin_site.each_context(request),
            "title": f"Review payment {payment.pk}",
            "payment_rows": _payment_rows(payment),
            "review": review,
            "found_rows": _found_rows(payment, review) if review and review.stripe_id else (),
            "is_own_proposal": review is not None and is_own(review, person_of(request)),
            "form": form,
            "back_url": _payment_url(payment),
        }
        return TemplateResponse(request, "admin/routing/review.html", context)


def _submit(request: HttpRequest, payment: Payment, form: OutcomeForm) -> str:
    """Confirm the outcome, or propose another; return the message that says so, empty where neither was submitted."""
    person = person_of(request)
    if is_confirmed(request):
        settled = confirm(payment.pk, person=person)
        return f"Confirmed. The status is now: {settled.get_status_display()}."
    if form.is_valid():
        propose(payment.pk, **form.proposal, person=person)
        return "Outcome proposed. Another person must confirm it before it takes effect."
    return ""


def _payment_url(payment: Payment) -> str:
    return reverse("admin:routing_payment_change", args=[payment.pk])


def _found_rows(payment: Payment, review: Review) -> list[tuple[str, str]]:
    """Return what Stripe shows now of the object that was named, as labels and values."""
    try:
        found = look_up(payment, review.stripe_id)
    except BillingError as error:
        return [("At Stripe", str(error))]
    currency = str(found.get("currency") or "")
    amount = next((found[name] for name in ("amount", "amount_paid", "amount_total") if name in found), None)
    created = found.get("created")
    return [
        ("Status at Stripe", str(found.get("status") or EMPTY)),
        ("Amount at Stripe", format_amount(amount, currency)),
        ("Customer at Stripe", str(found.get("customer") or EMPTY)),
        ("Created at Stripe", format_time(datetime.fromtimestamp(created, UTC) if created else None)),
        ("payment_id in its metadata", str(payment_id_in(found) or "none")),
    ]


def _payment_rows(payment: Payment) -> list[tuple[str, str]]:
    """Return what identifies the payment in Stripe, as labels and values."""
    return [
        ("Payment ID (payment_id in the metadata)", str(payment.pk)),
        ("Amount", payment_amount(payment)),
        ("Customer", payment.customer_id or EMPTY),
        ("Created", format_time(payment.created_at)),
        ("Last sent", format_time(payment.sent_at)),
        ("Stripe account", payment.account_id or EMPTY),
    ]
