"""Payments that a person settles: the id of what was found at Stripe is stored as what it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from routing.audit.acting import Person
from routing.errors import InvalidRequest, NotPermitted
from routing.payments.ledger.models import Payment
from routing.payments.settlement import reviews
from routing.payments.states import Status
from tests.payments.ledger import stored_ids
from tests.payments.operations import refund_payment

if TYPE_CHECKING:
    from tests.conftest import Stripe
    from tests.payments.conftest import Pay


@pytest.fixture
def charge_in_review(pay: Pay, stripe: Stripe) -> Payment:
    stripe.control.fault("reset_before", method="POST", path="/v1/payment_intents")
    return require_review(pay(amount="10"))


@pytest.fixture
def refund_in_review(pay: Pay, stripe: Stripe) -> Payment:
    charged = pay("order-0", amount="10")
    stripe.control.fault("reset_before", method="POST", path="/v1/refunds")
    return require_review(refund_payment(charged))


def require_review(payment: Payment) -> Payment:
    Payment.objects.filter(id=payment.id).update(status=Status.NEEDS_REVIEW)
    return Payment.objects.get(id=payment.id)


def settle_by_two_people(payment: Payment, stripe_id: str) -> Payment:
    reviews.propose(
        payment.id,
        verdict=Status.SUCCEEDED,
        reason="Found in the Dashboard.",
        stripe_id=stripe_id,
        person=Person("ada", 1),
    )
    return reviews.confirm(payment.id, person=Person("grace", 2))


@pytest.mark.parametrize(
    ("stripe_id", "column"),
    [
        ("pi_1", "payment_intent_id"),
        ("ch_1", "charge_id"),
        ("py_1", "charge_id"),
        ("re_1", "object_id"),
        ("pyr_1", "object_id"),
        ("unknown_1", "payment_intent_id"),
    ],
)
def test_the_id_that_settles_a_charge_is_stored_in_the_column_of_its_type(charge_in_review, stripe_id, column):
    settled = settle_by_two_people(charge_in_review, stripe_id)

    assert settled.status == Status.SUCCEEDED
    assert settled.settled_at is not None
    assert stored_ids(settled) == {column: stripe_id}


@pytest.mark.parametrize(
    ("stripe_id", "column"),
    [("re_1", "object_id"), ("pyr_1", "object_id"), ("py_1", "charge_id"), ("unknown_1", "object_id")],
)
def test_the_id_that_settles_a_refund_is_stored_in_the_column_of_its_type(refund_in_review, stripe_id, column):
    settled = settle_by_two_people(refund_in_review, stripe_id)

    assert settled.status == Status.SUCCEEDED
    assert stored_ids(settled) == {column: stripe_id}


def test_nobody_confirms_their_own_proposal(charge_in_review):
    reviews.propose(
        charge_in_review.id,
        verdict=Status.DECLINED,
        reason="Not in the Dashboard.",
        stripe_id="",
        person=Person("ada", 1),
    )

    with pytest.raises(NotPermitted):
        reviews.confirm(charge_in_review.id, person=Person("ada", 1))

    assert Payment.objects.get().status == Status.NEEDS_REVIEW


def test_an_outcome_that_nobody_proposed_cannot_be_confirmed(charge_in_review):
    with pytest.raises(InvalidRequest, match="Propose one first"):
        reviews.confirm(charge_in_review.id, person=Person("grace", 2))
