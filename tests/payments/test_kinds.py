"""The table of kinds against the objects that the router makes at the sandbox Stripe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from routing.payments import kinds
from routing.payments.kinds import KINDS, Kind, payment_id_in, type_of_id
from routing.payments.ledger.columns import object_columns
from routing.payments.operations.customers import NewCustomer, create_customer
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.states import Status
from routing.payments.stripe_api import gateway
from routing.payments.stripe_api.outcomes import object_outcome
from tests.payments.conftest import BOT
from tests.payments.ledger import ID_COLUMNS, recover, stored_ids
from tests.payments.operations import open_and_pay_session, refund_payment
from tests.payments.stripe_account import use_monthly_price

if TYPE_CHECKING:
    from routing.payments.ledger.models import Payment
    from routing.payments.stripe_api.responses import JSONObject
    from tests.conftest import Stripe
    from tests.payments.conftest import Pay


MADE_BY_THE_ROUTER = [kind for kind in Kind if kind is not Kind.RENEWAL]
"""Stripe makes the invoice of a renewal, and puts no payment's id into it."""


@pytest.fixture(params=MADE_BY_THE_ROUTER, ids=str)
def settled(request, pay: Pay, stripe: Stripe) -> Payment:
    """Return a payment of the kind that has succeeded."""
    payment = make(request.param, pay, stripe)
    return recover().get(id=payment.id)


def make(kind: Kind, pay: Pay, stripe: Stripe) -> Payment:
    match kind:
        case Kind.CHARGE:
            return pay(amount="10")
        case Kind.INVOICE:
            return pay()
        case Kind.CUSTOMER:
            return create_customer(BOT, NewCustomer(name="Ada"), idempotency_key="order-1").payment
        case Kind.SUBSCRIPTION:
            use_monthly_price(stripe)
            return subscribe(BOT, Subscription(), idempotency_key="order-1").payment
        case Kind.REFUND:
            charged = pay(amount="10")
            return refund_payment(charged)
        case Kind.CHECKOUT:
            return open_and_pay_session(stripe)
        case Kind.RENEWAL:
            raise AssertionError


def ids_in(kind: str, found: JSONObject) -> dict[str, str]:
    """Return by the ledger's columns the ids that the object has; an expanded invoice has its payment intent's too."""
    return {column: found_id for column, found_id in object_columns(Kind(kind), found).items() if column in ID_COLUMNS}


def test_the_object_of_a_kind_is_as_the_table_says(settled, keys):
    at_stripe = KINDS[settled.kind]

    found = gateway.retrieve(keys, at_stripe.type.path_of(settled.stripe_id), at_stripe.type.retrieve_params)

    assert found is not None
    assert settled.status == Status.SUCCEEDED
    assert (found["object"], found["id"]) == (at_stripe.type.name, settled.stripe_id)
    assert found["id"].startswith(at_stripe.type.id_prefixes)
    assert payment_id_in(found) == settled.id
    assert type_of_id(found["id"]) is at_stripe.type
    assert object_outcome(Kind(settled.kind), found) is Status.SUCCEEDED
    assert ids_in(settled.kind, found) == stored_ids(settled)


def test_the_object_of_a_kind_is_in_its_list(settled, keys):
    at_stripe = KINDS[settled.kind]

    listed = list(gateway.list_all(keys, at_stripe.type.path, at_stripe.list_params))

    [found] = [found for found in listed if found["id"] == settled.stripe_id]
    assert payment_id_in(found) == settled.id
    assert ids_in(settled.kind, found) == stored_ids(settled)


def test_the_object_of_a_kind_is_in_its_list_narrowed_by_its_request(settled, keys):
    at_stripe = KINDS[settled.kind]
    requested = settled.request["calls"][0]["params"]
    narrowed = {name: requested[name] for name in [at_stripe.narrowed_by] if name}

    listed = gateway.list_all(keys, at_stripe.type.path, {**at_stripe.list_params, **narrowed})

    assert settled.stripe_id in [found["id"] for found in listed]


def test_a_canceled_subscription_is_listed_too(keys, stripe):
    use_monthly_price(stripe)
    payment = subscribe(BOT, Subscription(), idempotency_key="order-1").payment
    stripe.client.subscriptions.cancel(payment.stripe_id)
    subscription = KINDS[Kind.SUBSCRIPTION]

    listed = gateway.list_all(keys, subscription.type.path, subscription.list_params)

    assert [(found["id"], found["status"]) for found in listed] == [(payment.stripe_id, "canceled")]


@pytest.mark.parametrize(
    ("stripe_id", "expected"),
    [
        ("pi_1", kinds.PAYMENT_INTENT),
        ("ch_1", kinds.CHARGE),
        ("py_1", kinds.CHARGE),
        ("in_1", kinds.INVOICE),
        ("cus_1", kinds.CUSTOMER),
        ("sub_1", kinds.SUBSCRIPTION),
        ("re_1", kinds.REFUND),
        ("pyr_1", kinds.REFUND),
        ("cs_live_1", kinds.CHECKOUT_SESSION),
        ("ii_1", None),
        ("dp_1", None),
        ("pi", None),
        ("", None),
    ],
)
def test_an_id_says_by_its_prefix_what_it_is_of(stripe_id, expected):
    assert type_of_id(stripe_id) is expected


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"metadata": None},
        {"metadata": {}},
        {"metadata": {"payment_id": "order-1"}},
        {"metadata": {"payment_id": None}},
    ],
)
def test_an_object_that_names_no_payment_belongs_to_none(found):
    assert payment_id_in(found) is None
