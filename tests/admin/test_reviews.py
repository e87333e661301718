"""A payment that needs review is settled by two people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from routing.payments.states import Status
from tests.payments.reconciliation.bypass import bypass_router

if TYPE_CHECKING:
    from routing.payments.ledger.models import Payment

pytestmark = pytest.mark.django_db


@pytest.fixture
def open_payment(payment, stripe) -> Payment:
    stripe.control.seed_customer(stripe.account, "cus_A1", card="visa")
    return payment(status=Status.NEEDS_REVIEW, settled_at=None, payment_intent_id="")


@pytest.fixture
def proposal(stripe, open_payment) -> dict[str, str]:
    card = stripe.client.customers.retrieve("cus_A1").invoice_settings.default_payment_method
    intent = bypass_router(stripe, amount=open_payment.amount_minor, customer="cus_A1", payment_method=str(card))
    return {"verdict": "succeeded", "stripe_id": intent.id, "reason": "Found in the dashboard, by the amount."}


@pytest.fixture
def colleague(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("colleague"))
    return client


def page_of(payment: Payment) -> str:
    return reverse("admin:routing_payment_review", args=[payment.pk])


def test_one_person_proposes_and_another_confirms(open_payment, finance, colleague, proposal):
    finance.post(page_of(open_payment), proposal)
    open_payment.refresh_from_db()
    assert open_payment.status == Status.NEEDS_REVIEW

    seen = colleague.get(page_of(open_payment)).content.decode()
    for shown in ("Status at Stripe", "1,234.50 USD", proposal["stripe_id"]):
        assert shown in seen
    colleague.post(page_of(open_payment), {"confirmed": "yes"})

    open_payment.refresh_from_db()
    assert (open_payment.status, open_payment.payment_intent_id) == (Status.SUCCEEDED, proposal["stripe_id"])
    assert open_payment.settled_at is not None
    assert open_payment.events.last().to_status == "succeeded"
    shown = finance.get(reverse("admin:routing_payment_change", args=[open_payment.pk])).content.decode()
    assert "finance proposed this outcome and colleague confirmed it" in shown
    assert "Found in the dashboard, by the amount." in shown
    assert "Stripe confirmed it" not in shown


def test_nobody_confirms_their_own_proposal(open_payment, finance, proposal):
    finance.post(page_of(open_payment), proposal)

    answer = finance.post(page_of(open_payment), {"confirmed": "yes"})

    open_payment.refresh_from_db()
    assert open_payment.status == Status.NEEDS_REVIEW
    assert "another person must confirm it" in answer.content.decode()


@pytest.mark.parametrize(
    "wrong", [{"reason": ""}, {"reason": "  "}, {"verdict": ""}, {"verdict": "unknown"}, {"stripe_id": ""}]
)
def test_an_outcome_without_evidence_is_refused(open_payment, finance, colleague, wrong, proposal):
    answer = finance.post(page_of(open_payment), proposal | wrong)
    colleague.post(page_of(open_payment), {"confirmed": "yes"})

    open_payment.refresh_from_db()
    assert answer.status_code == 200
    assert open_payment.status == Status.NEEDS_REVIEW


def test_what_is_settled_cannot_be_settled_again(payment, finance, colleague, proposal):
    settled = payment(status=Status.DECLINED)

    finance.post(page_of(settled), proposal)
    colleague.post(page_of(settled), {"confirmed": "yes"})

    settled.refresh_from_db()
    assert settled.status == Status.DECLINED


def test_a_viewer_settles_nothing(open_payment, viewer, proposal):
    assert viewer.post(page_of(open_payment), proposal).status_code == 403


def test_a_payments_page_offers_the_review_only_where_it_needs_one(open_payment, payment, finance):
    for waiting, offered in ((open_payment, True), (payment(), False)):
        page = finance.get(reverse("admin:routing_payment_change", args=[waiting.pk])).content.decode()
        assert ("Review payment" in page) is offered


def test_whoever_was_renamed_is_still_the_one_who_proposed(open_payment, finance, proposal):
    finance.post(page_of(open_payment), proposal)
    User.objects.filter(username="finance").update(username="somebody-else")

    answer = finance.post(page_of(open_payment), {"confirmed": "yes"})

    open_payment.refresh_from_db()
    assert open_payment.status == Status.NEEDS_REVIEW
    assert "another person must confirm it" in answer.content.decode()
