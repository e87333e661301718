"""Events that never came are fetched, and old ones forgotten."""

from __future__ import annotations

from routing.payments.webhooks import applying, backfill
from routing.payments.webhooks.models import EventCursor, WebhookEvent
from routing.registry.models import Domain
from tests.payments.webhooks.conftest import an_event, pay


def test_a_sweep_reads_on_from_where_the_last_one_ended(delivering):
    delivering.stripe.control.set_webhooks(paused=True)
    pay("order-1", amount="10")
    backfill.backfill()
    pay("order-2", amount="10")
    backfill.backfill()
    backfill.backfill()

    asked = [int(seen["params"]["created"]["gte"]) for seen in delivering.stripe.requests("GET", "/v1/events")]
    second, first = (int(event.created.timestamp()) for event in WebhookEvent.objects.all())
    assert asked[0] < first - 23 * 3600
    assert asked[1:] == [first - 300, second - 300]
    assert int(EventCursor.objects.get().seen_until.timestamp()) == second


def test_a_sweep_reads_every_page(delivering):
    delivering.stripe.control.set_webhooks(paused=True)
    customer = {"amount": 1000, "currency": "usd", "customer": "cus_finance_default"}
    for _ in range(101):
        intent = delivering.at_stripe.payment_intents.create(customer)
        delivering.at_stripe.payment_intents.cancel(intent.id)

    backfill.backfill()

    assert WebhookEvent.objects.count() == 101


def test_a_sweep_that_broke_off_is_made_again_and_no_other_domain_waits_for_it(delivering):
    Domain.objects.create(slug="a_domain_without_a_key")
    delivering.stripe.control.set_webhooks(paused=True)
    pay(amount="10")
    delivering.stripe.control.fault("status", path="/v1/events", status=503)

    backfill.backfill()
    before = WebhookEvent.objects.count()
    backfill.backfill()

    assert (before, WebhookEvent.objects.count()) == (0, 1)


def test_an_event_that_was_applied_is_forgotten_after_three_months_and_one_that_was_not_is_kept(hooks):
    for _ in range(3):
        hooks.send(an_event())
    old, recent, waiting = WebhookEvent.objects.all()
    WebhookEvent.objects.filter(id=old.id).update(applied_at="2020-01-01T00:00Z", finding="x")
    WebhookEvent.objects.filter(id=recent.id).update(applied_at="2100-01-01T00:00Z", finding="x")
    WebhookEvent.objects.filter(id=waiting.id).update(received_at="2020-01-01T00:00Z")

    applying.delete_old()

    assert set(WebhookEvent.objects.all()) == {recent, waiting}
