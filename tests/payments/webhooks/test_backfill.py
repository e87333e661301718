"""Events that were never delivered are fetched, and old ones deleted."""

from __future__ import annotations

from routing.payments.webhooks import applying, backfill
from routing.payments.webhooks.models import EventCursor, WebhookEvent
from routing.registry.models import Domain
from tests.payments.ledger import FAR_AHEAD, LONG_AGO
from tests.payments.webhooks.conftest import new_event


def test_a_backfill_starts_where_the_last_one_ended(pay, live_webhooks):
    live_webhooks.stripe.control.set_webhooks(paused=True)
    pay("order-1", amount="10")
    backfill.backfill()
    pay("order-2", amount="10")
    backfill.backfill()
    backfill.backfill()

    listed = live_webhooks.stripe.requests("GET", "/v1/events")
    starts = [int(request["params"]["created"]["gte"]) for request in listed]
    second, first = (int(event.created.timestamp()) for event in WebhookEvent.objects.all())
    assert starts[0] < first - 23 * 3600
    assert starts[1:] == [first - 300, second - 300]
    assert int(EventCursor.objects.get().seen_until.timestamp()) == second


def test_a_backfill_reads_every_page(live_webhooks):
    live_webhooks.stripe.control.set_webhooks(paused=True)
    intents = live_webhooks.stripe.client.payment_intents
    for _ in range(101):
        intent = intents.create({"amount": 1000, "currency": "usd", "customer": "cus_finance_default"})
        intents.cancel(intent.id)

    backfill.backfill()

    assert WebhookEvent.objects.count() == 101


def test_a_backfill_that_failed_is_repeated_and_no_other_domain_waits_for_it(pay, live_webhooks):
    Domain.objects.create(slug="a_domain_without_a_key")
    live_webhooks.stripe.control.set_webhooks(paused=True)
    pay(amount="10")
    live_webhooks.stripe.control.fault("status", path="/v1/events", status=503)

    backfill.backfill()
    before = WebhookEvent.objects.count()
    backfill.backfill()

    assert (before, WebhookEvent.objects.count()) == (0, 1)


def test_an_applied_event_is_deleted_after_three_months_and_one_that_was_not_applied_is_kept(webhooks):
    for _ in range(3):
        webhooks.send(new_event())
    old, recent, waiting = WebhookEvent.objects.all()
    WebhookEvent.objects.filter(id=old.id).update(applied_at=LONG_AGO, finding="x")
    WebhookEvent.objects.filter(id=recent.id).update(applied_at=FAR_AHEAD, finding="x")
    WebhookEvent.objects.filter(id=waiting.id).update(received_at=LONG_AGO)

    applying.delete_old()

    assert set(WebhookEvent.objects.all()) == {recent, waiting}
