"""Refunds that were made at Stripe: the payment shows them, and what is left is what Stripe says is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from routing.errors import InvalidRequest, NotFound
from routing.identifiers import BotId
from routing.payments.ledger.representation import representation
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.refunds import Refund, refund
from routing.payments.reconciliation.runs import Side, reconcile
from routing.payments.settlement import evidence
from routing.payments.settlement.models import Discrepancy
from routing.payments.webhooks.applying import apply_due
from tests.payments.webhooks.conftest import live_webhooks, webhooks  # noqa: F401 (fixtures)

if TYPE_CHECKING:
    from routing.payments.ledger.models import Payment

BOT = BotId.parse("finance:finance_router_bot")


def pay(**wanted: Any) -> Payment:
    return charge(BOT, Charge(**wanted), idempotency_key="order-1").payment


def give_back(payment: str, key: str = "refund-1", **wanted: Any) -> Payment:
    return refund(BOT, Refund(payment=payment, **wanted), idempotency_key=key).payment


def refund_at_stripe(stripe: Any, paid: Payment, amount: int) -> None:
    stripe.client.refunds.create({"payment_intent": paid.payment_intent_id, "amount": amount})


def test_the_rest_is_what_stripe_says_is_left(bot, stripe):
    paid = pay(amount="20")
    refund_at_stripe(stripe, paid, 500)

    assert give_back(paid.payment_intent_id).amount == "15.00"
    with pytest.raises(InvalidRequest, match="nothing is left"):
        give_back(paid.payment_intent_id, "refund-2")


def test_the_rest_leaves_out_what_a_refund_that_is_still_open_may_take(bot, stripe):
    paid = pay(amount="20")
    stripe.control.fault("reset_before", path="/v1/refunds")
    assert give_back(str(paid.id), amount="4").settled_at is None

    assert give_back(str(paid.id), "refund-2").amount == "16.00"


@pytest.mark.parametrize("wanted", [{"amount": "10"}, {}], ids=["an amount", "a price"])
def test_a_charge_is_named_by_any_of_its_ids(bot, stripe, wanted):
    paid = pay(**wanted)
    [at_stripe] = stripe.objects("charges")
    names = [name for name in (str(paid.id), paid.payment_intent_id, paid.invoice_id, at_stripe["id"]) if name]

    for number, name in enumerate(names):
        assert give_back(name, f"refund-{number}", amount="1").amount == "1.00"

    again = refund(BOT, Refund(payment=at_stripe["id"], amount="1"), idempotency_key="refund-0")
    assert again.is_replay


def test_another_bots_charge_is_not_found_by_its_charge_id(bot, stripe):
    paid = pay(amount="10")
    other = BotId.parse("finance:another_bot")

    with pytest.raises(NotFound):
        refund(other, Refund(payment=paid.charge_id), idempotency_key="refund-1")


def test_the_payment_shows_a_refund_of_the_routers_own_at_once(bot, stripe):
    paid = pay(amount="20")

    give_back(str(paid.id), amount="4")

    paid.refresh_from_db()
    assert representation(paid)["amount_refunded"] == "4.00"
    assert representation(paid)["disputed"] is False


def test_a_webhook_brings_a_refund_of_the_dashboards_to_the_payment(live_webhooks):  # noqa: F811 (the fixture)
    paid = pay(amount="20")
    live_webhooks.apply_all()

    refund_at_stripe(live_webhooks.stripe, paid, 500)
    live_webhooks.apply_all()

    paid.refresh_from_db()
    assert representation(paid)["amount_refunded"] == "5.00"
    assert "the ledger agrees" not in _findings("refund.created")


def test_reconciliation_brings_it_too(bot, stripe):
    paid = pay(amount="20")
    refund_at_stripe(stripe, paid, 500)

    reconcile(Side.PAYMENTS)

    paid.refresh_from_db()
    assert paid.amount_refunded == "5.00"


def test_a_refund_that_fails_after_it_succeeded_can_be_made_again(bot, stripe):
    paid = pay(amount="20")
    first = give_back(str(paid.id))
    [made] = stripe.objects("refunds")
    failed = {**made, "status": "failed", "failure_reason": "lost_or_stolen_card"}

    evidence.apply_evidence(failed, domain="stripe")

    first.refresh_from_db()
    assert first.is_reversed
    assert Discrepancy.objects.get().kind == Discrepancy.Kind.CONTRADICTED
    assert give_back(str(paid.id), "refund-2", amount="20").refund_of_id == paid.id


def test_a_refund_that_failed_afterwards_is_not_counted_with_the_next(bot, stripe):
    paid = pay(amount="20")
    give_back(str(paid.id), amount="8")
    [made] = stripe.objects("refunds")
    [charged] = stripe.objects("charges")
    evidence.apply_evidence({**made, "status": "failed", "failure_reason": "lost_or_stolen_card"}, domain="stripe")
    evidence.apply_charge({**charged, "amount_refunded": 0}, domain="stripe")

    give_back(str(paid.id), "refund-2", amount="5")

    paid.refresh_from_db()
    assert paid.amount_refunded == "5.00"


def _findings(kind: str) -> list[str]:
    from routing.payments.webhooks.models import WebhookEvent

    apply_due()
    return list(WebhookEvent.objects.filter(type=kind).values_list("finding", flat=True))
