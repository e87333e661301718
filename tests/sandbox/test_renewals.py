"""What happens to subscriptions while the clock runs on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sandbox import periods
from tests.sandbox.billing import open_session, subscribe, types

HOUR = 3600
DAY = 24 * HOUR


@pytest.fixture
def weekly(merchant):
    return merchant.price(1000, interval="week")


def invoices(merchant):
    return merchant.control.objects(merchant.key, "invoices")


def status(merchant, subscription):
    return merchant.v1.subscriptions.retrieve(subscription.id).status


def test_a_period_ends_with_a_draft_that_is_collected_an_hour_later(merchant, weekly):
    subscription = subscribe(merchant, merchant.payer(), weekly)
    end = subscription["items"].data[0].current_period_end
    merchant.control.advance_clock(end - merchant.control.state()["now"] + 60)
    draft = invoices(merchant)[0]

    merchant.control.advance_clock(HOUR)

    paid = invoices(merchant)[0]
    assert (draft["status"], draft["billing_reason"], draft["created"]) == ("draft", "subscription_cycle", end)
    assert draft["automatically_finalizes_at"] == end + HOUR
    assert (paid["id"], paid["status"], paid["amount_paid"]) == (draft["id"], "paid", 2000)
    renewed = merchant.v1.subscriptions.retrieve(subscription.id)
    item = renewed["items"].data[0]
    assert (renewed.status, renewed.latest_invoice) == ("active", draft["id"])
    assert (item.current_period_start, item.current_period_end) == (end, end + 7 * DAY)


def test_a_renewal_announces_what_stripe_announces(merchant, weekly):
    subscribe(merchant, merchant.payer(), weekly)
    known = len(types(merchant))

    merchant.control.advance_clock(7 * DAY + 2 * HOUR)

    assert types(merchant)[: len(types(merchant)) - known] == [
        "invoice.payment_succeeded",
        "invoice.paid",
        "payment_intent.succeeded",
        "charge.succeeded",
        "payment_intent.created",
        "invoice.finalized",
        "customer.subscription.updated",
        "invoice.created",
    ]


def test_every_period_that_passes_is_billed(merchant, weekly):
    subscribe(merchant, merchant.payer(), weekly)

    merchant.control.advance_clock(4 * 7 * DAY + 2 * HOUR)

    assert [each["amount_paid"] for each in invoices(merchant)] == [2000] * 5


def test_a_renewal_that_fails_makes_the_subscription_past_due_until_it_is_paid(merchant, weekly):
    payer = merchant.payer("declined_later")
    subscription = subscribe(merchant, payer, weekly)
    merchant.control.advance_clock(7 * DAY + 2 * HOUR)
    failed, before = invoices(merchant)[0], status(merchant, subscription)
    better = merchant.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).id
    seen = types(merchant)[:2]

    merchant.v1.invoices.pay(failed["id"], {"payment_method": better})

    assert (failed["status"], failed["attempt_count"], before) == ("open", 1, "past_due")
    assert failed["next_payment_attempt"] == failed["status_transitions"]["finalized_at"] + 3 * DAY
    assert seen == ["customer.subscription.updated", "invoice.payment_failed"]
    assert status(merchant, subscription) == "active"


def test_a_renewal_that_keeps_failing_is_tried_four_times_and_ends_the_subscription(merchant):
    payer = merchant.payer("declined_later")
    subscription = subscribe(merchant, payer, merchant.price(interval="year"))
    merchant.control.advance_clock(366 * DAY + 2 * HOUR)
    assert merchant.v1.customers.retrieve(payer.customer).delinquent

    merchant.control.advance_clock(16 * DAY)

    ended = merchant.v1.subscriptions.retrieve(subscription.id)
    given_up = invoices(merchant)[0]
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "payment_failed")
    assert (given_up["status"], given_up["attempt_count"], given_up["next_payment_attempt"]) == ("open", 4, None)
    assert types(merchant).count("invoice.payment_failed") == 4
    assert types(merchant)[0] == "customer.subscription.deleted"


def test_a_retry_succeeds_where_the_card_was_replaced(merchant, weekly):
    payer = merchant.payer("declined_later")
    subscription = subscribe(merchant, payer, weekly)
    merchant.control.advance_clock(7 * DAY + 2 * HOUR)
    better = merchant.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).id
    merchant.v1.payment_methods.attach(better, {"customer": payer.customer})
    merchant.v1.subscriptions.update(subscription.id, {"default_payment_method": better})

    merchant.control.advance_clock(3 * DAY)

    assert (invoices(merchant)[0]["status"], status(merchant, subscription)) == ("paid", "active")


def test_a_renewal_at_a_slow_bank_is_open_until_the_bank_says_no(merchant, weekly):
    payer = merchant.payer("settles_later")
    subscription = subscribe(merchant, payer, weekly, payment_behavior="allow_incomplete")
    intents = merchant.v1.payment_intents
    merchant.control.settle_payment(merchant.account, intents.list().data[0].id)
    merchant.control.advance_clock(7 * DAY + 2 * HOUR)
    waiting = invoices(merchant)[0]["status"], status(merchant, subscription)

    merchant.control.settle_payment(merchant.account, intents.list().data[0].id, "failed")

    assert waiting == ("open", "active")
    assert status(merchant, subscription) == "past_due"


@pytest.mark.parametrize(
    ("behavior", "left"), [("keep_as_draft", "draft"), ("void", "void"), ("mark_uncollectible", "uncollectible")]
)
def test_a_paused_collection_makes_invoices_and_collects_none(merchant, weekly, behavior, left):
    subscription = subscribe(merchant, merchant.payer(), weekly)
    now = merchant.control.state()["now"]
    pause = {"behavior": behavior, "resumes_at": now + 10 * DAY}
    merchant.v1.subscriptions.update(subscription.id, {"pause_collection": pause})

    merchant.control.advance_clock(14 * DAY + 2 * HOUR)

    assert [each["status"] for each in invoices(merchant)] == ["paid", left, "paid"]
    assert merchant.v1.subscriptions.retrieve(subscription.id).pause_collection is None


def test_a_discount_that_repeats_ends_with_its_months(merchant):
    repeating = {"percent_off": 50, "duration": "repeating", "duration_in_months": 2}
    coupon = merchant.v1.coupons.create(repeating).id
    subscribe(merchant, merchant.payer(), merchant.price(interval="month"), discounts=[{"coupon": coupon}])

    merchant.control.advance_clock(100 * DAY)

    assert [each["amount_paid"] for each in invoices(merchant)] == [2000, 2000, 1000, 1000]


def test_a_renewal_takes_in_what_waits_and_what_is_owed(merchant, weekly):
    payer = merchant.payer()
    subscribe(merchant, payer, weekly)
    merchant.v1.invoice_items.create({"customer": payer.customer, "amount": 300, "currency": "usd"})
    merchant.v1.customers.update(payer.customer, {"balance": 40})

    merchant.control.advance_clock(7 * DAY + 2 * HOUR)

    assert (invoices(merchant)[0]["total"], invoices(merchant)[0]["amount_paid"]) == (2300, 2340)


def test_an_invoice_marked_uncollectible_can_still_be_paid(merchant, weekly):
    payer = merchant.payer("declined_later")
    subscribe(merchant, payer, weekly)
    merchant.control.advance_clock(7 * DAY + 2 * HOUR)
    marked = merchant.v1.invoices.mark_uncollectible(invoices(merchant)[0]["id"])
    better = merchant.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).id

    paid = merchant.v1.invoices.pay(marked.id, {"payment_method": better})

    assert (marked.status, paid.status) == ("uncollectible", "paid")


def test_a_forgotten_checkout_expires_and_says_so_without_being_read(merchant):
    session = open_session(merchant, merchant.price(500))

    merchant.control.advance_clock(25 * HOUR)

    assert types(merchant)[0] == "checkout.session.expired"
    assert merchant.v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_turning_the_clock_back_bills_nothing_twice(merchant, weekly):
    subscribe(merchant, merchant.payer(), weekly)
    merchant.control.advance_clock(7 * DAY + 2 * HOUR)

    merchant.control.advance_clock(-7 * DAY)
    merchant.control.advance_clock(7 * DAY)

    assert len(invoices(merchant)) == 2


def test_months_keep_their_day_as_far_as_they_have_it():
    january = int(datetime(2025, 1, 31, 12, tzinfo=UTC).timestamp())

    days = []
    at = january
    for _ in range(3):
        at = periods.end_after(january, at, "month", 1)
        days.append(datetime.fromtimestamp(at, UTC).strftime("%d %b"))

    assert days == ["28 Feb", "31 Mar", "30 Apr"]
