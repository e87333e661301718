"""Caps: never exceeded under any concurrency, reserved while an outcome is open, released when it is settled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from routing.caps.models import Cap, CapReservation, CapUsage
from routing.errors import CapExceeded, Declined
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import raise_if_failed
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.refunds import Refund, refund
from routing.payments.settlement.recovery import settle_open
from routing.payments.states import Status
from routing.registry.models import Route

BOT = BotId.parse("finance:finance_router_bot")


def cap(limit: int, measure: str = "gross", per: str = "day", currency: str = "usd", **on: Any) -> Cap:
    made = Cap(limit=limit, measure=measure, per=per, currency="" if measure == "count" else currency, **on)
    made.full_clean()
    made.save()
    return made


def pay(key: str = "order-1", **wanted: Any) -> Payment:
    payment = charge(BOT, Charge(**wanted), idempotency_key=key).payment
    raise_if_failed(payment)
    return payment


def test_a_charge_within_the_cap_is_counted(bot, stripe):
    cap(1000)

    pay(amount="10")

    usage = CapUsage.objects.get()
    assert (usage.reserved, usage.used) == (0, 1000)
    assert not CapReservation.objects.exists()


def test_a_charge_over_the_cap_is_refused_and_says_what_is_left(bot, stripe):
    cap(1000)
    pay(amount="7")

    with pytest.raises(CapExceeded, match=r"daily limit is 10\.00 USD, of which 3\.00 USD is left") as caught:
        pay("order-2", amount="3.01")

    assert caught.value.context["cap"] | {"since": ""} == {
        "measure": "gross",
        "per": "day",
        "scope": "everywhere",
        "since": "",
        "limit": "10.00 USD",
        "left": "3.00 USD",
    }
    assert len(stripe.objects("payment_intents")) == 1
    assert not Payment.objects.filter(idempotency_key="order-2").exists()
    assert CapUsage.objects.get().reserved == 0


def test_a_cap_on_each_charge_that_comes_after_one_on_a_day_is_of_no_day(bot, stripe):
    cap(1000)
    cap(500, per="charge")

    with pytest.raises(CapExceeded) as caught:
        pay(amount="6")

    assert caught.value.context["cap"]["since"] is None


def test_a_replay_takes_nothing_of_the_cap(bot, stripe):
    cap(1000)

    first, again = pay(amount="10"), pay(amount="10")

    assert first == again
    assert CapUsage.objects.get().used == 1000


@pytest.mark.parametrize("on", ["everywhere", "domain", "category", "bot"])
def test_a_cap_holds_on_what_it_is_on(bot, stripe, on):
    cap(500, **{} if on == "everywhere" else {on: bot if on == "bot" else getattr(bot, on)})

    with pytest.raises(CapExceeded):
        pay(amount="5.01")


def test_a_cap_on_something_else_does_not_hold(bot, stripe):
    from routing.registry.models import Bot, Category, Domain

    sales = Category.objects.create(slug="sales")
    cap(0, domain=Domain.objects.create(slug="other"))
    cap(0, category=sales)
    cap(0, bot=Bot.objects.create(domain=bot.domain, category=sales, name="finance_router_bot"))
    cap(0, currency="eur")

    assert pay(amount="5").status == Status.SUCCEEDED


def test_a_cap_for_each_charge_and_one_on_their_number(bot, stripe):
    cap(500, per="charge")
    cap(2, measure="count", per="month")

    with pytest.raises(CapExceeded, match=r"The per-charge limit is 5\.00 USD\."):
        pay(amount="5.01")
    pay("order-1", amount="5")
    pay("order-2", amount="5")
    with pytest.raises(CapExceeded, match="number of charges"):
        pay("order-3", amount="5")


def test_the_price_of_an_invoice_is_held_before_it_is_charged(bot, stripe):
    cap(4999)

    pay(quantity=1)
    with pytest.raises(CapExceeded):
        pay("order-2", quantity=1)

    assert len(stripe.objects("invoices")) == 1
    assert CapUsage.objects.get().used == 2500


def test_a_price_whose_amount_cannot_be_told_does_not_pass_a_cap(bot, stripe):
    cap(4999)
    Route.objects.update(price_id="price_unknown")

    with pytest.raises(CapExceeded, match="not known"):
        pay()

    assert stripe.requests("POST") == []


def test_refunds_have_a_cap_of_their_own(bot, stripe):
    cap(300, measure="refunds")
    payment = pay(amount="10")

    refund(BOT, Refund(payment=str(payment.id), amount="3"), idempotency_key="refund-1")
    with pytest.raises(CapExceeded, match="daily refund limit"):
        refund(BOT, Refund(payment=str(payment.id), amount="1"), idempotency_key="refund-2")

    assert [usage.used for usage in CapUsage.objects.all()] == [300]


def test_an_unknown_outcome_holds_its_share_until_it_is_settled(bot, stripe):
    cap(1000)
    stripe.control.fault("reset_after", path="/v1/payment_intents")

    assert pay(amount="8").status == Status.UNKNOWN
    assert CapUsage.objects.get().reserved == 800
    with pytest.raises(CapExceeded):
        pay("order-2", amount="3")
    Payment.objects.update(next_attempt_at="2020-01-01T00:00Z")
    settle_open()

    usage = CapUsage.objects.get()
    assert (usage.reserved, usage.used) == (0, 800)


def test_a_decline_gives_its_share_back(bot, stripe):
    cap(1000)
    stripe.control.seed_customer(stripe.account, "cus_poor", card="declined")
    Route.objects.update(customer_id="cus_poor")

    with pytest.raises(Declined):
        pay(amount="10")

    usage = CapUsage.objects.get()
    assert (usage.reserved, usage.used) == (0, 0)


def test_many_charges_at_once_never_go_over_the_cap(bot, stripe):
    cap(1000)
    cap(7, measure="count", bot=bot)

    def attempt(number: int) -> bool:
        try:
            pay(f"order-{number}", amount="1.30")
        except CapExceeded:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(32) as threads:
        made = list(threads.map(attempt, range(64)))

    charged = [intent["amount"] for intent in stripe.objects("payment_intents")]
    assert (sum(made), sum(charged)) == (7, 910)
    assert sorted(usage.used for usage in CapUsage.objects.all()) == [7, 910]
    assert {usage.reserved for usage in CapUsage.objects.all()} == {0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"measure": "gross", "currency": ""},
        {"measure": "count", "currency": "usd"},
        {"measure": "count", "per": "charge", "currency": ""},
        {"limit": -1},
        {"currency": "xxx"},
    ],
)
def test_a_cap_that_makes_no_sense_cannot_be_written(bot, wrong):
    with pytest.raises(ValidationError):
        Cap(**{"limit": 1, "measure": "gross", "per": "day", "currency": "usd"} | wrong).full_clean()


def test_a_cap_is_on_one_thing(bot):
    with pytest.raises(ValidationError, match="Choose a bot"):
        cap(1, bot=bot, domain=bot.domain)
