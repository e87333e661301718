"""The page on which a payment that needs a person is settled, by two of them."""

from __future__ import annotations

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

from routing.admin.appearance import NOTHING, moment, money_of
from routing.admin.desk import DeskAdmin
from routing.errors import BillingError
from routing.payments.ledger.models import Payment
from routing.payments.settlement.models import VERDICTS, Review
from routing.payments.settlement.reviews import confirm, propose
from routing.payments.states import Status

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

_WORDS = {
    Status.SUCCEEDED: "It succeeded: the money moved",
    Status.DECLINED: "It was declined: no money moved",
    Status.CANCELED: "It was never made: no money moved",
}


class VerdictForm(forms.Form):
    verdict = forms.ChoiceField(
        label="What became of it at Stripe?",
        choices=[("", "Choose"), *((verdict.value, _WORDS[verdict]) for verdict in VERDICTS)],
        widget=UnfoldAdminSelectWidget,
    )
    stripe_id = forms.CharField(
        label="Stripe's id of it",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Such as pi_1a2B3c. Needed if the money moved.",
    )
    reason = forms.CharField(
        label="How do you know?",
        widget=UnfoldAdminTextareaWidget,
        help_text="What you looked up, where, and what it showed. It is kept with the payment.",
    )


class ReviewingAdmin(DeskAdmin):
    """For the ledger: offers to settle by hand what waits for a person."""

    actions_detail = ["settle_by_hand"]

    def has_settle_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        return request.user.has_perm("routing.change_payment")

    @action(description="Settle by hand", icon="gavel", permissions=["settle"], variant=ActionVariant.PRIMARY)
    def settle_by_hand(self, _request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:routing_payment_review", args=[object_id]))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        payment = self.get_object(request, object_id)
        is_open = payment is not None and payment.status == Status.NEEDS_REVIEW
        return super().get_actions_detail(request, object_id) if is_open else []

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.review)
        return [path("<uuid:payment_id>/review/", view, name="routing_payment_review"), *super().get_urls()]

    def review(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        """Take what became of the payment from one person, and the confirmation from another."""
        if not self.has_settle_permission(request):
            raise PermissionDenied
        payment = Payment.objects.filter(pk=payment_id).first()
        if payment is None:
            raise Http404
        review = Review.objects.filter(payment=payment, confirmed_at=None).first()
        form = VerdictForm(request.POST if request.method == "POST" and "verdict" in request.POST else None)
        page = reverse("admin:routing_payment_change", args=[payment.pk])
        try:
            if request.method == "POST" and request.POST.get("confirmed") == "yes":
                settled = confirm(payment.pk, person=request.user.get_username())
                messages.success(request, f"Settled: {settled.get_status_display()}.")
                return HttpResponseRedirect(page)
            if form.is_valid():
                propose(payment.pk, **_said(form), person=request.user.get_username())
                messages.success(request, "Written down. Somebody else must confirm it before it counts.")
                return HttpResponseRedirect(page)
        except BillingError as error:
            messages.error(request, str(error))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Settle {payment} by hand",
            "known": _known(payment),
            "review": review,
            "is_own": review is not None and review.proposed_by == request.user.get_username(),
            "form": form,
            "back": page,
        }
        return TemplateResponse(request, "admin/routing/review.html", context)


def _known(payment: Payment) -> list[tuple[str, str]]:
    """Return by what the payment is found at Stripe."""
    return [
        ("payment_id in the metadata", str(payment.pk)),
        ("Amount", money_of(payment)),
        ("Customer", payment.customer_id or NOTHING),
        ("Asked for", moment(payment.created_at)),
        ("Last sent", moment(payment.sent_at) if payment.sent_at else NOTHING),
        ("Stripe account", payment.account_id or NOTHING),
    ]


def _said(form: VerdictForm) -> dict[str, Any]:
    return {**form.cleaned_data, "verdict": Status(form.cleaned_data["verdict"])}
