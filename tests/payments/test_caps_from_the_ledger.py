"""A cap counts its period from the beginning, whenever it was made; what no cap covers can be refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.db.models import Sum

from routing.caps.models import Cap, CapReservation, CapUsage
from routing.errors import CapExceeded
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.refunds import Refund, refund
from routing.payments.settlement.recovery import settle_open
from routing.registry.models import Domain

if TYPE_CHECKING:
    from routing.registry.models import Bot

BOT = BotId.parse("finance:finance_router_bot")
EU = {"region": "eu"}


def pay(key: str, amount: str, **wanted: Any) -> Payment:
    return charge(BOT, Charge(amount=amount, **wanted), idempotency_key=key).payment


def usage() -> tuple[int, int]:
    found = CapUsage.objects.get()
    return found.used, found.reserved


SCOPES = {
    "the bot": lambda bot: {"bot": bot},
    "its category": lambda bot: {"category": bot.category},
    "its domain": lambda bot: {"domain": bot.domain},
    "everything": lambda _: {},
}


@pytest.mark.parametrize("per", ["day", "month"])
@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
def test_a_cap_counts_what_was_charged_before_it_was_made(bot, stripe, scope, per):
    pay("order-1", "10")
    pay("order-2", "5", overrides=EU)

    Cap.objects.create(measure="gross", per=per, currency="usd", limit=1500, **scope(bot))

    assert usage() == (1000, 0)
    with pytest.raises(CapExceeded, match=r"of which 5\.00 USD is left"):
        pay("order-3", "5.01")
    pay("order-4", "5")
    assert usage() == (1500, 0)


def test_a_cap_that_is_deleted_and_made_again_goes_on(bot, stripe):
    for key in ("order-1", "order-2"):
        cap = Cap.objects.create(bot=bot, measure="gross", per="month", currency="usd", limit=2000)
        pay(key, "10")
        cap.delete()
    Cap.objects.create(bot=bot, measure="gross", per="month", currency="usd", limit=2000)

    with pytest.raises(CapExceeded):
        pay("order-3", "0.50")


def test_what_is_open_when_the_cap_is_made_is_reserved_until_it_is_settled(bot, stripe):
    stripe.control.fault("reset_after", path="/v1/payment_intents")
    pay("order-1", "10")

    Cap.objects.create(bot=bot, measure="gross", per="day", currency="usd", limit=1000)

    assert usage() == (0, 1000)
    with pytest.raises(CapExceeded):
        pay("order-2", "1")
    Payment.objects.update(next_attempt_at="2020-01-01T00:00Z")
    settle_open()
    assert usage() == (1000, 0)
    assert not CapReservation.objects.exists()


def test_numbers_and_refunds_are_counted_too(bot, stripe):
    paid = pay("order-1", "10")
    refund(BOT, Refund(payment=str(paid.id), amount="4"), idempotency_key="refund-1")

    number = Cap.objects.create(bot=bot, measure="count", per="day", currency="", limit=9)
    refunds = Cap.objects.create(bot=bot, measure="refunds", per="day", currency="usd", limit=900)

    assert (number.usages.get().used, refunds.usages.get().used) == (1, 400)


def test_many_at_once_never_go_over_a_cap_that_is_new(bot: Bot, stripe: Any):
    pay("order-0", "10")
    Cap.objects.create(bot=bot, measure="gross", per="day", currency="usd", limit=3000)
    CapUsage.objects.all().delete()  # the next statement has to fill it, and all of them come at once

    def try_to_pay(number: int) -> None:
        try:
            pay(f"order-{number}", "1")
        except CapExceeded:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(try_to_pay, range(1, 33)))

    assert Payment.objects.filter(status="succeeded").aggregate(total=Sum("amount_minor"))["total"] == 3000
    assert usage() == (3000, 0)


def test_a_bot_with_a_cap_is_refused_in_a_currency_that_none_covers(bot, stripe):
    Cap.objects.create(bot=bot, measure="gross", per="day", currency="usd", limit=3000)

    with pytest.raises(CapExceeded, match="No cap covers a charge in EUR"):
        pay("order-1", "1", overrides=EU)

    Cap.objects.create(measure="gross", per="day", currency="eur", limit=3000)
    assert pay("order-2", "1", overrides=EU).status == "succeeded"


def test_a_domain_can_require_that_every_charge_is_covered(bot, stripe):
    pay("order-1", "1")
    Domain.objects.update(requires_cap=True)

    with pytest.raises(CapExceeded, match="No cap covers"):
        pay("order-2", "1")

    Cap.objects.create(domain=bot.domain, measure="gross", per="charge", currency="usd", limit=3000)
    assert pay("order-3", "1").status == "succeeded"
