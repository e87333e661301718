"""A cap counts its period from the beginning, whenever it was made; what no cap covers can be refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from routing.caps.models import Cap, CapReservation, CapUsage, delete_old_usages
from routing.caps.triggers import CREATE_INTERVAL
from routing.errors import CapExceeded
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.refunds import Refund, refund
from routing.payments.settlement.recovery import settle_open
from routing.payments.states import FINAL
from routing.registry.models import Domain
from tests.database_roles import as_administrator
from tests.payments.ledger import make_older, without_triggers
from tests.payments.threads import closing_connection, until

if TYPE_CHECKING:
    from concurrent.futures import Future

    from routing.registry.models import Bot

BOT = BotId.parse("finance:finance_router_bot")
EU = {"region": "eu"}
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

_INTERVAL_OF_ITS_OWN = """
CREATE OR REPLACE FUNCTION routing_cap_interval(per text, at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE
AS 'SELECT at'
"""


def pay(key: str, amount: str, **wanted: Any) -> Payment:
    return charge(BOT, Charge(amount=amount, **wanted), idempotency_key=key).payment


def write_again(payment: Payment, status: str) -> None:
    """Write a payment like another one, as the ledger's own statements do."""
    columns = {field.attname: getattr(payment, field.attname) for field in Payment._meta.concrete_fields}
    columns |= {"id": uuid4(), "idempotency_key": str(uuid4()), "status": status, "created_at": Now()}
    Payment.objects.create(**columns | {"settled_at": Now() if status in FINAL else None})


def waits_for_the_database(started: Future[Any]) -> bool:
    """Return whether what was started waits for a lock now, and is not done."""

    def is_waiting() -> bool:
        with connection.cursor() as database:
            database.execute("SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
            return database.rowcount > 0

    until(lambda: started.done() or is_waiting())
    return not started.done()


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


@pytest.mark.parametrize("per", ["month", "24h"])
def test_a_cap_that_is_made_while_a_payment_is_written_counts_it(bot: Bot, stripe: Any, per: str):
    paid = pay("order-1", "10")

    @closing_connection
    def make_cap() -> None:
        Cap.objects.create(bot=bot, measure="gross", per=per, currency="usd", limit=2000)

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            write_again(paid, status="sent")
            made = thread.submit(make_cap)
            assert waits_for_the_database(made)
        made.result()

    assert usage() == (1000, 1000)


def test_a_cap_that_is_made_while_a_payment_is_settled_counts_it(bot: Bot, stripe: Any):
    stripe.control.fault("reset_after", path="/v1/payment_intents")
    pay("order-1", "10")

    @closing_connection
    def make_cap() -> None:
        Cap.objects.create(bot=bot, measure="gross", per="month", currency="usd", limit=2000)

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            Payment.objects.update(status="succeeded", settled_at=Now())
            made = thread.submit(make_cap)
            assert waits_for_the_database(made)
        made.result()

    assert usage() == (1000, 0)
    assert not CapReservation.objects.exists()


def test_a_cap_that_is_put_on_something_else_counts_that(bot, stripe):
    pay("order-1", "10")
    pay("order-2", "5", overrides=EU)
    cap = Cap.objects.create(bot=bot, measure="gross", per="day", currency="usd", limit=9000)

    Cap.objects.filter(pk=cap.pk).update(currency="eur")
    assert usage() == (500, 0)
    Cap.objects.filter(pk=cap.pk).update(measure="count", currency="")
    assert usage() == (2, 0)


def test_a_limit_that_is_changed_keeps_what_was_seen(bot, stripe):
    cap = Cap.objects.create(bot=bot, measure="gross", per="day", currency="usd", limit=9000)
    pay("order-1", "10")
    before = CapUsage.objects.get().pk

    cap.limit = 1000
    cap.save()

    assert CapUsage.objects.get().pk == before
    with pytest.raises(CapExceeded):
        pay("order-2", "1")


@pytest.mark.parametrize(("age", "is_counted"), [(23 * HOUR + 58 * MINUTE, True), (24 * HOUR + 2 * MINUTE, False)])
def test_the_last_24_hours_are_counted_by_the_minute(bot, stripe, age, is_counted):
    pay("order-1", "10")
    make_older(age)

    Cap.objects.create(bot=bot, measure="gross", per="24h", currency="usd", limit=1200)

    with pytest.raises(CapExceeded, match="24-hour limit") if is_counted else nullcontext():
        pay("order-2", "3")


def test_what_lies_more_than_24_hours_back_is_left_again(bot, stripe):
    Cap.objects.create(bot=bot, measure="gross", per="24h", currency="usd", limit=1000)
    pay("order-1", "6")
    with without_triggers():
        CapUsage.objects.update(since=F("since") - 12 * HOUR)
    pay("order-2", "4")
    with pytest.raises(CapExceeded, match=r"of which 0\.00 USD is left"):
        pay("order-3", "1")

    with without_triggers():
        CapUsage.objects.update(since=F("since") - 13 * HOUR)

    pay("order-4", "6")
    with pytest.raises(CapExceeded, match=r"of which 0\.00 USD is left"):
        pay("order-5", "1")


def test_two_in_different_minutes_do_not_go_over_24_hours(bot: Bot, stripe: Any):
    paid = pay("order-1", "6")
    Cap.objects.create(bot=bot, measure="gross", per="24h", currency="usd", limit=1700)
    with as_administrator(), connection.cursor() as database:
        database.execute(_INTERVAL_OF_ITS_OWN)

    @closing_connection
    def pay_too() -> Payment:
        return pay("order-2", "6")

    try:
        with ThreadPoolExecutor(1) as thread:
            with transaction.atomic():
                write_again(paid, status="sent")
                paid_too = thread.submit(pay_too)
                assert waits_for_the_database(paid_too)
            with pytest.raises(CapExceeded):
                paid_too.result()
    finally:
        with as_administrator(), connection.cursor() as database:
            database.execute(CREATE_INTERVAL.replace("CREATE", "CREATE OR REPLACE", 1))


def test_an_hour_is_counted_from_its_beginning(bot, stripe):
    Cap.objects.create(bot=bot, measure="count", per="hour", currency="", limit=1)
    pay("order-1", "6")
    with pytest.raises(CapExceeded, match="hourly limit on the number of charges is 1, of which 0 is left"):
        pay("order-2", "6")

    with without_triggers():
        CapUsage.objects.update(since=F("since") - HOUR)

    pay("order-3", "6")


def test_what_was_collected_before_it_is_written_is_counted_and_not_refused(bot, stripe):
    """As a renewal is, which Stripe collects by itself."""
    Cap.objects.create(bot=bot, measure="gross", per="month", currency="usd", limit=1000)
    paid = pay("order-1", "9")

    write_again(paid, status="succeeded")
    write_again(paid, status="canceled")

    assert usage() == (1800, 0)
    with pytest.raises(CapExceeded):
        pay("order-2", "1")


def test_old_minutes_and_hours_are_deleted_but_not_what_is_open(bot, stripe):
    cap = Cap.objects.create(bot=bot, measure="gross", per="24h", currency="usd", limit=1000)
    stripe.control.fault("reset_after", path="/v1/payment_intents")
    pay("order-1", "6")
    with without_triggers():
        cap.usages.create(since=timezone.now() - timedelta(days=2), used=1)
        CapUsage.objects.update(since=F("since") - timedelta(days=8))

    delete_old_usages()

    assert usage() == (0, 600)


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
