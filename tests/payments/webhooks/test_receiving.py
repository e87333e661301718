"""What the webhook address takes in, and what it refuses."""

from __future__ import annotations

import json
import secrets
import time

import pytest
from django.test import Client

from routing.access import tokens
from routing.access.models import Scope
from routing.keys import reset_keyring
from routing.payments.webhooks.models import WebhookEvent
from routing.payments.webhooks.receiving import MAX_BYTES
from routing.registry import snapshot
from routing.registry.models import Domain
from tests.payments.webhooks.conftest import an_event, signed

REFUSAL = "This is not an event that Stripe has signed for this endpoint."


def assert_refused(response):
    problem = response.json()
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert (problem["code"], problem["detail"]) == ("invalid_request", REFUSAL)
    assert not WebhookEvent.objects.exists()


def test_an_event_that_stripe_signed_is_stored_with_what_it_is_about_and_nothing_else(hooks):
    event = an_event(type="charge.succeeded")
    event["data"]["object"] = {"id": "ch_1", "object": "charge", "billing_details": {"email": "jenny@example.com"}}

    response = hooks.send(event)

    stored = WebhookEvent.objects.values().get()
    assert (response.status_code, response.json()) == (200, {"received": True})
    assert (stored["domain"], stored["event_id"], stored["type"]) == ("stripe", event["id"], "charge.succeeded")
    assert (stored["object_type"], stored["object_id"], stored["source"]) == ("charge", "ch_1", "webhook")
    assert (stored["created"].timestamp(), stored["applied_at"]) == (event["created"], None)
    assert "jenny" not in str(stored)


def test_an_event_is_stored_once_however_often_it_is_sent(hooks):
    event = an_event()

    answers = [hooks.send(event).status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert WebhookEvent.objects.count() == 1


def test_the_same_id_on_another_domain_is_another_event(hooks, monkeypatch):
    Domain.objects.create(slug="other")
    monkeypatch.setenv("STRIPE_SECRET_KEY__OTHER", "rk_live_" + secrets.token_hex(16))
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS__OTHER", hooks.secret)
    reset_keyring()
    event = an_event()

    hooks.send(event)
    hooks.send(event, domain="other")

    assert set(WebhookEvent.objects.values_list("domain", "event_id")) == {
        ("stripe", event["id"]),
        ("other", event["id"]),
    }


def test_while_a_secret_is_rolled_both_are_taken(hooks, monkeypatch):
    successor = "whsec_" + secrets.token_hex(16)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", f"{hooks.secret},{successor}")
    reset_keyring()

    for secret in (hooks.secret, successor):
        text = json.dumps(an_event())
        assert hooks.post(text, signed(text, secret)).status_code == 200

    assert WebhookEvent.objects.count() == 2


@pytest.mark.parametrize("seconds", [-290, 290])
def test_a_clock_that_is_a_little_off_does_no_harm(hooks, seconds):
    text = json.dumps(an_event())

    assert hooks.post(text, signed(text, hooks.secret, time.time() + seconds)).status_code == 200


@pytest.mark.parametrize("seconds", [-310, 310, 10**11])
def test_what_was_signed_long_ago_or_in_the_future_is_refused(hooks, seconds):
    text = json.dumps(an_event())

    assert_refused(hooks.post(text, signed(text, hooks.secret, time.time() + seconds)))


def test_what_another_secret_signed_is_refused(hooks):
    text = json.dumps(an_event())

    assert_refused(hooks.post(text, signed(text, "whsec_" + secrets.token_hex(16))))


def test_the_signature_is_of_the_body_as_it_was_sent(hooks):
    text = json.dumps(an_event())

    assert_refused(hooks.post(text + " ", signed(text, hooks.secret)))


@pytest.mark.parametrize(
    "spoil",
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
def test_a_signature_header_in_any_other_form_is_refused(hooks, spoil):
    text = json.dumps(an_event())

    assert_refused(hooks.post(text, spoil(signed(text, hooks.secret))))


def test_a_body_that_is_not_utf8_is_refused(hooks):
    text = json.dumps(an_event())

    assert_refused(hooks.post(text.encode() + b"\xff", signed(text, hooks.secret)))


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '"evt_1"', "[" * 100_000, '{"created": ' + "9" * 5000 + "}"])
def test_a_body_that_is_not_a_json_object_is_refused(hooks, text):
    assert_refused(hooks.post(text, signed(text, hooks.secret)))


@pytest.mark.parametrize(
    "parts",
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
def test_what_is_signed_and_yet_no_event_of_this_account_in_live_mode_is_refused(hooks, parts):
    assert_refused(hooks.send(an_event(**parts)))


def test_an_event_that_names_the_domains_own_account_is_taken(hooks):
    Domain.objects.filter(slug="stripe").update(account_id="acct_own")
    snapshot.reload(snapshot.current())

    assert hooks.send(an_event(account="acct_own")).status_code == 200


def test_an_event_about_something_without_an_id_is_taken(hooks):
    hooks.send(an_event(type="balance.available", data={"object": {"object": "balance"}}))

    assert WebhookEvent.objects.get().object_id == ""


def test_a_body_that_is_too_long_is_refused(hooks):
    text = json.dumps(an_event(padding="x" * MAX_BYTES))

    assert_refused(hooks.post(text, signed(text, hooks.secret)))


def test_a_domain_that_does_not_exist_is_not_found(hooks):
    assert hooks.send(an_event(), domain="nowhere").status_code == 404


def test_a_paused_domain_still_hears_what_became_of_its_payments(hooks):
    Domain.objects.update(is_paused=True)

    assert hooks.send(an_event()).status_code == 200


@pytest.mark.parametrize(
    ("missing", "remedy"), [("STRIPE_WEBHOOK_SECRETS", "signing secret"), ("STRIPE_SECRET_KEY", "live key")]
)
def test_without_a_webhook_secret_stripe_is_to_send_again_and_the_log_says_what_to_do(
    hooks, monkeypatch, caplog, missing, remedy
):
    monkeypatch.delenv(missing)
    reset_keyring()

    response = hooks.send(an_event())

    assert response.status_code == 503
    assert response.json()["code"] == "key_unavailable"
    assert "STRIPE" not in response.json()["detail"]
    assert any(remedy in record.getMessage() for record in caplog.records if record.levelname == "ERROR")


def test_a_bot_token_neither_helps_nor_is_needed(hooks):
    token = tokens.issue("test", ["stripe:finance:finance_router_bot"], Scope.values)
    text = json.dumps(an_event())

    assert_refused(hooks.post(text, None, Authorization=f"Bearer {token}"))
    assert hooks.post(text, signed(text, hooks.secret), Authorization="Bearer nonsense").status_code == 200


def test_no_session_and_no_csrf_token_is_asked_for(hooks):
    strict = Client(enforce_csrf_checks=True)
    text = json.dumps(an_event())
    headers = {"Stripe-Signature": signed(text, hooks.secret), "Accept": "*/*; q=0.5, application/xml"}

    response = strict.post(
        "/api/v1/webhooks/stripe/stripe", text, content_type="application/json; charset=utf-8", headers=headers
    )

    assert response.status_code == 200


def test_only_post_is_answered(hooks):
    assert hooks.client.get("/api/v1/webhooks/stripe/stripe").status_code == 405


def test_neither_a_body_nor_a_secret_is_logged(hooks, caplog):
    text = json.dumps(an_event(padding="jenny@example.com"))

    hooks.post(text, signed(text, hooks.secret))
    hooks.post(text, signed(text, "whsec_" + secrets.token_hex(16)))

    assert "refused" in caplog.text
    assert "jenny" not in caplog.text
    assert hooks.secret not in caplog.text
