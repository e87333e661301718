"""Events on their way to a webhook endpoint: signed, retried, repeated, in any order."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import stripe  # noqa: TID251 (the SDK verifies what the sandbox signs)


class Receiver:
    """A webhook endpoint that keeps what it gets; ``refuse_first`` deliveries are answered 500."""

    def __init__(self) -> None:
        self.received = []
        self.refuse_first = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                signature = self.headers.get_all("Stripe-Signature")
                receiver.received.append((body.decode(), signature[0] if len(signature) == 1 else signature))
                self.send_response(500 if len(receiver.received) <= receiver.refuse_first else 200)
                self.end_headers()

            def log_message(self, *_: object):
                """Keep the test's output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, count):
        deadline = time.monotonic() + 5
        while len(self.received) < count:
            assert time.monotonic() < deadline, f"only {len(self.received)} of {count} came"
            time.sleep(0.01)
        return [json.loads(body)["type"] for body, _ in self.received]


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def listen(merchant, receiver, *types: str):
    return merchant.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": list(types) or ["*"]})


def test_an_event_is_delivered_with_a_signature_that_the_sdk_accepts(merchant, receiver):
    secret = listen(merchant, receiver, "payment_intent.succeeded").secret
    intent = merchant.v1.payment_intents.create(merchant.payer().charge(), {"idempotency_key": "k"})

    receiver.wait_for(1)

    body, signature = receiver.received[0]
    event = stripe.Webhook.construct_event(body, signature, secret)
    assert (event.type, event.data.object.id) == ("payment_intent.succeeded", intent.id)
    assert event.request.idempotency_key == "k"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, secret + "x")


def test_only_the_events_asked_for_come(merchant, receiver):
    listen(merchant, receiver, "charge.failed", "payment_intent.payment_failed")

    with pytest.raises(stripe.CardError):
        merchant.v1.payment_intents.create(merchant.payer("declined").charge())

    assert receiver.wait_for(2) == ["charge.failed", "payment_intent.payment_failed"]


def test_a_failed_delivery_is_tried_again(merchant, receiver):
    receiver.refuse_first = 1
    listen(merchant, receiver, "customer.created")

    merchant.v1.customers.create({})

    assert receiver.wait_for(2) == ["customer.created", "customer.created"]
    assert receiver.received[0][0] == receiver.received[1][0]


def test_events_wait_while_paused_and_come_threefold_when_ordered(merchant, control, receiver):
    listen(merchant, receiver, "customer.created")
    control.set_webhooks(paused=True, copies=3)
    merchant.v1.customers.create({})
    time.sleep(0.1)
    assert receiver.received == []

    control.set_webhooks()

    assert receiver.wait_for(3) == ["customer.created"] * 3


def test_past_events_are_sent_again_in_reverse(merchant, control, receiver):
    merchant.v1.payment_intents.create(merchant.payer().charge())
    listen(merchant, receiver)

    control.redeliver(merchant.account, newest_first=True)

    assert receiver.wait_for(3) == ["payment_intent.succeeded", "charge.succeeded", "payment_intent.created"]


def test_a_refused_call_announces_nothing(merchant, receiver):
    listen(merchant, receiver)
    with pytest.raises(stripe.InvalidRequestError):
        merchant.v1.payment_intents.create(merchant.payer().charge(payment_method="pm_unknown"))

    merchant.v1.customers.create({})

    assert receiver.wait_for(1) == ["customer.created"]


def test_a_subscription_that_was_not_made_announces_only_its_failed_charge(merchant, receiver):
    listen(merchant, receiver)
    payer, price = merchant.payer("declined"), merchant.price(interval="month")
    items = {"items": [{"price": price}], "payment_behavior": "error_if_incomplete", "off_session": True}
    with pytest.raises(stripe.CardError):
        merchant.v1.subscriptions.create({"customer": payer.customer, **items})

    merchant.v1.customers.create({})

    assert receiver.wait_for(3) == ["charge.failed", "payment_intent.canceled", "customer.created"]


@pytest.mark.parametrize(
    ("style", "parts"),
    [("spaced", ["t", " v1"]), ("rolled", ["t", "v1", "v1"]), ("with_v0", ["t", "v1", "v0"])],
)
def test_a_signature_is_valid_however_its_header_is_written(merchant, receiver, style, parts):
    secret = listen(merchant, receiver).secret

    merchant.control.set_webhooks(signature=style)
    merchant.v1.customers.create({})

    receiver.wait_for(1)
    body, signature = receiver.received[0]
    assert [part.partition("=")[0] for part in signature.split(",")] == parts
    assert stripe.Webhook.construct_event(body, signature.replace(" ", ""), secret).type == "customer.created"


def test_a_signature_can_come_in_two_lines(merchant, receiver):
    secret = listen(merchant, receiver).secret

    merchant.control.deliver_event(merchant.account, "customer.created", {"object": "customer"}, signature="two_lines")

    receiver.wait_for(1)
    body, lines = receiver.received[0]
    assert [line.partition("=")[0] for line in lines] == ["t", "v1"]
    assert stripe.Webhook.construct_event(body, ",".join(lines), secret).type == "customer.created"


@pytest.mark.parametrize(("style", "why"), [("stale", "outside the tolerance"), ("wrong", "No signatures found")])
def test_a_signature_can_be_refusable(merchant, receiver, style, why):
    secret = listen(merchant, receiver).secret

    merchant.control.deliver_event(merchant.account, "customer.created", {"object": "customer"}, signature=style)

    receiver.wait_for(1)
    with pytest.raises(stripe.SignatureVerificationError, match=why):
        stripe.Webhook.construct_event(*receiver.received[0], secret)


def test_a_thin_event_names_its_object_alone_and_reaches_every_endpoint(merchant, receiver):
    listen(merchant, receiver, "charge.failed")
    related = {"id": merchant.account, "type": "v2.core.account", "url": f"/v2/core/accounts/{merchant.account}"}

    sent = merchant.control.deliver_event(merchant.account, "v2.core.account.updated", related, thin=True)

    receiver.wait_for(1)
    event = json.loads(receiver.received[0][0])
    assert event["id"] == sent["id"]
    assert (event["object"], event["related_object"], event["livemode"]) == ("v2.core.event", related, True)
    assert "data" not in event


def test_an_event_can_be_of_test_mode_or_of_a_connected_account(merchant, receiver):
    listen(merchant, receiver)
    intent = {"object": "payment_intent", "id": "pi_1"}

    merchant.control.deliver_event(merchant.account, "payment_intent.succeeded", intent, livemode=False)
    merchant.control.deliver_event(
        merchant.account, "payment_intent.succeeded", intent, more={"account": "acct_1Connected"}
    )

    receiver.wait_for(2)
    first, second = (json.loads(body) for body, _ in receiver.received)
    assert (first["livemode"], first["data"]["object"]) == (False, intent)
    assert (second["livemode"], second["account"]) == (True, "acct_1Connected")
    assert merchant.control.objects(merchant.key, "events") == []


def test_a_deleted_endpoint_gets_nothing(merchant, receiver):
    gone, kept = listen(merchant, receiver), Receiver()
    listen(merchant, kept)
    merchant.v1.webhook_endpoints.delete(gone.id)

    merchant.v1.customers.create({})

    kept.wait_for(1)
    kept.server.shutdown()
    kept.server.server_close()
    assert receiver.received == []


def test_the_secret_is_told_once(merchant, receiver):
    made = listen(merchant, receiver)

    assert made.secret.startswith("whsec_")
    assert "secret" not in merchant.v1.webhook_endpoints.list().data[0]
    assert "secret" not in merchant.v1.webhook_endpoints.retrieve(made.id)


@pytest.mark.parametrize("url", ["https://example.com/hook", "http://10.0.0.1/hook", "file:///etc/passwd"])
def test_nothing_is_sent_off_the_machine(merchant, url):
    with pytest.raises(stripe.InvalidRequestError, match="this machine only"):
        merchant.v1.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
