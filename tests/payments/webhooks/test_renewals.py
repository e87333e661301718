"""Renewals: each later period of a subscription is one row of the ledger, whoever hears of it first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from routing.caps.models import Cap, CapUsage
from routing.errors import NotFound
from routing.identifiers import BotId
from routing.jobs import cancel_subscriptions
from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment, PaymentEvent
from routing.payments.operations.cancellations import cancel_subscription
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.reconciliation.runs import Side, reconcile
from routing.payments.settlement import renewals
from routing.payments.settlement.discrepancies import what_happened
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import Status
from routing.payments.stripe_api.accounts import load_keys
from routing.payments.webhooks.applying import apply_due
from routing.payments.webhooks.models import WebhookEvent
from routing.registry import snapshot
from routing.registry.models import Bot
from tests.payments.conftest import BOT
from tests.payments.ledger import LONG_AGO, recover, without_triggers
from tests.payments.operations import open_and_pay_session, refund_payment
from tests.payments.stripe_account import use_card, use_monthly_price
from tests.payments.threads import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 24 * 3600
MONTH = 32 * DAY


@pytest.fixture(autouse=True)
def _in_the_past(bot, stripe) -> None:
    """Begin two months ago: Stripe's clock is the sandbox's, and the ledger's is the database's."""
    use_monthly_price(stripe)
    stripe.control.advance_clock(-2 * MONTH)


def begin(stripe: Any, *, card: str = "visa", quantity: int = 2) -> Payment:
    use_card(stripe, card)
    return subscribe(BOT, Subscription(quantity=quantity), idempotency_key="sub-1").payment


def by_webhook(webhooks: Any) -> None:
    for event in reversed(webhooks.stripe.objects("events")):
        webhooks.send(event)
    WebhookEvent.objects.update(next_attempt_at=LONG_AGO)
    apply_due()


def by_reconciliation(_webhooks: Any) -> None:
    reconcile(Side.PAYMENTS, since=timezone.now() - timedelta(days=80))


def only_renewal() -> Payment:
    return Payment.objects.get(kind=Kind.RENEWAL)


ROADS = {"a webhook": by_webhook, "a reconciliation": by_reconciliation}


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
def test_a_renewal_is_one_row_with_what_was_collected(stripe, webhooks, road):
    began = begin(stripe)
    stripe.control.advance_clock(MONTH)

    road(webhooks)
    road(webhooks)

    renewal = only_renewal()
    invoice = stripe.objects("invoices")[0]
    assert (renewal.status, renewal.amount_minor, renewal.currency) == (Status.SUCCEEDED, 3000, "usd")
    assert (renewal.invoice_id, renewal.renewal_of, renewal.bot) == (invoice["id"], began, str(BOT))
    assert renewal.payment_intent_id.startswith("pi_")
    assert not Discrepancy.objects.exists()


def test_the_first_invoice_is_no_renewal(stripe, webhooks):
    begin(stripe)

    by_webhook(webhooks)
    by_reconciliation(webhooks)

    assert not Payment.objects.filter(kind=Kind.RENEWAL).exists()


def test_a_subscription_of_a_checkout_session_is_renewed_too(stripe, webhooks):
    began = open_and_pay_session(stripe, mode="subscription")
    recover()
    stripe.control.advance_clock(MONTH)

    by_webhook(webhooks)

    assert (only_renewal().renewal_of_id, only_renewal().status) == (began.id, Status.SUCCEEDED)


def test_a_renewal_that_is_read_as_a_draft_is_settled_when_it_is_paid(stripe, webhooks):
    began = begin(stripe)
    end = stripe.objects("subscriptions")[0]["items"]["data"][0]["current_period_end"]
    stripe.control.advance_clock(end - stripe.control.state()["now"] + 60)
    by_webhook(webhooks)
    draft = only_renewal()
    stripe.control.advance_clock(2 * 3600)

    by_webhook(webhooks)

    assert (draft.status, draft.amount_minor, draft.renewal_of) == (Status.PROCESSING, 3000, began)
    assert only_renewal().status == Status.SUCCEEDED
    assert [event.to_status for event in PaymentEvent.objects.filter(payment=draft)] == ["processing", "succeeded"]


def test_a_renewal_that_fails_says_so_and_the_subscription_is_past_due(stripe, webhooks):
    began = begin(stripe, card="declined_later")
    stripe.control.advance_clock(MONTH)

    by_webhook(webhooks)
    recover()

    renewal = only_renewal()
    began.refresh_from_db()
    assert renewal.status == Status.PROCESSING
    assert renewal.error["code"] == "payment_failed"
    assert "tries again on" in renewal.error["message"]
    assert began.subscription_status == "past_due"

    stripe.control.advance_clock(30 * DAY)
    by_webhook(webhooks)
    recover()

    assert only_renewal().status in {Status.DECLINED, Status.CANCELED}
    began.refresh_from_db()
    assert began.subscription_status in {"canceled", "unpaid"}


def test_of_many_processes_that_hear_of_a_renewal_one_writes_it(stripe):
    begin(stripe)
    stripe.control.advance_clock(MONTH)
    [invoice, _] = stripe.objects("invoices")
    keys, _ = load_keys(snapshot.current().table.domains["stripe"])

    rows = at_once(lambda _: renewals.take_in(invoice, keys, domain="stripe"), range(8))

    assert {row.id for row in rows if row} == {only_renewal().id}


def test_a_renewal_counts_in_the_caps_and_its_refund_does(stripe, webhooks):
    Cap.objects.create(measure="gross", per="month", currency="usd", limit=9000)
    begin(stripe)
    before = sum(usage.used for usage in CapUsage.objects.all())
    stripe.control.advance_clock(MONTH)

    by_webhook(webhooks)

    assert sum(usage.used for usage in CapUsage.objects.all()) == before + 3000
    assert refund_payment(only_renewal()).amount_minor == 3000


def draft_of(stripe: Any, webhooks: Any, change: Callable[[], Any]) -> dict[str, Any]:
    """Let the period end, and have the webhook of the draft come after ``change``."""
    begin(stripe)
    change()
    end = stripe.objects("subscriptions")[0]["items"]["data"][0]["current_period_end"]
    stripe.control.advance_clock(end - stripe.control.state()["now"] + 60)
    by_webhook(webhooks)
    stripe.control.advance_clock(3 * DAY)
    by_webhook(webhooks)
    invoice: dict[str, Any] = stripe.objects("invoices")[0]
    return invoice


def test_a_renewal_that_a_cap_has_no_room_for_is_held_and_not_collected(stripe, webhooks):
    invoice = draft_of(
        stripe,
        webhooks,
        lambda: Cap.objects.create(measure="gross", per="charge", currency="usd", limit=2999),
    )

    [held] = Discrepancy.objects.all()
    assert (invoice["status"], invoice["amount_paid"], invoice["auto_advance"]) == ("draft", 0, False)
    assert (held.kind, held.stripe_id) == (Discrepancy.Kind.HELD, invoice["id"])
    assert "a cap leaves no room" in what_happened(held)
    assert not Payment.objects.filter(kind=Kind.RENEWAL).exists()


def test_a_renewal_for_more_than_the_price_is_held_and_not_collected(stripe, webhooks):
    def make_it_dearer() -> None:
        [subscription] = stripe.objects("subscriptions")
        items = [{"id": subscription["items"]["data"][0]["id"], "quantity": 40}]
        stripe.client.subscriptions.update(subscription["id"], {"items": items, "proration_behavior": "none"})

    invoice = draft_of(stripe, webhooks, make_it_dearer)

    [held] = Discrepancy.objects.all()
    assert (invoice["status"], invoice["amount_paid"]) == ("draft", 0)
    assert "600.00 USD instead of 30.00 USD" in what_happened(held)


def test_canceling_now_ends_it_and_no_period_follows(stripe, webhooks):
    began = begin(stripe)
    Bot.objects.update(is_paused=True)

    _, first = cancel_subscription(BOT, began.object_id, at_period_end=False)
    _, again = cancel_subscription(BOT, str(began.id), at_period_end=False)
    stripe.control.advance_clock(MONTH)
    by_webhook(webhooks)

    began.refresh_from_db()
    assert first["status"] == again["status"] == began.subscription_status == "canceled"
    assert not Payment.objects.filter(kind=Kind.RENEWAL).exists()


def test_canceling_at_the_periods_end_leaves_what_is_paid_for(stripe, webhooks):
    began = begin(stripe)

    _, now = cancel_subscription(BOT, began.object_id, at_period_end=True)
    stripe.control.advance_clock(MONTH)
    by_webhook(webhooks)

    began.refresh_from_db()
    assert (now["status"], now["cancel_at_period_end"]) == ("active", True)
    assert began.subscription_status == "canceled"
    assert len(stripe.objects("invoices")) == 1


def test_another_bots_subscription_is_not_found(stripe):
    began = begin(stripe)

    for bot, name in ((BotId.parse("finance:other"), began.object_id), (BOT, "sub_none")):
        with pytest.raises(NotFound, match="has no subscription"):
            cancel_subscription(bot, name, at_period_end=False)
    assert stripe.objects("subscriptions")[0]["status"] == "active"


def test_what_was_collected_for_a_subscription_is_compared_too(stripe):
    began = begin(stripe)
    with without_triggers():
        Payment.objects.filter(pk=began.pk).update(amount_minor=2000)

    reconcile(Side.PAYMENTS, since=timezone.now() - timedelta(days=80))

    [different] = Discrepancy.objects.all()
    assert different.details == {"amount_paid": {"ledger": 2000, "stripe": 3000}}


def jobs_to_cancel() -> list[ProcrastinateJob]:
    return list(ProcrastinateJob.objects.filter(task_name="routing.jobs.cancel_subscriptions").order_by("-id")[:1])


def test_pausing_a_bot_asks_whether_its_subscriptions_go_on(stripe, settings):
    settings.SECURE_SSL_REDIRECT = False
    began = begin(stripe)
    desk = Client()
    desk.force_login(User.objects.create_superuser("finance"))
    address = reverse("admin:routing_bot_pause", args=[Bot.objects.get().pk])

    question = desk.get(address).content.decode()
    desk.post(address, {"confirmed": "yes", "cancel_subscriptions": "on"})
    [job] = jobs_to_cancel()
    cancel_subscriptions(**job.args)

    began.refresh_from_db()
    assert "Also cancel its subscriptions" in question
    assert Bot.objects.get().is_paused
    assert began.subscription_status == "canceled"
    assert [each["status"] for each in stripe.objects("subscriptions")] == []


def test_a_pause_leaves_the_subscriptions_unless_it_is_chosen(stripe, settings):
    settings.SECURE_SSL_REDIRECT = False
    begin(stripe)
    desk = Client()
    desk.force_login(User.objects.create_superuser("finance"))

    before = jobs_to_cancel()
    desk.post(reverse("admin:routing_bot_pause", args=[Bot.objects.get().pk]), {"confirmed": "yes"})

    assert Bot.objects.get().is_paused
    assert jobs_to_cancel() == before


def test_the_desk_shows_renewals_and_subscriptions_past_due(stripe, webhooks, settings):
    settings.SECURE_SSL_REDIRECT = False
    began = begin(stripe, card="declined_later")
    stripe.control.advance_clock(MONTH)
    by_webhook(webhooks)
    desk = Client()
    desk.force_login(User.objects.create_superuser("finance"))

    overview = desk.get("/admin/").content.decode()
    page = desk.get(reverse("admin:routing_payment_change", args=[began.pk])).content.decode()
    listed = desk.get(f"{reverse('admin:routing_payment_changelist')}?renewal_of__id__exact={began.pk}")

    assert "Subscriptions past due" in overview
    assert "Past due" in page
    assert "1 renewal</a>" in page
    assert list(listed.context["cl"].queryset) == [only_renewal()]
