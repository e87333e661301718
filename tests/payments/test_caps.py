"""Caps: never exceeded under any concurrency, reserved while an outcome is open, released when it is settled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError

from routing.caps.models import Cap, CapReservation, CapUsage
from routing.errors import CapExceeded, Declined
from routing.payments.ledger.models import Payment
from routing.payments.states import Status
from routing.registry.models import Route
from tests.payments.caps import add_cap
from tests.payments.ledger import recover
from tests.payments.operations import refund_payment
from tests.payments.stripe_account import use_card
from tests.payments.threads import closing_connection


def test_a_charge_within_the_cap_is_counted(pay):
    add_cap(1000)

    pay(amount="10")

    usage = CapUsage.objects.get()
    assert (usage.reserved, usage.used) == (0, 1000)
    assert not CapReservation.objects.exists()


def test_a_charge_over_the_cap_is_refused_with_what_is_left(pay, stripe):
    add_cap(1000)
    pay(amount="7")

    with pytest.raises(CapExceeded, match=r"daily limit is 10\.00 USD, of which 3\.00 USD is left") as caught:
        pay("order-2", amount="3.01")

    assert caught.value.context["cap"] | {"since": ""} == {
        "measure": "gross",
        "per": "day",
        "scope": "everywhere",
        "since": "",
        "limit": "10.00 USD",
        "used": "7.00 USD",
        "reserved": "0.00 USD",
        "left": "3.00 USD",
    }
    assert len(stripe.objects("payment_intents")) == 1
    assert not Payment.objects.filter(idempotency_key="order-2").exists()
    assert CapUsage.objects.get().reserved == 0


def test_a_per_charge_cap_has_no_start_of_its_period(pay):
    add_cap(1000)
    add_cap(500, per="charge")

    with pytest.raises(CapExceeded) as caught:
        pay(amount="6")

    assert caught.value.context["cap"]["since"] is None


def test_a_replay_uses_nothing_of_the_cap(pay):
    add_cap(1000)

    first, replay = pay(amount="10"), pay(amount="10")

    assert first == replay
    assert CapUsage.objects.get().used == 1000


@pytest.mark.parametrize("scope", ["everywhere", "domain", "category", "bot"])
def test_a_cap_limits_its_scope(bot, pay, scope):
    add_cap(500, **{} if scope == "everywhere" else {scope: bot if scope == "bot" else getattr(bot, scope)})

    with pytest.raises(CapExceeded):
        pay(amount="5.01")


def test_a_cap_limits_nothing_outside_its_scope(bot, pay):
    from routing.registry.models import Bot, Category, Domain

    sales = Category.objects.create(slug="sales")
    add_cap(0, domain=Domain.objects.create(slug="other"))
    add_cap(0, category=sales)
    add_cap(0, bot=Bot.objects.create(domain=bot.domain, category=sales, name="finance_router_bot"))
    add_cap(0, currency="eur")

    assert pay(amount="5").status == Status.SUCCEEDED


def test_a_cap_per_charge_and_one_on_the_number_of_charges(pay):
    add_cap(500, per="charge")
    add_cap(2, measure="count", per="month")

    with pytest.raises(CapExceeded, match=r"The per-charge limit is 5\.00 USD\."):
        pay(amount="5.01")
    pay("order-1", amount="5")
    pay("order-2", amount="5")
    with pytest.raises(CapExceeded, match="number of charges"):
        pay("order-3", amount="5")


def test_the_price_of_an_invoice_is_reserved_before_it_is_charged(pay, stripe):
    add_cap(4999)

    pay(quantity=1)
    with pytest.raises(CapExceeded):
        pay("order-2", quantity=1)

    assert len(stripe.objects("invoices")) == 1
    assert CapUsage.objects.get().used == 2500


def test_a_price_of_unknown_amount_is_refused_where_there_is_a_cap(pay, stripe):
    add_cap(4999)
    tiers = [{"up_to": 10, "unit_amount": 900}, {"up_to": "inf", "unit_amount": 700}]
    price = {"product": "prod_finance_router", "currency": "usd", "billing_scheme": "tiered", "tiers_mode": "graduated"}
    tiered = stripe.control.call(stripe.key, "POST", "/v1/prices", {**price, "tiers": tiers})
    Route.objects.update(price_id=tiered["id"], currency="usd")
    before = len(stripe.requests("POST"))

    with pytest.raises(CapExceeded, match="not known"):
        pay()

    assert len(stripe.requests("POST")) == before


def test_refunds_have_a_cap_of_their_own(pay):
    add_cap(300, measure="refunds")
    payment = pay(amount="10")

    refund_payment(payment, amount="3")
    with pytest.raises(CapExceeded, match="daily refund limit"):
        refund_payment(payment, "refund-2", amount="1")

    assert [usage.used for usage in CapUsage.objects.all()] == [300]


def test_an_unknown_outcome_reserves_its_amount_until_it_is_settled(pay, stripe):
    add_cap(1000)
    stripe.control.fault("reset_after", path="/v1/payment_intents")

    assert pay(amount="8").status == Status.UNKNOWN
    assert CapUsage.objects.get().reserved == 800
    with pytest.raises(CapExceeded):
        pay("order-2", amount="3")
    recover()

    usage = CapUsage.objects.get()
    assert (usage.reserved, usage.used) == (0, 800)


def test_a_decline_releases_its_amount(pay_or_raise, stripe):
    add_cap(1000)
    use_card(stripe, "declined")

    with pytest.raises(Declined):
        pay_or_raise(amount="10")

    usage = CapUsage.objects.get()
    assert (usage.reserved, usage.used) == (0, 0)


def test_many_charges_at_once_never_exceed_the_cap(bot, pay, stripe):
    add_cap(1000)
    add_cap(7, measure="count", bot=bot)

    @closing_connection
    def attempt(number: int) -> bool:
        try:
            return pay(f"order-{number}", amount="1.30").status == Status.SUCCEEDED
        except CapExceeded:
            return False

    with ThreadPoolExecutor(32) as threads:
        succeeded = list(threads.map(attempt, range(64)))

    charged = [intent["amount"] for intent in stripe.objects("payment_intents")]
    assert (sum(succeeded), sum(charged)) == (7, 910)
    assert sorted(usage.used for usage in CapUsage.objects.all()) == [7, 910]
    assert {usage.reserved for usage in CapUsage.objects.all()} == {0}


@pytest.mark.parametrize(
    "invalid",
    [
        {"measure": "gross", "currency": ""},
        {"measure": "count", "currency": "usd"},
        {"measure": "count", "per": "charge", "currency": ""},
        {"limit": -1},
        {"currency": "xxx"},
    ],
)
def test_an_invalid_cap_is_refused(bot, invalid):
    with pytest.raises(ValidationError):
        Cap(**{"limit": 1, "measure": "gross", "per": "day", "currency": "usd"} | invalid).full_clean()


def test_a_cap_has_one_scope(bot):
    with pytest.raises(ValidationError, match="Choose only one of bot"):
        add_cap(1, bot=bot, domain=bot.domain)
