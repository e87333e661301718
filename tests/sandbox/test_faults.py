"""Faults on demand, as a client on the wire meets them."""

from __future__ import annotations

import socket
import time

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

PATH = "/v1/payment_intents"


def charge(merchant):
    return merchant.v1.payment_intents.create(merchant.payer().charge(), {"idempotency_key": "k"})


def charged(merchant):
    return [each["status"] for each in merchant.control.objects(merchant.key, "payment_intents")]


def received(merchant, path="/v1/balance"):
    """Send one request on a bare socket and return every byte of the answer; a reset raises ConnectionResetError."""
    host, port = merchant.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        lines = (f"GET {path} HTTP/1.1", f"Host: {host}:{port}", f"Authorization: Bearer {merchant.key}")
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(("kind", "effect"), [("reset_before", []), ("reset_after", ["succeeded"])])
def test_a_reset_before_has_no_effect_and_a_reset_after_has(merchant, control, kind, effect):
    control.fault(kind, path=PATH)

    with pytest.raises(stripe.APIConnectionError):
        charge(merchant)

    assert charged(merchant) == effect


def test_a_reset_is_a_reset_on_the_wire(merchant, control):
    control.fault("reset_after", path="/v1/balance")

    with pytest.raises(ConnectionResetError):
        received(merchant)


def test_a_truncated_answer_announces_more_than_it_brings(merchant, control):
    control.fault("truncate", path="/v1/balance")

    head, _, body = received(merchant).partition(b"\r\n\r\n")

    announced = next(int(line.split(b":")[1]) for line in head.splitlines() if line.startswith(b"Content-Length"))
    assert len(body) == announced // 2


def test_a_truncated_answer_has_its_effect(merchant, control):
    control.fault("truncate", path=PATH)

    with pytest.raises(stripe.APIConnectionError):
        charge(merchant)

    assert charged(merchant) == ["succeeded"]


def test_a_slow_drip_arrives_whole_in_the_end(merchant, control):
    control.fault("slow_drip", seconds=0.4, path=PATH)
    started = time.monotonic()

    intent = charge(merchant)

    assert intent.status == "succeeded"
    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize("body", ["<html>", ""])
def test_an_answer_that_is_not_json_has_its_effect(merchant, control, body):
    control.fault("not_json", body=body, path=PATH)

    with pytest.raises(stripe.APIError) as caught:
        charge(merchant)

    assert caught.value.http_status == 200
    assert charged(merchant) == ["succeeded"]


def test_an_answer_that_is_no_object_has_its_effect(merchant, control):
    control.fault("not_json", body="null", path=PATH)

    assert charge(merchant) is None
    assert charged(merchant) == ["succeeded"]


def test_a_rate_limit_carries_its_reason(merchant, control):
    control.fault("status", status=429, headers={"Stripe-Rate-Limited-Reason": "endpoint-rate"}, path=PATH)

    with pytest.raises(stripe.RateLimitError) as caught:
        charge(merchant)

    assert caught.value.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
    assert charged(merchant) == []


def test_a_late_execution_happens_after_the_client_gave_up(merchant, control):
    control.fault("late", seconds=0.8, path=PATH)
    impatient = stripe.StripeClient(
        merchant.key,
        base_addresses={"api": merchant.address},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=0.2),
    )
    params = merchant.payer().charge()

    with pytest.raises(stripe.APIConnectionError):
        impatient.v1.payment_intents.create(params, {"idempotency_key": "k"})

    assert charged(merchant) == []
    wait_until(lambda: charged(merchant) == ["succeeded"])


def test_a_resend_that_overtakes_the_late_one_is_the_only_charge(merchant, control):
    control.fault("late", seconds=0.5, path=PATH)
    params = merchant.payer().charge()
    host, port = merchant.address.removeprefix("http://").split(":")
    body = "&".join(f"{name}={value}" for name, value in flat(params))
    head = (f"POST {PATH} HTTP/1.1", f"Host: {host}:{port}", f"Authorization: Bearer {merchant.key}")
    form = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}", "Idempotency-Key: k")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join([*head, *form, "", body]).encode())
        wait_until(lambda: control.requests(path=PATH)[-1]["status"] is None)

    resent = merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})

    wait_until(lambda: all(each["status"] == 200 for each in control.requests(method="POST", path=PATH)[-2:]))
    assert [each["id"] for each in control.objects(merchant.key, "payment_intents")] == [resent.id]
    assert control.requests(method="POST", path=PATH)[-2]["replayed"]


def test_faults_strike_the_nth_call_for_as_often_as_ordered(merchant, control):
    control.fault("reset_before", path="/v1/bal*", nth=2, count=1)
    control.fault("status", status=503, path="/v1/balance", nth=3, count=2)
    seen = []

    for _ in range(5):
        try:
            seen.append(merchant.v1.balance.retrieve().object)
        except stripe.StripeError as error:
            seen.append(error.http_status)

    assert seen == ["balance", None, 503, 503, "balance"]


def test_an_endless_fault_stops_when_it_is_cleared(merchant, control):
    control.fault("status", status=500, path="/v1/balance", count=None)
    for _ in range(3):
        with pytest.raises(stripe.APIError):
            merchant.v1.balance.retrieve()

    control.clear_faults()

    assert merchant.v1.balance.retrieve().object == "balance"


def test_a_fault_for_another_method_does_not_strike(merchant, control):
    control.fault("reset_before", method="POST")

    assert merchant.v1.balance.retrieve().object == "balance"


def test_an_order_that_makes_no_sense_is_refused(control):
    with pytest.raises(RuntimeError, match="nth"):
        control.fault("reset_before", nth=0)


def wait_until(is_true):
    deadline = time.monotonic() + 5
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def flat(params):
    for name, value in params.items():
        if isinstance(value, dict):
            yield from ((f"{name}[{inner}]", text(each)) for inner, each in value.items())
        else:
            yield name, text(value)


def text(value):
    return str(value).lower() if isinstance(value, bool) else value
