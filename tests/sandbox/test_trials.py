"""Subscriptions that begin with a trial: nothing is billed for them until it ends."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import open_session, subscribe

DAY = 24 * 3600


@pytest.fixture
def payer(merchant):
    return merchant.payer()


@pytest.fixture
def monthly(merchant):
    return merchant.price(1000, interval="month", recurring={"trial_period_days": 14})


def test_a_trial_begins_with_an_invoice_of_nothing_and_is_billed_when_it_ends(merchant, payer, monthly):
    subscription = subscribe(merchant, payer, monthly, trial_period_days=10, expand=["latest_invoice"])
    ends = subscription.trial_end

    merchant.control.advance_clock(11 * DAY)

    first, after = subscription.latest_invoice, merchant.v1.subscriptions.retrieve(subscription.id)
    assert (subscription.status, ends - subscription.trial_start) == ("trialing", 10 * DAY)
    assert (first.status, first.total, first.billing_reason) == ("paid", 0, "subscription_create")
    assert subscription["items"].data[0].current_period_end == ends
    assert (after.status, after.billing_cycle_anchor) == ("active", ends)
    billed = merchant.v1.invoices.retrieve(after.latest_invoice)
    assert (billed.billing_reason, billed.amount_paid, billed.created) == ("subscription_cycle", 2000, ends)


def test_a_trial_can_end_at_a_given_time(merchant, payer, monthly):
    at = merchant.control.state()["now"] + 3 * DAY

    assert subscribe(merchant, payer, monthly, trial_end=at).trial_end == at
    assert subscribe(merchant, payer, monthly, trial_end="now").status == "active"


def test_a_prices_own_trial_counts_only_where_it_is_asked_for(merchant, payer, monthly):
    plain = subscribe(merchant, payer, monthly, expand=["latest_invoice"])
    asked = subscribe(merchant, payer, monthly, trial_from_plan=True)

    assert merchant.v1.prices.retrieve(monthly).recurring.trial_period_days == 14
    assert (plain.status, plain.latest_invoice.amount_paid) == ("active", 2000)
    assert (asked.status, asked.trial_end - asked.trial_start) == ("trialing", 14 * DAY)


def test_a_trial_needs_no_payment_method_until_it_ends(merchant, monthly):
    customer = merchant.v1.customers.create({}).id
    params = {"customer": customer, "items": [{"price": monthly}], "trial_period_days": 1}
    subscription = merchant.v1.subscriptions.create(params)

    merchant.control.advance_clock(2 * DAY)

    after = merchant.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert (subscription.status, after.status) == ("trialing", "past_due")
    assert (after.latest_invoice.status, after.latest_invoice.attempt_count) == ("open", 1)


def test_a_trial_that_is_canceled_is_never_billed(merchant, payer, monthly):
    subscription = subscribe(merchant, payer, monthly, trial_period_days=5)
    merchant.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})

    merchant.control.advance_clock(40 * DAY)

    assert merchant.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    assert [each["total"] for each in merchant.control.objects(merchant.key, "invoices")] == [0]


def test_what_the_customer_owes_is_collected_though_the_trial_is_free(merchant, payer, monthly):
    merchant.v1.customers.update(payer.customer, {"balance": 700})

    subscription = subscribe(merchant, payer, monthly, trial_period_days=5, expand=["latest_invoice"])

    assert (subscription.status, subscription.latest_invoice.total) == ("trialing", 0)
    assert subscription.latest_invoice.amount_paid == 700


def test_a_checkout_with_a_trial_collects_nothing(merchant, payer, monthly):
    mode = {"mode": "subscription", "customer": payer.customer}
    session = open_session(merchant, monthly, **mode, subscription_data={"trial_period_days": 7})

    done = merchant.control.complete_checkout(merchant.account, session.id)

    assert (session.amount_total, done["payment_status"]) == (0, "no_payment_required")
    assert merchant.v1.subscriptions.retrieve(done["subscription"]).status == "trialing"


@pytest.mark.parametrize(
    ("trial", "param"),
    [
        ({"trial_period_days": 5, "trial_from_plan": True}, "trial_period_days"),
        ({"trial_end": 1}, "trial_end"),
        ({"trial_period_days": 731}, "trial_period_days"),
    ],
)
def test_a_trial_that_stripe_would_refuse_is_refused(merchant, payer, monthly, trial, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        subscribe(merchant, payer, monthly, **trial)

    assert caught.value.param == param
