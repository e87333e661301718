"""Payments that a person settles: the id of what was found at Stripe is stored as what it is of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from routing.audit.acting import Person
from routing.errors import InvalidRequest, NotPermitted, StripeUnavailable
from routing.payments.ledger.models import Payment
from routing.payments.settlement import reviews
from routing.payments.settlement.models import Review
from routing.payments.states import Status
from tests.payments.ledger import stored_ids
from tests.payments.operations import refund_payment
from tests.payments.reconciliation.bypass import bypass_router

if TYPE_CHECKING:
    from collections.abc import Callable

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


def made_by_hand(stripe: Stripe, **fields: Any) -> Any:
    """Charge as somebody does in the Dashboard, which leaves no payment id."""
    return bypass_router(stripe, **{"amount": 1000, **fields})


def test_a_charge_is_settled_by_its_payment_intent_or_by_its_charge(charge_in_review, stripe):
    intent = made_by_hand(stripe)

    settled = settle_by_two_people(charge_in_review, intent.id)

    assert (settled.status, settled.settled_at is not None) == (Status.SUCCEEDED, True)
    assert stored_ids(settled) == {"payment_intent_id": intent.id}


def test_the_id_of_a_charge_is_stored_as_that(charge_in_review, stripe):
    charge_id = made_by_hand(stripe).latest_charge

    assert stored_ids(settle_by_two_people(charge_in_review, charge_id)) == {"charge_id": charge_id}


def test_a_refund_is_settled_by_the_refund_and_not_by_a_charge(refund_in_review, stripe):
    charged = Payment.objects.get(kind="charge")
    with pytest.raises(InvalidRequest, match="does not show that"):
        settle_by_two_people(refund_in_review, made_by_hand(stripe).latest_charge)
    made = stripe.client.refunds.create({"payment_intent": charged.payment_intent_id})

    settled = settle_by_two_people(refund_in_review, made.id)

    assert settled.status == Status.SUCCEEDED
    assert stored_ids(settled) == {"object_id": made.id}


UNPAID: Any = {"amount": 1000, "currency": "usd", "customer": "cus_finance_default"}

WRONG: dict[str, tuple[Callable[[Stripe], str], str]] = {
    "nothing": (lambda _: "pi_Nowhere1", "There is no pi_Nowhere1 in the Stripe account"),
    "something else": (lambda _: "acct_1", "There is no acct_1 in the Stripe account"),
    "another path": (lambda _: "../charges", "is no ID of Stripe's"),
    "another amount": (
        lambda stripe: made_by_hand(stripe, amount=999).id,
        "amount is 999, and the payment's is 1000",
    ),
    "another currency": (lambda stripe: made_by_hand(stripe, currency="eur").id, "Its currency is eur"),
    "a charge that was not paid": (
        lambda stripe: stripe.client.payment_intents.create(UNPAID).id,
        "At Stripe it is requires_payment_method",
    ),
    "another payment's": (
        lambda stripe: made_by_hand(stripe, metadata={"payment_id": str(UUID(int=1))}).id,
        f"It belongs to the payment {UUID(int=1)}",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_show_the_outcome_settles_nothing(charge_in_review, stripe, name):
    make, sentence = WRONG[name]

    with pytest.raises(InvalidRequest, match=re.escape(sentence)):
        settle_by_two_people(charge_in_review, make(stripe))

    assert Payment.objects.get().status == Status.NEEDS_REVIEW
    assert not Review.objects.exists()


def test_one_charge_settles_one_payment(pay, stripe):
    stripe.control.fault("reset_before", method="POST", path="/v1/payment_intents")
    first = require_review(pay("order-1", amount="10"))
    stripe.control.fault("reset_before", method="POST", path="/v1/payment_intents")
    second = require_review(pay("order-2", amount="10"))
    found = made_by_hand(stripe).id
    settle_by_two_people(first, found)

    with pytest.raises(InvalidRequest, match=f"The ledger has it as the payment {first.id}"):
        settle_by_two_people(second, found)


def test_a_charge_that_moved_money_is_not_settled_as_one_that_did_not(charge_in_review, stripe):
    with pytest.raises(InvalidRequest, match="At Stripe it succeeded"):
        reviews.propose(
            charge_in_review.id,
            verdict=Status.CANCELED,
            reason="Not in the Dashboard.",
            stripe_id=made_by_hand(stripe).id,
            person=Person("ada", 1),
        )


def test_while_stripe_does_not_answer_nothing_is_settled(charge_in_review, stripe):
    found = made_by_hand(stripe).id
    stripe.control.fault("status", method="GET", path="/v1/payment_intents/*", status=500)

    with pytest.raises(StripeUnavailable):
        settle_by_two_people(charge_in_review, found)

    assert Payment.objects.get().status == Status.NEEDS_REVIEW


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
