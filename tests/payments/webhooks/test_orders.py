"""Events in any order, any number of times, early, late or never: the ledger ends the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import pytest

from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.payments.operations.checkouts import Checkout, open_checkout
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.settlement.models import Discrepancy
from routing.payments.settlement.recovery import settle_open
from routing.payments.states import Status
from routing.payments.webhooks import backfill
from routing.payments.webhooks.applying import apply_due
from routing.payments.webhooks.models import WebhookEvent
from routing.registry.models import Route
from tests.payments.webhooks.conftest import BOT, an_event, findings, make_due, on_own_connection, pay, until, use_card

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.payments.webhooks.conftest import Hooks

INTENTS, PAY, VOID = "/v1/payment_intents", "/v1/invoices/*/pay", "/v1/invoices/*/void"


def settle(hooks: Hooks, outcome: Literal["succeeded", "failed"]) -> None:
    """Let a slow bank decide on the one payment that waits for it."""
    [intent] = hooks.stripe.objects("payment_intents")
    hooks.stripe.control.settle_payment(hooks.stripe.account, intent["id"], outcome)


# What happens at Stripe, and how the ledger has to end


def succeeds(hooks: Hooks) -> None:
    pay(amount="10")


def is_declined(hooks: Hooks) -> None:
    use_card(hooks, "insufficient_funds")
    pay(amount="10")


def succeeds_later(hooks: Hooks) -> None:
    use_card(hooks, "settles_later")
    pay(amount="10")
    settle(hooks, "succeeded")


def fails_later(hooks: Hooks) -> None:
    use_card(hooks, "settles_later")
    pay(amount="10")
    settle(hooks, "failed")


def succeeds_unheard(hooks: Hooks) -> None:
    hooks.stripe.control.fault("reset_after", method="POST", path=INTENTS)
    pay(amount="10")


def is_declined_unheard(hooks: Hooks) -> None:
    hooks.stripe.control.fault("reset_after", method="POST", path=INTENTS)
    is_declined(hooks)


def pays_an_invoice(hooks: Hooks) -> None:
    pay()


def pays_an_invoice_unheard(hooks: Hooks) -> None:
    hooks.stripe.control.fault("reset_after", method="POST", path=PAY)
    pay()


def pays_an_invoice_later(hooks: Hooks) -> None:
    use_card(hooks, "settles_later")
    pay()
    settle(hooks, "succeeded")


def declines_an_invoice(hooks: Hooks) -> None:
    use_card(hooks, "insufficient_funds")
    pay()


def is_refunded(hooks: Hooks) -> None:
    hooks.at_stripe.refunds.create({"payment_intent": pay(amount="10").payment_intent_id})


def is_paid_on_a_page(hooks: Hooks) -> None:
    wanted = Checkout(amount="10", success_url="https://example.com/thanks")
    page = open_checkout(BOT, wanted, idempotency_key="order-1").payment
    hooks.stripe.control.complete_checkout(hooks.stripe.account, page.object_id)


def subscribes_unheard(hooks: Hooks) -> None:
    product = {"product": "prod_finance_router", "interval": "month"}
    hooks.stripe.control.seed_price(hooks.stripe.account, "price_monthly", **product)
    Route.objects.update(price_id="price_monthly")
    hooks.stripe.control.fault("reset_after", method="POST", path="/v1/invoices/*/pay")
    subscribe(BOT, Subscription(), idempotency_key="order-1")


HAPPENINGS = {
    succeeds: (Status.SUCCEEDED, None),
    is_declined: (Status.DECLINED, "insufficient_funds"),
    succeeds_later: (Status.SUCCEEDED, None),
    fails_later: (Status.DECLINED, "generic_decline"),
    succeeds_unheard: (Status.SUCCEEDED, None),
    is_declined_unheard: (Status.DECLINED, "insufficient_funds"),
    pays_an_invoice: (Status.SUCCEEDED, None),
    pays_an_invoice_unheard: (Status.SUCCEEDED, None),
    pays_an_invoice_later: (Status.SUCCEEDED, None),
    declines_an_invoice: (Status.DECLINED, "insufficient_funds"),
    is_refunded: (Status.SUCCEEDED, None),
    is_paid_on_a_page: (Status.SUCCEEDED, None),
    subscribes_unheard: (Status.SUCCEEDED, None),
}


# How the router comes to know


def one_by_one(hooks: Hooks, happens: Callable[[Hooks], None]) -> None:
    """Each event is applied as soon as it has come, while the next ones happen."""
    with ThreadPoolExecutor(1) as threads:
        happening = threads.submit(on_own_connection, lambda: happens(hooks))
        while not happening.done():
            make_due()
            apply_due()
    happening.result()
    hooks.apply_all()


def tripled(hooks: Hooks, happens: Callable[[Hooks], None]) -> None:
    hooks.stripe.control.set_webhooks(copies=3)
    happens(hooks)
    hooks.apply_all()
    hooks.apply_all()


def newest_first(hooks: Hooks, happens: Callable[[Hooks], None]) -> None:
    """All events come in the wrong order, and are applied in that."""
    happens(hooks)
    hooks.receive_all()
    WebhookEvent.objects.all().delete()
    hooks.stripe.control.redeliver(hooks.stripe.account, newest_first=True)
    hooks.apply_all()


def backfilled(hooks: Hooks, happens: Callable[[Hooks], None]) -> None:
    """No event comes until all of them were fetched and applied, and then they change nothing."""
    hooks.stripe.control.set_webhooks(paused=True)
    happens(hooks)
    backfill.backfill()
    apply_due()
    ended = Payment.objects.values().get()
    hooks.stripe.control.set_webhooks()
    hooks.apply_all()
    assert Payment.objects.values().get() == ended
    assert "backfill" in WebhookEvent.objects.values_list("source", flat=True)


@pytest.mark.parametrize("come_to_know", [one_by_one, tripled, newest_first, backfilled])
@pytest.mark.parametrize("happens", HAPPENINGS)
def test_however_events_come_the_ledger_ends_the_same(delivering, happens, come_to_know):
    come_to_know(delivering, happens)

    payment = Payment.objects.get()
    status, decline_code = HAPPENINGS[happens]
    assert (payment.status, (payment.error or {}).get("decline_code")) == (status, decline_code)
    assert payment.settled_at is not None
    assert (payment.next_attempt_at, payment.lease_until) == (None, None)
    assert payment.payment_intent_id in {"", delivering.stripe.objects("payment_intents")[0]["id"]}
    assert payment.payment_intent_id or payment.kind == Kind.SUBSCRIPTION
    assert [event.to_status for event in payment.events.all()].count(status) == 1
    assert not Discrepancy.objects.exists()
    assert not WebhookEvent.objects.filter(applied_at=None).exists()


def test_an_invoice_that_fails_later_is_looked_into_at_once_and_declined(delivering):
    use_card(delivering, "settles_later")
    pay()
    Payment.objects.update(next_attempt_at="2100-01-01T00:00Z")
    settle(delivering, "failed")

    delivering.apply_all()
    told = Payment.objects.get().status
    settle_open()

    assert (told, Payment.objects.get().status) == (Status.UNKNOWN, Status.DECLINED)
    assert [invoice["status"] for invoice in delivering.stripe.objects("invoices")] == ["void"]
    delivering.apply_all()
    assert not Discrepancy.objects.exists()


def test_a_page_whose_payment_fails_later_is_looked_into_at_once_and_declined(delivering):
    wanted = Checkout(amount="10", success_url="https://example.com/thanks")
    page = open_checkout(BOT, wanted, idempotency_key="order-1").payment
    delivering.stripe.control.complete_checkout(delivering.stripe.account, page.object_id, card="settles_later")
    Payment.objects.update(next_attempt_at="2100-01-01T00:00Z")
    settle(delivering, "failed")

    delivering.apply_all()
    settle_open()

    assert Payment.objects.get().status == Status.DECLINED
    assert not Discrepancy.objects.exists()


@pytest.mark.parametrize("happens", ["a sender holds it", "it is settled"])
def test_an_event_hastens_no_payment_that_is_settled_or_that_somebody_is_at(delivering, happens):
    use_card(delivering, "settles_later")
    pay()
    Payment.objects.update(next_attempt_at="2100-01-01T00:00Z")
    if happens == "a sender holds it":
        Payment.objects.update(lease_until="2100-01-01T00:00Z")
    else:
        Payment.objects.update(status=Status.SUCCEEDED, settled_at="2020-01-01T00:00Z", next_attempt_at=None)

    delivering.apply_all()

    assert settle_open() == 0


def test_a_void_invoice_does_not_say_whether_its_payment_was_declined_or_canceled(delivering):
    use_card(delivering, "insufficient_funds")
    delivering.stripe.control.fault("reset_after", path=VOID)
    pay()

    delivering.apply_all()

    assert delivering.stripe.objects("invoices")[0]["status"] == "void"
    assert Payment.objects.get().status == Status.UNKNOWN
    assert "recovery" in findings()["invoice.voided"]


# Before the API's own answer


@pytest.mark.parametrize(("path", "wanted"), [(INTENTS, {"amount": "10"}), (PAY, {})])
def test_money_that_has_moved_is_known_before_stripe_has_answered_the_sender(delivering, path, wanted):
    delivering.stripe.control.fault("slow_drip", method="POST", path=path, seconds=2)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(pay, **wanted)
        delivering.wait_for("invoice.paid" if path == PAY else "payment_intent.succeeded")
        make_due()
        apply_due()
        early = Payment.objects.get()
        assert not sending.done()

    told = sending.result()

    assert (early.status, told.status) == (Status.SUCCEEDED, Status.SUCCEEDED)
    assert told.payment_intent_id == early.payment_intent_id != ""
    assert [event.to_status for event in told.events.all()] == ["sent", "succeeded"]


@pytest.mark.parametrize(
    ("path", "wanted", "kind"),
    [
        (INTENTS, {"amount": "10"}, "payment_intent.payment_failed"),
        (PAY, {}, "invoice.payment_failed"),
        (VOID, {}, "invoice.voided"),
    ],
)
def test_a_decline_is_for_the_sender_to_tell_while_it_is_at_it(delivering, path, wanted, kind):
    use_card(delivering, "insufficient_funds")
    delivering.stripe.control.fault("slow_drip", method="POST", path=path, seconds=2)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(pay, **wanted)
        delivering.wait_for(kind)
        make_due()
        apply_due()
        early = Payment.objects.get()
        assert not sending.done()

    told = sending.result()
    delivering.apply_all()

    assert (early.status, told.status) == (Status.SENT, Status.DECLINED)
    assert Payment.objects.get().error == told.error
    assert told.error["http_status"] == 402
    assert not Discrepancy.objects.exists()
    assert not WebhookEvent.objects.filter(applied_at=None).exists()


def test_an_intent_whose_first_attempt_is_under_way_is_not_called_declined(hooks):
    hooks.stripe.control.fault("reset_before", method="POST", path=INTENTS)
    payment = pay(amount="10")
    [call] = payment.request["calls"]
    unconfirmed = {
        name: value
        for name, value in call["params"].items()
        if name not in {"confirm", "off_session", "payment_method"}
    }
    intent = hooks.at_stripe.payment_intents.create(unconfirmed)
    hooks.send(an_event(data={"object": {"object": "payment_intent", "id": intent.id}}))

    apply_due()

    assert intent.status == "requires_payment_method"
    assert Payment.objects.get().status == Status.UNKNOWN


def test_a_reading_that_is_older_than_the_ledger_is_read_again_and_contradicts_nothing(delivering):
    use_card(delivering, "settles_later")
    intent = pay(amount="10").payment_intent_id
    delivering.receive_all()
    delivering.stripe.control.fault("slow_drip", method="GET", path=f"{INTENTS}/{intent}", seconds=1)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(on_own_connection, apply_due)
        until(lambda: delivering.stripe.requests("GET", f"{INTENTS}/{intent}"))
        settle(delivering, "succeeded")
        delivering.receive_all()
        apply_due()
    slow.result()

    [stale] = WebhookEvent.objects.filter(applied_at=None)
    assert "since the object was read" in stale.last_error
    delivering.apply_all()
    assert Payment.objects.get().status == Status.SUCCEEDED
    assert not Discrepancy.objects.exists()
    assert not WebhookEvent.objects.filter(applied_at=None).exists()
