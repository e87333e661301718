"""What the webhook endpoint accepts, and what it refuses."""

from __future__ import annotations

import json
import secrets
import time

import pytest
from django.test import Client

from routing.access import tokens
from routing.access.models import Scope
from routing.keys import reset_keyring
from routing.payments.webhooks.applying import apply_due
from routing.payments.webhooks.models import WebhookEvent
from routing.payments.webhooks.receiving import MAX_BYTES
from routing.registry import snapshot
from routing.registry.models import Domain
from tests.payments.webhooks.conftest import new_event, signature_header

REFUSAL = "This is not an event that Stripe has signed for this endpoint."


def assert_refused(response):
    problem = response.json()
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert (problem["code"], problem["detail"]) == ("invalid_request", REFUSAL)
    assert not WebhookEvent.objects.exists()


def test_a_signed_event_is_stored_with_the_object_that_it_names_and_nothing_else(webhooks):
    event = new_event(type="charge.succeeded")
    event["data"]["object"] = {"id": "ch_1", "object": "charge", "billing_details": {"email": "jenny@example.com"}}

    response = webhooks.send(event)

    stored = WebhookEvent.objects.values().get()
    assert (response.status_code, response.json()) == (200, {"received": True})
    assert (stored["domain"], stored["event_id"], stored["type"]) == ("stripe", event["id"], "charge.succeeded")
    assert (stored["object_type"], stored["object_id"], stored["source"]) == ("charge", "ch_1", "webhook")
    assert (stored["created"].timestamp(), stored["applied_at"]) == (event["created"], None)
    assert "jenny" not in str(stored)


def test_an_event_is_stored_once_however_often_it_is_sent(webhooks):
    event = new_event()

    statuses = [webhooks.send(event).status_code for _ in range(3)]

    assert statuses == [200, 200, 200]
    assert WebhookEvent.objects.count() == 1


def test_the_same_id_on_another_domain_is_another_event(webhooks, monkeypatch):
    Domain.objects.create(slug="other")
    monkeypatch.setenv("STRIPE_SECRET_KEY__OTHER", "rk_live_" + secrets.token_hex(16))
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS__OTHER", webhooks.secret)
    reset_keyring()
    event = new_event()

    webhooks.send(event)
    webhooks.send(event, domain="other")

    assert set(WebhookEvent.objects.values_list("domain", "event_id")) == {
        ("stripe", event["id"]),
        ("other", event["id"]),
    }


def test_both_secrets_are_accepted_while_one_replaces_the_other(webhooks, monkeypatch):
    new_secret = "whsec_" + secrets.token_hex(16)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", f"{webhooks.secret},{new_secret}")
    reset_keyring()

    for secret in (webhooks.secret, new_secret):
        payload = json.dumps(new_event())
        assert webhooks.post(payload, signature_header(payload, secret)).status_code == 200

    assert WebhookEvent.objects.count() == 2


@pytest.mark.parametrize("seconds", [-290, 290])
def test_a_clock_may_be_off_by_almost_five_minutes(webhooks, seconds):
    payload = json.dumps(new_event())

    assert webhooks.post(payload, signature_header(payload, webhooks.secret, time.time() + seconds)).status_code == 200


@pytest.mark.parametrize("seconds", [-310, 310, 10**11])
def test_a_signature_from_long_ago_or_from_the_future_is_refused(webhooks, seconds):
    payload = json.dumps(new_event())

    assert_refused(webhooks.post(payload, signature_header(payload, webhooks.secret, time.time() + seconds)))


def test_a_signature_with_another_secret_is_refused(webhooks):
    payload = json.dumps(new_event())

    assert_refused(webhooks.post(payload, signature_header(payload, "whsec_" + secrets.token_hex(16))))


def test_a_body_that_was_changed_after_it_was_signed_is_refused(webhooks):
    payload = json.dumps(new_event())

    assert_refused(webhooks.post(payload + " ", signature_header(payload, webhooks.secret)))


def test_a_signature_header_whose_commas_a_proxy_has_spaced_is_accepted(webhooks):
    payload = json.dumps(new_event())

    assert webhooks.post(payload, signature_header(payload, webhooks.secret).replace(",", " , ")).status_code == 200


@pytest.mark.parametrize(
    "alter",
    [
        lambda _: None,
        lambda _: "",
        lambda _: "nonsense",
        lambda _: "t=,v1=",
        lambda header: header.replace("t=", "t=-"),
        lambda header: header.replace("t=", "t=٤"),
        lambda header: header.replace("v1=", "v0="),
        lambda header: header.partition(",")[0],
        lambda header: header.partition(",")[2],
        lambda header: f"{header},t={int(time.time())}",
        lambda header: f"t={int(time.time()) + 10**6},{header}",
        lambda header: f"{header}, ",
        lambda header: f"{header},v1=ü",
        lambda header: f"{header},v1",
    ],
)
def test_a_signature_header_in_any_other_form_is_refused(webhooks, alter):
    payload = json.dumps(new_event())

    assert_refused(webhooks.post(payload, alter(signature_header(payload, webhooks.secret))))


def test_a_body_that_is_not_utf8_is_refused(webhooks):
    payload = json.dumps(new_event())

    assert_refused(webhooks.post(payload.encode() + b"\xff", signature_header(payload, webhooks.secret)))


@pytest.mark.parametrize(
    "payload", ["", "{", "null", "[]", '"evt_1"', "[" * 100_000, '{"created": ' + "9" * 5000 + "}"]
)
def test_a_body_that_is_not_a_json_object_is_refused(webhooks, payload):
    assert_refused(webhooks.post(payload, signature_header(payload, webhooks.secret)))


@pytest.mark.parametrize(
    "fields",
    [
        {"livemode": False},
        {"livemode": None},
        {"livemode": "true"},
        {"account": "acct_another"},
        {"context": "acct_another"},
        {"account": {"id": "acct_another"}},
        {"object": "payment_intent"},
        {"object": "v2.core.event"},
        {"id": None},
        {"id": "evt\x00"},
        {"id": "evt_" + "x" * 300},
        {"type": ["payment_intent.succeeded"]},
        {"type": "payment intent"},
        {"created": "1"},
        {"created": True},
        {"created": -1},
        {"created": 10**15},
        {"data": []},
        {"data": {"object": "pi_1"}},
        {"data": {"object": {"id": 7, "object": "payment_intent"}}},
    ],
)
def test_a_signed_event_that_says_nothing_here_is_accepted_and_set_aside(webhooks, fields):
    """Stripe would send it again for days, and then disable the endpoint."""
    event = new_event(**fields)

    assert webhooks.send(event).status_code == 200

    assert apply_due() == 0
    for kept in WebhookEvent.objects.all():
        assert (kept.event_id, kept.object_id) == (event["id"], "")
        assert kept.applied_at is not None
        assert kept.finding.startswith("set aside: ")
    assert WebhookEvent.objects.exists() is ("id" not in fields)


def test_an_event_that_names_the_domains_own_account_is_accepted(webhooks):
    Domain.objects.filter(slug="stripe").update(account_id="acct_own")
    snapshot.reload(snapshot.current())

    assert webhooks.send(new_event(account="acct_own")).status_code == 200


def test_an_event_of_an_object_without_an_id_is_accepted(webhooks):
    webhooks.send(new_event(type="balance.available", data={"object": {"object": "balance"}}))

    assert WebhookEvent.objects.get().object_id == ""


def test_a_body_that_is_too_long_is_refused(webhooks):
    payload = json.dumps(new_event(padding="x" * MAX_BYTES))

    assert_refused(webhooks.post(payload, signature_header(payload, webhooks.secret)))


def test_a_domain_that_does_not_exist_is_not_found(webhooks):
    assert webhooks.send(new_event(), domain="nowhere").status_code == 404


def test_a_paused_domain_still_receives_events(webhooks):
    Domain.objects.update(is_paused=True)

    assert webhooks.send(new_event()).status_code == 200


@pytest.mark.parametrize(
    ("missing", "remedy"), [("STRIPE_WEBHOOK_SECRETS", "signing secret"), ("STRIPE_SECRET_KEY", "live key")]
)
def test_without_a_webhook_secret_stripe_is_to_retry_and_the_log_has_the_remedy(
    webhooks, monkeypatch, caplog, missing, remedy
):
    monkeypatch.delenv(missing)
    reset_keyring()

    response = webhooks.send(new_event())

    assert response.status_code == 503
    assert response.json()["code"] == "key_unavailable"
    assert "STRIPE" not in response.json()["detail"]
    assert any(remedy in record.getMessage() for record in caplog.records if record.levelname == "ERROR")


def test_a_bot_token_is_neither_needed_nor_sufficient(webhooks):
    token = tokens.issue("test", ["stripe:finance:finance_router_bot"], Scope.values)
    payload = json.dumps(new_event())
    signature = signature_header(payload, webhooks.secret)

    assert_refused(webhooks.post(payload, None, Authorization=f"Bearer {token}"))
    assert webhooks.post(payload, signature, Authorization="Bearer nonsense").status_code == 200


def test_neither_a_session_nor_a_csrf_token_is_needed(webhooks):
    strict = Client(enforce_csrf_checks=True)
    payload = json.dumps(new_event())
    headers = {"Stripe-Signature": signature_header(payload, webhooks.secret), "Accept": "*/*; q=0.5, application/xml"}

    response = strict.post(
        "/api/v1/webhooks/stripe/stripe", payload, content_type="application/json; charset=utf-8", headers=headers
    )

    assert response.status_code == 200


def test_only_post_is_allowed(webhooks):
    assert webhooks.client.get("/api/v1/webhooks/stripe/stripe").status_code == 405


def test_neither_a_body_nor_a_secret_is_logged(webhooks, caplog):
    payload = json.dumps(new_event(padding="jenny@example.com"))

    webhooks.post(payload, signature_header(payload, webhooks.secret))
    webhooks.post(payload, signature_header(payload, "whsec_" + secrets.token_hex(16)))

    assert "refused" in caplog.text
    assert "jenny" not in caplog.text
    assert webhooks.secret not in caplog.text
