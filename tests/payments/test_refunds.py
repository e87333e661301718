"""Refunds: of the bot's own charges, never more than was charged, each made once."""

from __future__ import annotations

import pytest

from routing.errors import InvalidAmount, InvalidRequest, NotFound, Paused
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.states import Status
from routing.registry.models import Bot, Category, Domain, Region, Route
from tests.payments.ledger import recover
from tests.payments.operations import refund_payment
from tests.payments.threads import at_once


@pytest.fixture
def paid(pay) -> Payment:
    return pay(amount="10")


def test_without_an_amount_the_whole_charge_is_refunded_and_the_amount_is_sent(paid, stripe):
    refunded = refund_payment(paid)

    [at_stripe] = stripe.objects("refunds")
    assert (refunded.status, refunded.amount, refunded.object_id) == (Status.SUCCEEDED, "10.00", at_stripe["id"])
    assert (at_stripe["amount"], at_stripe["payment_intent"]) == (1000, paid.payment_intent_id)
    assert at_stripe["metadata"]["payment_id"] == str(refunded.id)
    assert stripe.requests("POST", "/v1/refunds")[0]["params"]["amount"] == "1000"


@pytest.mark.parametrize("column", ["id", "payment_intent_id", "charge_id"])
def test_a_charge_is_found_by_the_routers_id_or_by_stripes(paid, column):
    assert refund_payment(str(getattr(paid, column)), amount="4").amount == "4.00"


def test_a_charge_of_a_price_is_refunded_too(pay):
    invoiced = pay()

    assert refund_payment(invoiced.invoice_id).amount == "25.00"


def test_the_second_refund_is_of_what_is_left(paid):
    refund_payment(paid, amount="4")

    assert refund_payment(paid, "refund-2").amount == "6.00"
    with pytest.raises(InvalidRequest, match="nothing is left"):
        refund_payment(paid, "refund-3")


def test_a_full_refund_that_stripe_rate_limits_is_sent_when_the_bot_retries(paid, stripe):
    stripe.control.fault("status", status=429, path="/v1/refunds")
    assert refund_payment(paid).status == Status.RECEIVED

    assert refund_payment(paid).status == Status.SUCCEEDED

    assert [at_stripe["amount"] for at_stripe in stripe.objects("refunds")] == [1000]


def test_more_than_is_left_is_refused_and_nothing_is_sent(paid, stripe):
    refund_payment(paid, amount="4")

    with pytest.raises(InvalidAmount, match=r"more than is left of the charge: at most 6\.00 USD"):
        refund_payment(paid, "refund-2", amount="6.01")

    assert len(stripe.requests("POST", "/v1/refunds")) == 1
    assert not Payment.objects.filter(idempotency_key="refund-2").exists()


def test_refunds_at_once_never_exceed_the_charge(paid, stripe):
    def attempt(number: int) -> bool:
        try:
            return refund_payment(paid, f"refund-{number}", amount="3").status == Status.SUCCEEDED
        except InvalidAmount:
            return False

    assert sum(at_once(attempt, range(12))) == 3
    assert sum(at_stripe["amount"] for at_stripe in stripe.objects("refunds")) == 900


def test_a_repeated_refund_is_made_once(paid, stripe):
    assert refund_payment(paid, amount="3") == refund_payment(paid, amount="3")
    assert len(stripe.objects("refunds")) == 1


def test_a_charge_of_another_bot_cannot_be_refunded(paid, stripe):
    domain, default = Domain.objects.get(slug="stripe"), Region.objects.get(slug="default")
    other = Bot.objects.create(domain=domain, category=Category.objects.get(slug="finance"), name="another")
    Route.objects.create(bot=other, region=default, product_id="prod_a", price_id="price_a", customer_id="cus_a")

    for payment_id in (str(paid.id), paid.payment_intent_id, paid.charge_id, "", "pi_unknown"):
        with pytest.raises(NotFound):
            refund_payment(payment_id, bot=BotId.parse("finance:another"))

    assert stripe.requests("POST", "/v1/refunds") == []


def test_a_charge_that_did_not_succeed_cannot_be_refunded(pay, stripe):
    stripe.control.fault("reset_after", path="/v1/payment_intents")
    unknown = pay(amount="10")

    with pytest.raises(NotFound):
        refund_payment(unknown)


def test_a_charge_whose_route_is_gone_can_still_be_refunded(paid):
    Route.objects.all().delete()

    assert refund_payment(paid).status == Status.SUCCEEDED


def test_a_pause_stops_refunds_too(paid, stripe):
    Bot.objects.update(is_paused=True)

    with pytest.raises(Paused):
        refund_payment(paid)

    assert stripe.requests("POST", "/v1/refunds") == []


def test_a_refund_whose_outcome_is_not_known_is_settled_by_recovery(paid, stripe):
    stripe.control.fault("reset_after", path="/v1/refunds")
    unknown = refund_payment(paid)

    recover()

    unknown.refresh_from_db()
    assert unknown.status == Status.SUCCEEDED
    assert len(stripe.objects("refunds")) == 1


@pytest.mark.parametrize("fields", [{"reason": "because"}, {"amount": "0"}, {"amount": "1.005"}])
def test_an_invalid_field_is_refused(paid, stripe, fields):
    with pytest.raises(InvalidRequest):
        refund_payment(paid, **fields)

    assert stripe.requests("POST", "/v1/refunds") == []
