"""A person refunds a payment in the admin: once, never more than is left, and by two where changes need approval."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.utils import DatabaseError
from django.test import Client
from django.urls import reverse

from routing.approval.decisions import approve
from routing.approval.models import ChangeRequest
from routing.audit.acting import Person
from routing.audit.models import AuditEntry
from routing.payments.ledger.models import Payment
from routing.payments.operations.models import RequestedRefund
from routing.payments.operations.requested_refunds import make_requested
from routing.payments.states import Status
from routing.registry.models import Domain
from routing.registry.pausing import pause_everything, resume_everything

if TYPE_CHECKING:
    from routing.payments.ledger.models import Payment as PaymentRow

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _plain_http(settings) -> None:
    settings.SECURE_SSL_REDIRECT = False


@pytest.fixture
def payment(pay) -> PaymentRow:
    return pay(amount="12.34")


@pytest.fixture
def refunder(db) -> Client:
    user = User.objects.create_user("rita", password="a-long-passphrase", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_payment", "refund_payment", "view_changerequest"])
    )
    client = Client()
    client.force_login(user)
    return client


def page_of(payment: PaymentRow) -> str:
    return reverse("admin:routing_payment_change", args=[payment.pk])


def request_refund(client: Client, payment: PaymentRow, **given: Any) -> Any:
    address = reverse("admin:routing_payment_refund", args=[payment.pk])
    form = {"confirmed": "yes", "amount": "5.00", "reason": "duplicate", "remark": "Paid twice, ticket 81"}
    return client.post(address, form | given)


def refunds(payment: PaymentRow) -> list[tuple[int, str]]:
    return [(each.amount_minor, each.status) for each in Payment.objects.get(pk=payment.pk).refunds.order_by("pk")]


def test_it_is_made_once_and_the_page_says_by_whom_and_why(stripe, payment, refunder):
    assert (
        "What is left of the payment is 12.34 USD"
        in refunder.get(reverse("admin:routing_payment_refund", args=[payment.pk])).content.decode()
    )
    assert request_refund(refunder, payment).status_code == 302
    waiting = refunder.get(page_of(payment)).content.decode()
    for _ in range(3):
        make_requested()

    shown = refunder.get(page_of(payment)).content.decode()
    assert refunds(payment) == [(500, Status.SUCCEEDED)]
    assert "Not made yet" in waiting
    assert "rita: Paid twice, ticket 81" in shown
    assert "Not made yet" not in shown
    assert [refund["amount"] for refund in stripe.objects("refunds")] == [500]
    entry = AuditEntry.objects.filter(table_name="routing_requestedrefund").earliest("at")
    assert (entry.actor, entry.after["amount_minor"], entry.after["remark"]) == ("rita", 500, "Paid twice, ticket 81")


def test_many_workers_make_it_once(stripe, payment, refunder):
    request_refund(refunder, payment)

    def work(_: int) -> None:
        try:
            make_requested()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(work, range(8)))
    make_requested()

    assert refunds(payment) == [(500, Status.SUCCEEDED)]
    assert RequestedRefund.objects.get().refund is not None


REFUSED = {
    "more than is left": ({"amount": "12.35"}, "No more than 12.34 USD is left"),
    "nothing": ({"amount": "0"}, "amount"),
    "no amount": ({"amount": "all"}, "amount"),
    "part of a cent": ({"amount": "1.001"}, "amount"),
    "no remark": ({"remark": " "}, "required"),
    "a reason that is none": ({"reason": "because"}, "valid choice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_refunded_is_said_at_the_field(payment, refunder, name):
    given, said = REFUSED[name]

    page = request_refund(refunder, payment, **given)

    assert page.status_code == 200
    assert said in page.content.decode()
    assert not RequestedRefund.objects.exists()


def test_what_is_requested_is_no_longer_left(payment, refunder):
    request_refund(refunder, payment, amount="10")

    assert "No more than 2.34 USD is left" in request_refund(refunder, payment).content.decode()
    request_refund(refunder, payment, amount="2.34")
    make_requested()

    assert sorted(refunds(payment)) == [(234, Status.SUCCEEDED), (1000, Status.SUCCEEDED)]
    assert request_refund(refunder, payment).status_code == 404
    assert "Refund</" not in refunder.get(page_of(payment)).content.decode()


def test_it_takes_the_permission_and_a_recent_password(payment, refunder):
    session = refunder.session
    session["signed_in_at"] = time.time() - 3600
    session.save()

    assert "Your password" in request_refund(refunder, payment).content.decode()
    assert "not your password" in request_refund(refunder, payment, password="wrong").content.decode()
    assert not RequestedRefund.objects.exists()
    assert request_refund(refunder, payment, password="a-long-passphrase").status_code == 302
    User.objects.get().user_permissions.remove(Permission.objects.get(codename="refund_payment"))
    assert request_refund(refunder, payment).status_code == 403
    assert RequestedRefund.objects.count() == 1


def test_where_changes_need_approval_it_takes_two_people(stripe, payment, refunder):
    Domain.objects.update(requires_approval=True)
    request_refund(refunder, payment)
    make_requested()
    [change] = ChangeRequest.objects.all()

    assert (refunds(payment), change.domains, change.proposed_by) == ([], ["stripe"], "rita")
    assert "5.00 USD" in refunder.get(reverse("admin:routing_changerequest_change", args=[change.pk])).content.decode()
    with pytest.raises(DatabaseError):
        RequestedRefund.objects.create(
            payment=payment, amount_minor=1, currency="usd", reason="duplicate", remark="alone", requested_by="rita"
        )
    approve(change.pk, Person("bob", 99))
    make_requested()

    assert refunds(payment) == [(500, Status.SUCCEEDED)]


def test_a_pause_stops_it_and_it_is_made_afterwards(payment, refunder):
    request_refund(refunder, payment)
    pause_everything(by="finance")
    make_requested()

    assert refunds(payment) == []
    assert "paused" in refunder.get(page_of(payment)).content.decode()
    resume_everything(by="finance")
    make_requested()
    assert refunds(payment) == [(500, Status.SUCCEEDED)]
    assert RequestedRefund.objects.get().problem == ""


def test_what_stripe_refuses_is_said_on_the_page_and_not_tried_again(stripe, payment, refunder):
    request_refund(refunder, payment)
    stripe.client.refunds.create({"payment_intent": payment.payment_intent_id, "amount": 1000})
    make_requested()
    make_requested()

    wanted = RequestedRefund.objects.get()
    assert wanted.completed_at is not None
    assert [status for _, status in refunds(payment)] == [Status.REJECTED]


def test_a_request_is_neither_changed_nor_deleted(payment, refunder):
    request_refund(refunder, payment)

    for change in (
        lambda: RequestedRefund.objects.update(amount_minor=1),
        lambda: RequestedRefund.objects.update(requested_by="bob"),
        lambda: RequestedRefund.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError):
            change()
