"""Refunds: of the bot's own charges, never more than was charged, each made once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from routing.errors import InvalidAmount, InvalidRequest, NotFound, Paused
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.refunds import Refund, refund
from routing.payments.settlement.recovery import settle_open
from routing.payments.states import Status
from routing.registry.models import Bot, Category, Domain, Region, Route

BOT = BotId.parse("finance:finance_router_bot")


@pytest.fixture
def paid(bot, stripe) -> Payment:
    return charge(BOT, Charge(amount="10"), idempotency_key="order-1").payment


def release_django_connection(
    payment: Payment | str, key: str = "refund-1", bot: BotId = BOT, **wanted: Any
) -> Payment:
    name = payment if isinstance(payment, str) else str(payment.id)
    return refund(bot, Refund(payment=name, **wanted), idempotency_key=key).payment


def test_without_an_amount_the_whole_charge_is_given_back_and_the_amount_is_sent(paid, stripe):
    given = release_django_connection(paid)

    [at_stripe] = stripe.objects("refunds")
    assert (given.status, given.amount, given.object_id) == (Status.SUCCEEDED, "10.00", at_stripe["id"])
    assert (at_stripe["amount"], at_stripe["payment_intent"]) == (1000, paid.payment_intent_id)
    assert at_stripe["metadata"]["payment_id"] == str(given.id)
    assert stripe.requests("POST", "/v1/refunds")[0]["params"]["amount"] == "1000"


@pytest.mark.parametrize("name", ["id", "payment_intent_id", "charge_id"])
def test_a_charge_is_named_by_the_routers_id_or_by_stripes(paid, name):
    assert release_django_connection(str(getattr(paid, name)), amount="4").amount == "4.00"


def test_the_price_of_an_invoice_is_given_back_too(bot, stripe):
    sold = charge(BOT, Charge(), idempotency_key="order-1").payment

    assert release_django_connection(sold.invoice_id).amount == "25.00"


def test_what_is_left_is_given_back_by_the_second_refund(paid):
    release_django_connection(paid, amount="4")

    assert release_django_connection(paid, "refund-2").amount == "6.00"
    with pytest.raises(InvalidRequest, match="nothing is left"):
        release_django_connection(paid, "refund-3")


def test_a_whole_refund_that_stripe_puts_off_is_made_when_the_bot_comes_again(paid, stripe):
    stripe.control.fault("status", status=429, path="/v1/refunds")
    assert release_django_connection(paid).status == Status.RECEIVED

    assert release_django_connection(paid).status == Status.SUCCEEDED

    assert [found["amount"] for found in stripe.objects("refunds")] == [1000]


def test_more_than_is_left_is_refused_and_nothing_is_sent(paid, stripe):
    release_django_connection(paid, amount="4")

    with pytest.raises(InvalidAmount, match=r"more than is left of the charge: 6\.00 USD"):
        release_django_connection(paid, "refund-2", amount="6.01")

    assert len(stripe.requests("POST", "/v1/refunds")) == 1
    assert not Payment.objects.filter(idempotency_key="refund-2").exists()


def test_refunds_at_once_never_give_back_more_than_was_charged(paid, stripe):
    def attempt(number: int) -> bool:
        try:
            release_django_connection(paid, f"refund-{number}", amount="3")
        except InvalidAmount:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as threads:
        made = list(threads.map(attempt, range(12)))

    assert sum(made) == 3
    assert sum(given["amount"] for given in stripe.objects("refunds")) == 900


def test_the_same_refund_is_made_once(paid, stripe):
    assert release_django_connection(paid, amount="3") == release_django_connection(paid, amount="3")
    assert len(stripe.objects("refunds")) == 1


def test_a_charge_of_another_bot_cannot_be_refunded(paid, stripe):
    domain, default = Domain.objects.get(slug="stripe"), Region.objects.get(slug="default")
    other = Bot.objects.create(domain=domain, category=Category.objects.get(slug="finance"), name="another")
    Route.objects.create(bot=other, region=default, product_id="prod_a", price_id="price_a", customer_id="cus_a")

    for name in (str(paid.id), paid.payment_intent_id, paid.charge_id, "", "pi_nobodys"):
        with pytest.raises(NotFound):
            release_django_connection(name, bot=BotId.parse("finance:another"))

    assert stripe.requests("POST", "/v1/refunds") == []


def test_a_charge_that_did_not_succeed_cannot_be_refunded(bot, stripe):
    stripe.control.fault("reset_after", path="/v1/payment_intents")
    unknown = charge(BOT, Charge(amount="10"), idempotency_key="order-1").payment

    with pytest.raises(NotFound):
        release_django_connection(unknown)


def test_a_charge_whose_route_is_gone_can_still_be_refunded(paid):
    Route.objects.all().delete()

    assert release_django_connection(paid).status == Status.SUCCEEDED


def test_a_pause_stops_refunds_too(paid, stripe):
    Bot.objects.update(is_paused=True)

    with pytest.raises(Paused):
        release_django_connection(paid)

    assert stripe.requests("POST", "/v1/refunds") == []


def test_a_refund_whose_outcome_is_not_known_is_settled_by_recovery(paid, stripe):
    stripe.control.fault("reset_after", path="/v1/refunds")
    unknown = release_django_connection(paid)
    Payment.objects.filter(settled_at=None).update(next_attempt_at="2020-01-01T00:00Z")

    settle_open()

    unknown.refresh_from_db()
    assert unknown.status == Status.SUCCEEDED
    assert len(stripe.objects("refunds")) == 1


@pytest.mark.parametrize("wanted", [{"reason": "because"}, {"amount": "0"}, {"amount": "1.005"}])
def test_a_wrong_word_is_refused(paid, stripe, wanted):
    with pytest.raises(InvalidRequest):
        release_django_connection(paid, **wanted)

    assert stripe.requests("POST", "/v1/refunds") == []
