"""The admin's pages of webhook events."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from routing.payments.webhooks.models import WebhookEvent
from tests.payments.webhooks.conftest import new_event

PAGE = "/admin/routing/webhookevent/"


@pytest.fixture
def admin(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("finance"))
    return client


@pytest.fixture
def events(webhooks) -> list[WebhookEvent]:
    """Store an event that was applied, one that fails and one that waits."""
    for event_type in ("invoice.paid", "refund.failed", "payment_intent.canceled"):
        webhooks.send(new_event(type=event_type))
    WebhookEvent.objects.filter(type="invoice.paid").update(applied_at="2026-01-01T00:00Z", finding="it agrees")
    WebhookEvent.objects.filter(type="refund.failed").update(attempts=3, last_error="Stripe did not answer.")
    return list(WebhookEvent.objects.all())


def test_the_list_shows_the_result_of_each_event(admin, events):
    text = admin.get(PAGE).content.decode()

    assert "It agrees" in text
    assert "Failed 3 times, will be retried: Stripe did not answer." in text
    assert "Not applied yet" in text


def test_a_first_failure_is_counted_in_words(admin, events):
    WebhookEvent.objects.filter(type="refund.failed").update(attempts=1)

    assert "Failed once, will be retried" in admin.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("choice", "event_types"),
    [
        ("applied", {"invoice.paid"}),
        ("pending", {"refund.failed", "payment_intent.canceled"}),
        ("failing", {"refund.failed"}),
    ],
)
def test_the_list_is_filtered_by_status(admin, events, choice, event_types):
    found = admin.get(PAGE, {"status": choice}).context["cl"].queryset

    assert {event.type for event in found} == event_types


def test_an_event_is_found_by_its_object(admin, events):
    found = admin.get(PAGE, {"q": events[0].object_id}).context["cl"].queryset

    assert list(found) == [events[0]]


def test_an_event_can_be_read_and_neither_added_nor_changed_nor_deleted(admin, events):
    page = f"{PAGE}{events[0].pk}/"

    assert events[0].object_id in admin.get(f"{page}change/").content.decode()
    assert admin.get(f"{PAGE}add/").status_code == 403
    assert admin.post(f"{page}change/", {"finding": "x"}).status_code == 403
    assert admin.post(f"{page}delete/", {"post": "yes"}).status_code == 403
