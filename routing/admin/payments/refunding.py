"""The refund of a payment by a person: in full or in part, with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.http import Http404, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from routing.admin.payments.statuses import display_status
from routing.admin.shared.appearance import format_amount, format_time
from routing.admin.shared.base import BaseAdmin
from routing.admin.shared.confirmation import Confirmation, confirmation_page, is_confirmed
from routing.admin.shared.people import PasswordForm
from routing.errors import InvalidAmount
from routing.money import to_minor, to_text
from routing.payments.kinds import CHARGES
from routing.payments.operations.models import RequestedRefund
from routing.payments.states import Status

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

    from routing.payments.ledger.models import Payment


class RefundForm(PasswordForm):
    field_order = ["amount", "reason", "remark", "password"]

    amount = forms.CharField(widget=UnfoldAdminTextInputWidget)
    reason = forms.ChoiceField(choices=RequestedRefund.Reason, widget=UnfoldAdminSelectWidget)
    remark = forms.CharField(
        widget=UnfoldAdminTextareaWidget({"rows": 4}), help_text="Why, for the record. The customer does not see it."
    )

    def __init__(self, request: HttpRequest, payment: Payment) -> None:
        super().__init__(request)
        self._currency, self._left = payment.currency, amount_left(payment)
        left = format_amount(self._left, self._currency)
        self.fields["amount"].initial = to_text(self._left, self._currency)
        self.fields["amount"].help_text = f"In {self._currency.upper()}. What is left of the payment is {left}."

    def clean_amount(self) -> int:
        """Return minor units."""
        try:
            amount = to_minor(self.cleaned_data["amount"], self._currency)
        except InvalidAmount as error:
            raise ValidationError(str(error)) from error
        if amount > self._left:
            raise ValidationError(f"No more than {format_amount(self._left, self._currency)} is left of the payment.")
        return amount


class RefundingAdmin(BaseAdmin):
    """For the pages of payments: adds the refund of one."""

    def has_refund_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        return bool(request.user.has_perm("routing.refund_payment"))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        payment = self.get_object(request, object_id)
        actions = super().get_actions_detail(request, object_id)
        if payment is not None and is_refundable(payment):
            return actions
        return [each for each in actions if not each.action_name.endswith("_refund")]

    @action(description="Refund", icon="undo", permissions=["refund"])
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        payment = self.get_object(request, object_id)
        if payment is None or not is_refundable(payment):
            raise Http404
        page = reverse("admin:routing_payment_change", args=[payment.pk])
        form = RefundForm(request, payment)
        if not is_confirmed(request) or not form.is_valid():
            return confirmation_page(request, _CONFIRMATION, [_heading(payment)], page, form=form)
        given = form.cleaned_data
        RequestedRefund.objects.create(
            payment=payment,
            amount_minor=given["amount"],
            currency=payment.currency,
            reason=given["reason"],
            remark=given["remark"],
            requested_by=request.user.get_username(),
        )
        amount = format_amount(given["amount"], payment.currency)
        messages.success(request, f"The refund of {amount} is requested. It is made within a few seconds.")
        return HttpResponseRedirect(page)


def has_refunds(payment: Payment) -> bool:
    return payment.refunds.exists() or RequestedRefund.objects.filter(payment=payment).exists()


def refunds_table(payment: Payment) -> SafeString:
    """Return the refunds of the payment, by bots and people, and those that are not made yet."""
    made = [
        {
            "link": reverse("admin:routing_payment_change", args=[refund.pk]),
            "created": format_time(refund.created_at),
            "amount": format_amount(refund.amount_minor, refund.currency),
            "by": _requested_by(refund),
            "status": display_status(refund).badge,
        }
        for refund in payment.refunds.select_related("requested_refund").order_by("created_at")
    ]
    others = [
        {
            "created": format_time(wanted.requested_at),
            "amount": format_amount(wanted.amount_minor, wanted.currency),
            "by": f"{wanted.requested_by}: {wanted.remark}",
            "status": wanted.problem or "Not made yet",
        }
        for wanted in RequestedRefund.objects.filter(payment=payment, refund=None).order_by("pk")
    ]
    return render_to_string("admin/routing/refunds.html", {"refunds": made + others})


def is_refundable(payment: Payment) -> bool:
    is_charge = payment.kind in CHARGES and payment.status == Status.SUCCEEDED and payment.payment_intent_id
    return bool(is_charge) and amount_left(payment) > 0


def amount_left(payment: Payment) -> int:
    """Return in minor units what is neither refunded nor about to be, as far as the router knows."""
    open_refunds = payment.refunds.filter(settled_at=None).aggregate(total=Sum("amount_minor"))["total"] or 0
    requested = RequestedRefund.objects.filter(payment=payment, completed_at=None)
    waiting = requested.aggregate(total=Sum("amount_minor"))["total"] or 0
    return int((payment.amount_minor or 0) - payment.amount_refunded_minor - open_refunds - waiting)


_CONFIRMATION = Confirmation(
    "Refund this payment?",
    ("The customer gets the money back in 5 to 10 days. A refund cannot be undone, and Stripe keeps its fees.",),
    "Refund",
    is_dangerous=True,
)


def _heading(payment: Payment) -> str:
    return f"{format_amount(payment.amount_minor, payment.currency)} charged by {payment.bot} to {payment.customer_id}"


def _requested_by(refund: Payment) -> str:
    wanted = getattr(refund, "requested_refund", None)
    return f"{wanted.requested_by}: {wanted.remark}" if wanted else "the bot"
