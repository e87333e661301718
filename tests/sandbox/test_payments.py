"""Payment intents on every kind of test card, their charges, refunds and the balance."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)


def test_an_amount_is_charged_off_session(merchant):
    payer = merchant.payer()

    intent = merchant.v1.payment_intents.create(
        payer.charge(1234, metadata={"payment_id": "p"}, description="d", expand=["latest_charge", "customer"])
    )

    assert (intent.status, intent.amount_received, intent.livemode) == ("succeeded", 1234, True)
    assert intent.latest_charge.status == "succeeded"
    assert intent.latest_charge.metadata.to_dict() == {"payment_id": "p"}
    assert intent.customer.invoice_settings.default_payment_method == payer.method


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("declined", "card_declined", "generic_decline"),
        ("insufficient_funds", "card_declined", "insufficient_funds"),
        ("3ds", "authentication_required", "authentication_required"),
    ],
)
def test_a_decline_is_402_and_leaves_the_intent_behind(merchant, card, code, decline_code):
    payer = merchant.payer(card)

    with pytest.raises(stripe.CardError) as caught:
        merchant.v1.payment_intents.create(payer.charge())

    error = caught.value.error
    left = merchant.v1.payment_intents.retrieve(error.payment_intent.id, {"expand": ["latest_charge"]})
    assert (error.code, error.decline_code, error.charge) == (code, decline_code, left.latest_charge.id)
    assert error.advice_code
    assert (left.status, left.payment_method) == ("requires_payment_method", None)
    assert left.last_payment_error.payment_method.id == payer.method
    assert (left.latest_charge.status, left.latest_charge.paid) == ("failed", False)
    assert merchant.v1.balance.retrieve().pending[0].amount == 0


def test_stripes_own_names_of_test_cards_can_be_charged(merchant):
    params = {**merchant.payer().charge(), "payment_method": "pm_card_visa"}

    intent = merchant.v1.payment_intents.create(params)

    assert intent.status == "succeeded"
    assert intent.payment_method.startswith("pm_")
    assert intent.payment_method != "pm_card_visa"


def test_a_declined_intent_can_be_confirmed_again_with_another_method(merchant):
    payer = merchant.payer()
    with pytest.raises(stripe.CardError) as caught:
        merchant.v1.payment_intents.create(payer.charge(payment_method="pm_card_chargeDeclined"))
    intent = caught.value.error.payment_intent.id

    confirmed = merchant.v1.payment_intents.confirm(intent, {"payment_method": payer.method, "off_session": True})

    assert (confirmed.status, confirmed.last_payment_error) == ("succeeded", None)


def test_3ds_with_the_customer_present_waits_until_control_says_otherwise(merchant):
    params = merchant.payer("3ds").charge(off_session=False)
    waiting = merchant.v1.payment_intents.create(params)

    merchant.control.settle_payment(merchant.account, waiting.id)

    assert waiting.status == "requires_action"
    assert waiting.next_action.type == "use_stripe_sdk"
    assert merchant.v1.payment_intents.retrieve(waiting.id).status == "succeeded"


def test_error_on_requires_action_declines_instead_of_waiting(merchant):
    params = merchant.payer("3ds").charge(off_session=False, error_on_requires_action=True)

    with pytest.raises(stripe.CardError) as caught:
        merchant.v1.payment_intents.create(params)

    assert caught.value.code == "authentication_required"


@pytest.mark.parametrize(("outcome", "status"), [("succeeded", "succeeded"), ("failed", "requires_payment_method")])
def test_a_slow_bank_is_processing_until_control_settles_it(merchant, outcome, status):
    intent = merchant.v1.payment_intents.create(merchant.payer("settles_later").charge())

    merchant.control.settle_payment(merchant.account, intent.id, outcome)

    assert intent.status == "processing"
    settled = merchant.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert settled.status == status
    assert settled.latest_charge.paid == (outcome == "succeeded")


def test_a_held_payment_is_captured_in_part(merchant):
    held = merchant.v1.payment_intents.create(merchant.payer().charge(1000, capture_method="manual"))

    captured = merchant.v1.payment_intents.capture(held.id, {"amount_to_capture": 600})

    assert (held.status, held.amount_capturable) == ("requires_capture", 1000)
    assert (captured.status, captured.amount_received) == ("succeeded", 600)
    assert merchant.v1.balance.retrieve().pending[0].amount == 600


def test_a_succeeded_payment_can_be_neither_canceled_nor_confirmed(merchant):
    payer = merchant.payer()
    intent = merchant.v1.payment_intents.create(payer.charge())

    for call in (merchant.v1.payment_intents.cancel, merchant.v1.payment_intents.confirm):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            call(intent.id)
        assert caught.value.code == "payment_intent_unexpected_state"


def test_an_unpaid_intent_is_canceled(merchant):
    intent = merchant.v1.payment_intents.create({"amount": 1000, "currency": "usd"})

    canceled = merchant.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "duplicate"})

    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "duplicate")


def test_refunds_never_exceed_the_charge(merchant):
    intent = merchant.v1.payment_intents.create(merchant.payer().charge(1000))
    merchant.v1.refunds.create({"payment_intent": intent.id, "amount": 600, "reason": "duplicate"})

    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        merchant.v1.refunds.create({"charge": intent.latest_charge, "amount": 401})
    rest = merchant.v1.refunds.create({"charge": intent.latest_charge})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.refunds.create({"payment_intent": intent.id, "amount": 1})

    assert rest.amount == 400
    assert caught.value.code == "charge_already_refunded"
    assert merchant.v1.charges.retrieve(intent.latest_charge).refunded


@pytest.mark.parametrize(("outcome", "reason"), [("succeeded", None), ("failed", "expired_or_canceled_card")])
def test_a_refund_on_a_slow_bank_is_pending_until_control_settles_it(merchant, outcome, reason):
    intent = merchant.v1.payment_intents.create(merchant.payer("settles_later").charge(1000))
    merchant.control.settle_payment(merchant.account, intent.id)
    refund = merchant.v1.refunds.create({"payment_intent": intent.id, "amount": 600})

    merchant.control.settle_refund(merchant.account, refund.id, outcome)

    settled = merchant.v1.refunds.retrieve(refund.id)
    charge = merchant.v1.charges.retrieve(refund.charge)
    assert (refund.status, settled.status, settled.failure_reason) == ("pending", outcome, reason)
    assert charge.amount_refunded == (600 if outcome == "succeeded" else 0)
    assert sum(each.net for each in merchant.v1.balance_transactions.list()) == 1000 - charge.amount_refunded


def test_a_declined_payment_cannot_be_refunded(merchant):
    with pytest.raises(stripe.CardError) as caught:
        merchant.v1.payment_intents.create(merchant.payer("declined").charge())

    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        merchant.v1.refunds.create({"payment_intent": caught.value.error.payment_intent.id, "amount": 1})


def test_the_balance_is_the_sum_of_charges_and_refunds_in_each_currency(merchant):
    payer = merchant.payer()
    intent = merchant.v1.payment_intents.create(payer.charge(1000))
    merchant.v1.payment_intents.create(payer.charge(700, currency="eur"))
    merchant.v1.refunds.create({"payment_intent": intent.id, "amount": 300})

    balance = merchant.v1.balance.retrieve()

    assert {entry.currency: entry.amount for entry in balance.pending} == {"usd": 700, "eur": 700}
    entries = merchant.v1.balance_transactions.list().data
    assert [(each.type, each.net) for each in entries] == [("refund", -300), ("charge", 700), ("charge", 1000)]


def test_pending_money_becomes_available_with_the_clock(merchant):
    merchant.v1.payment_intents.create(merchant.payer().charge(1000))

    merchant.control.advance_clock(2 * 24 * 3600)

    assert merchant.v1.balance.retrieve().available[0].amount == 1000


def test_a_deleted_customer_is_gone(merchant):
    payer = merchant.payer()

    merchant.v1.customers.delete(payer.customer)

    assert merchant.v1.customers.retrieve(payer.customer).deleted
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        merchant.v1.payment_intents.create(payer.charge())


def test_a_customer_gets_a_card_and_pays_with_it(merchant):
    method = merchant.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    customer = merchant.v1.customers.create({"email": "bot@example.com"})
    merchant.v1.payment_methods.attach(method.id, {"customer": customer.id})
    merchant.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})

    found = merchant.v1.customers.retrieve(customer.id, {"expand": ["invoice_settings.default_payment_method"]})

    assert found.invoice_settings.default_payment_method.card.last4 == "4242"
    assert [each.id for each in merchant.v1.customers.payment_methods.list(customer.id).data] == [method.id]
