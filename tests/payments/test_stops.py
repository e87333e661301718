"""A stop that stops: what was never executed is canceled, and what may have been is searched for and not sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F
from django.utils import timezone

from routing.access.models import BotToken
from routing.access.tokens import authenticate, issue
from routing.caps.models import Cap, CapUsage
from routing.errors import Canceled, NotAuthenticated
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import raise_if_failed
from routing.payments.operations.charges import Charge, charge
from routing.payments.settlement.recovery import settle_open
from routing.payments.states import Status
from routing.registry import snapshot
from routing.registry.models import Bot, Category, Domain, Route
from routing.registry.pausing import pause_everything, resume_everything
from tests.payments.ledger import without_triggers

if TYPE_CHECKING:
    from collections.abc import Callable

BOT = BotId.parse("finance:finance_router_bot")

STOPS: dict[str, Callable[[], Any]] = {
    "everything is paused": lambda: pause_everything(by="finance"),
    "its domain is paused": lambda: Domain.objects.update(is_paused=True),
    "its category is paused": lambda: Category.objects.update(is_paused=True),
    "it is paused": lambda: Bot.objects.update(is_paused=True),
    "its token was revoked": lambda: BotToken.objects.update(revoked_at=timezone.now()),
    "its route was deleted": lambda: Route.objects.all().delete(),
    "its route has ended": lambda: Route.objects.update(valid_until=timezone.now()),
}


@pytest.fixture(autouse=True)
def _sees_every_edit_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "CHECK_SECONDS", 0)


def pay(**wanted: Any) -> Payment:
    prefix = (
        BotToken.objects.values_list("prefix", flat=True).first()
        or authenticate(issue("invoicing", [str(BOT)], ["charge"])).prefix
    )
    return charge(BOT, Charge(**wanted), idempotency_key="order-1", token_prefix=prefix).payment


def received(stripe: Any) -> Payment:
    """Request a charge that Stripe refuses to execute for now."""
    stripe.control.fault("status", method="POST", path="/v1/payment_intents", status=429)
    payment = pay(amount="10")
    assert payment.status == Status.RECEIVED
    return payment


def killed_before_sending(stripe: Any) -> Payment:
    """Leave a payment as a sender does that was killed between its first statement and its first call."""
    stripe.control.fault("reset_before", path="/v1/payment_intents")
    payment = pay(amount="10")
    Payment.objects.update(status=Status.UNKNOWN, next_attempt_at="2020-01-01T00:00Z")
    return payment


def look_again(*, later: timedelta = timedelta(0)) -> Payment:
    with without_triggers():
        Payment.objects.update(
            created_at=F("created_at") - later, sent_at=F("sent_at") - later, next_attempt_at="2020-01-01T00:00Z"
        )
    settle_open()
    return Payment.objects.get()


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_what_was_never_executed_is_canceled_and_its_cap_released(bot, stripe, stop):
    Cap.objects.create(domain=None, measure="gross", per="day", currency="usd", limit=5000)
    received(stripe)
    stop()

    settle_open()

    payment = Payment.objects.get()
    assert payment.status == Status.CANCELED
    assert payment.error["code"] == "stopped"
    usage = CapUsage.objects.get()
    assert (usage.reserved, usage.used) == (0, 0)
    assert stripe.objects("payment_intents") == []
    with pytest.raises(Canceled, match="Nothing was charged"):
        raise_if_failed(payment)


def test_a_token_that_is_revoked_in_mid_request_charges_nothing(bot, stripe):
    pay(amount="10")
    prefix = BotToken.objects.get().prefix
    BotToken.objects.update(revoked_at=timezone.now())

    with pytest.raises(NotAuthenticated, match="was revoked"):
        charge(BOT, Charge(amount="10"), idempotency_key="order-2", token_prefix=prefix)

    assert len(stripe.objects("payment_intents")) == 1


def test_a_canceled_charge_says_why_it_was_stopped(bot, stripe):
    received(stripe)
    pause_everything(by="finance", reason="Stripe is down")

    settle_open()

    with pytest.raises(Canceled, match=r"was canceled: All billing is paused: Stripe is down\."):
        raise_if_failed(Payment.objects.get())


def test_an_invoice_that_was_only_begun_is_voided_before_its_payment_is_canceled(bot, stripe):
    stripe.control.fault("status", path="/v1/invoiceitems", status=429, count=1)
    assert pay().status == Status.RECEIVED
    pause_everything(by="finance")

    settle_open()

    assert Payment.objects.get().status == Status.CANCELED
    assert stripe.objects("invoices") == []


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_what_may_have_been_sent_is_not_sent_for_the_first_time(bot, stripe, stop):
    killed_before_sending(stripe)
    stop()
    before = len(stripe.requests("POST"))

    assert look_again().status == Status.UNKNOWN
    assert look_again(later=timedelta(hours=25)).status == Status.UNKNOWN
    assert len(stripe.requests("POST")) == before


def test_it_is_canceled_in_the_end_when_two_searches_did_not_find_it(bot, stripe):
    killed_before_sending(stripe)
    pause_everything(by="finance", reason="Stripe is down")
    look_again(later=timedelta(hours=25))
    searches = Payment.objects.get().searches
    Payment.objects.update(searches=[(timezone.now() - timedelta(hours=2)).isoformat(), *searches[1:]])

    payment = look_again()

    assert payment.status == Status.CANCELED
    assert payment.error == {
        "code": "stopped",
        "message": "All billing is paused: Stripe is down. Ask finance to resume it.",
    }
    assert stripe.objects("payment_intents") == []


def test_what_stripe_has_made_is_found_while_the_stop_is_in_force(bot, stripe):
    stripe.control.fault("reset_after", path="/v1/payment_intents")
    assert pay(amount="10").status == Status.UNKNOWN
    pause_everything(by="finance")

    assert look_again().status == Status.SUCCEEDED
    assert len(stripe.objects("payment_intents")) == 1


def test_it_is_sent_again_when_the_stop_is_over(bot, stripe):
    killed_before_sending(stripe)
    pause_everything(by="finance")
    assert look_again().status == Status.UNKNOWN

    resume_everything(by="finance")

    assert look_again().status == Status.SUCCEEDED
    assert len(stripe.objects("payment_intents")) == 1
