"""Finding payments by the IDs that the ledger has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User

from routing.admin.search import search
from routing.payments.kinds import LEDGER_TYPES, Kind
from routing.payments.ledger.models import Payment
from routing.payments.settlement.reviews import _id_column

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db

ID_PREFIXES = [prefix for stripe_type in LEDGER_TYPES.values() for prefix in stripe_type.id_prefixes]


def _listed(client, term: str) -> set[str]:
    page = client.get("/admin/routing/payment/", {"q": term, "kind": "all"})
    return {str(payment.pk) for payment in page.context["cl"].result_list}


def _links(rf, term: str) -> list[str]:
    request = rf.get("/admin/search/", {"s": term})
    request.user = User.objects.get()
    return [result.link for result in search(request, term.lower())]


@pytest.fixture
def review(payment: Callable[..., Payment]) -> Callable[[Kind, str], str]:
    """Make a payment of a kind with the ID, in the column where a review puts it; return the payment's own."""

    def settle(kind: Kind, stripe_id: str) -> str:
        refund_of = payment() if kind is Kind.REFUND else None
        reviewed = payment(kind=kind, refund_of=refund_of)
        Payment.objects.filter(pk=reviewed.pk).update(**_id_column(reviewed, stripe_id))
        return str(reviewed.pk)

    return settle


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.RENEWAL])  # which always has its invoice
def test_the_id_that_a_review_stores_is_found(finance, rf, review, kind):
    for prefix in ID_PREFIXES:
        stripe_id = f"{prefix}Review1"

        pk = review(kind, stripe_id)

        assert _listed(finance, stripe_id) == {pk}
        assert _links(rf, stripe_id) == [f"/admin/routing/payment/{pk}/change/"]


@pytest.mark.parametrize("kind", Kind)
def test_an_id_with_an_unknown_prefix_is_found_too(finance, payment, review, kind):
    payment()

    pk = review(kind, "novel_1")

    assert _listed(finance, "novel_1") == {pk}


def test_a_customers_id_finds_its_payments_and_the_payment_that_created_it(finance, payment):
    created = payment(kind=Kind.CUSTOMER, amount_minor=None, currency="", customer_id="", object_id="cus_New1")
    charged = payment(customer_id="cus_New1")
    payment(customer_id="cus_Other1")

    assert _listed(finance, "cus_New1") == {str(created.pk), str(charged.pk)}


@pytest.mark.parametrize("column", ["stripe_request_id", "price_id", "product_id", "account_id"])
def test_the_ids_of_the_route_the_request_and_the_account_are_found(finance, payment, column):
    ids = {"stripe_request_id": "req_1", "price_id": "price_X1", "product_id": "prod_X1", "account_id": "acct_X1"}
    wanted = payment(**ids)
    payment()

    assert _listed(finance, ids[column]) == {str(wanted.pk)}


@pytest.mark.parametrize(
    "address",
    [
        "/admin/routing/payment/?currency=%00",
        "/admin/routing/discrepancy/?domain=%00",
        "/admin/search/?s=%00",
        "/admin/autocomplete/?term=%00&app_label=routing&model_name=route&field_name=bot",
    ],
)
def test_an_address_with_a_nul_is_refused_with_a_sentence(finance, address):
    page = finance.get(address)

    assert page.status_code == 400
    assert "contains a NUL character (%00)" in page.content.decode()
