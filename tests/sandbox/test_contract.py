"""What the sandbox refuses: whatever the stripe wheel would not send, and what Stripe refuses besides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.conftest import exchange

if TYPE_CHECKING:
    from tests.sandbox.conftest import Merchant

FORM = "application/x-www-form-urlencoded"


def refused(merchant: Merchant, **changes: object) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.payment_intents.create(merchant.payer().charge(**changes))
    return caught.value


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"payment_method_types": ["card"]}, "parameter_unknown", "payment_method_types"),
        ({"amount": "5.5"}, "parameter_invalid_integer", "amount"),
        ({"amount": "1_0"}, "parameter_invalid_integer", "amount"),
        ({"currency": ""}, "parameter_invalid_empty", "currency"),
        ({"automatic_payment_methods": {"enabled": True, "colour": 1}}, "parameter_unknown", None),
        ({"capture_method": "later"}, None, "capture_method"),
        ({"confirm": "yes"}, None, "confirm"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"currency": "USD"}, None, "currency"),
        ({"currency": "kwd", "amount": 1005}, "parameter_invalid_integer", "amount"),
        ({"currency": "isk", "amount": 1050}, "parameter_invalid_integer", "amount"),
        ({"customer": "cus_unknown"}, "resource_missing", "customer"),
        ({"payment_method": "pm_unknown"}, "resource_missing", "payment_method"),
        ({"automatic_payment_methods": {"enabled": True}}, None, "return_url"),
        ({"transfer_group": "x"}, None, "transfer_group"),
    ],
)
def test_a_request_that_stripe_would_refuse_is_refused(merchant, changes, code, param):
    error = refused(merchant, **changes)

    assert error.http_status == 400
    assert error.code == code
    assert param in (None, error.param)


@pytest.mark.parametrize("name", ["amount", "currency"])
def test_a_missing_parameter_is_named(merchant, name):
    params = merchant.payer().charge()
    del params[name]

    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.payment_intents.create(params)

    assert (caught.value.code, caught.value.param) == ("parameter_missing", name)


def test_an_off_session_confirm_without_a_payment_method_is_refused(merchant):
    params = merchant.payer().charge()
    del params["payment_method"]

    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        merchant.v1.payment_intents.create(params)


def test_off_session_without_confirm_is_refused(merchant):
    error = refused(merchant, confirm=False)

    assert error.param == "off_session"


def test_the_payment_method_of_another_customer_is_refused(merchant):
    other = merchant.payer()

    error = refused(merchant, payment_method=other.method)

    assert "does not belong to the Customer" in str(error)


def test_a_detached_payment_method_cannot_be_charged(merchant):
    payer = merchant.payer()
    merchant.v1.payment_methods.detach(payer.method)

    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        merchant.v1.payment_intents.create(payer.charge())


@pytest.mark.parametrize(
    "metadata",
    [{f"k{n}": "v" for n in range(51)}, {"k" * 41: "v"}, {"k": "v" * 501}],
    ids=["too many keys", "a key too long", "a value too long"],
)
def test_metadata_beyond_stripes_limits_is_refused(merchant, metadata):
    error = refused(merchant, metadata=metadata)

    assert str(error.param).startswith("metadata")


def test_metadata_is_merged_and_the_empty_string_takes_a_key_away(merchant):
    customer = merchant.v1.customers.create({"metadata": {"a": "1", "b": "2"}})

    changed = merchant.v1.customers.update(customer.id, {"metadata": {"a": "", "c": "3"}})

    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}


def test_an_unknown_id_in_the_path_is_404(merchant):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.payment_intents.retrieve("pi_unknown")

    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_an_endpoint_that_the_sandbox_lacks_is_404(merchant):
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        merchant.v1.payouts.list()


def test_another_api_version_is_refused(merchant):
    with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version"):
        merchant.v1.balance.retrieve({}, {"stripe_version": "2019-01-01"})


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"amount=1&amount=2", FORM),
        (b"a[b]=1&a=2", FORM),
        (b"a[=1", FORM),
        (b"metadata[%FF]=1", FORM),
        (b"nothing", FORM),
        (b'{"name":"x"}', "application/json"),
    ],
)
def test_a_body_that_does_not_say_one_thing_clearly_is_400(merchant, body, form):
    headers = {"Authorization": f"Bearer {merchant.key}", "Content-Type": form}

    status, answer = exchange(merchant.address, "/v1/customers", body=body, **headers)

    assert status == 400
    assert "invalid_request_error" in answer


def test_a_refused_request_leaves_nothing_behind(merchant):
    refused(merchant, payment_method="pm_unknown")

    assert merchant.control.objects(merchant.key, "payment_intents") == []
    assert merchant.control.objects(merchant.key, "events") == []


def test_every_form_parameter_reaches_the_log_as_it_was_sent(merchant):
    payer = merchant.payer()
    merchant.v1.payment_intents.create(payer.charge(metadata={"payment_id": "p1"}), {"idempotency_key": "k"})

    logged = merchant.control.requests(method="POST", path="/v1/payment_intents")[-1]

    assert logged["params"]["metadata"] == {"payment_id": "p1"}
    assert logged["idempotency_key"] == "k"
    assert logged["status"] == 200
    assert merchant.key not in json.dumps(logged)
