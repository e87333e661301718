"""The pages of discrepancies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from routing.payments.settlement import discrepancies
from routing.payments.settlement.models import Discrepancy

pytestmark = pytest.mark.django_db

LIST = "/admin/routing/discrepancy/"


@pytest.fixture
def bypass() -> Discrepancy:
    said = {"object": "payment_intent", "amount": 4200, "currency": "usd", "customer": "cus_A1", "status": "succeeded"}
    return Discrepancy.objects.create(
        kind=Discrepancy.Kind.BYPASS, domain="stripe", stripe_id="pi_around", details={"stripe": said}
    )


@pytest.fixture
def different(payment) -> Discrepancy:
    return Discrepancy.objects.create(
        kind=Discrepancy.Kind.DIFFERENT,
        domain="stripe",
        stripe_id="pi_B2",
        payment=payment(),
        details={"amount": {"ledger": 123450, "stripe": 99900}},
        found_at=datetime.now(UTC) - timedelta(days=2),
    )


def page(discrepancy: Discrepancy) -> str:
    return f"{LIST}{discrepancy.pk}/change/"


def text(response) -> str:
    return response.content.decode()


def test_the_list_has_what_is_open_first_in_plain_words(finance, bypass, different):
    discrepancies.clear(bypass, by="ada", remark="A test.")

    response = finance.get(LIST)

    assert [row.pk for row in response.context["cl"].result_list] == [different.pk, bypass.pk]
    assert "amount is 1234.50 USD in the ledger and 999.00 USD at Stripe" in text(response)
    assert "the payment pi_around (succeeded, 42.00 USD, cus_A1)" in text(response)


@pytest.mark.parametrize(("chosen", "kind"), [("1", "different"), ("0", "bypass")])
def test_the_list_can_be_narrowed_to_what_is_open_or_cleared(finance, bypass, different, chosen, kind):
    discrepancies.clear(bypass, by="ada", remark="A test.")

    response = finance.get(LIST, {"cleared_at__isempty": chosen})

    assert [row.kind for row in response.context["cl"].result_list] == [kind]


def test_a_page_says_what_to_do_and_shows_both_sides_and_the_payment(finance, different):
    shown = text(finance.get(page(different)))

    assert "Compare both sides in the Stripe Dashboard." in shown
    assert '<td data-label="Ledger">1234.50 USD</td><td data-label="Stripe">999.00 USD</td>' in shown
    assert f'href="/admin/routing/payment/{different.payment_id}/change/"' in shown


def test_it_is_cleared_with_a_remark_in_the_persons_name_and_stays(finance, bypass):
    response = finance.post(page(bypass), {"remark": "Ada tested her card."}, follow=True)

    assert response.status_code == 200
    bypass.refresh_from_db()
    assert (bypass.remark, bypass.cleared_by) == ("Ada tested her card.", "finance")
    assert bypass.cleared_at is not None
    assert "Ada tested her card." in text(finance.get(page(bypass)))
    assert bypass.pk in [row.pk for row in finance.get(LIST).context["cl"].result_list]


@pytest.mark.parametrize("remark", ["", "   "])
def test_it_is_not_cleared_without_a_remark(finance, bypass, remark):
    response = finance.post(page(bypass), {"remark": remark})

    assert "This field is required." in text(response)
    bypass.refresh_from_db()
    assert bypass.cleared_at is None


def test_what_is_cleared_cannot_be_changed_or_cleared_again(finance, bypass):
    discrepancies.clear(bypass, by="ada", remark="First.")

    response = finance.post(page(bypass), {"remark": "Second."})

    assert response.status_code == 403
    assert not discrepancies.clear(bypass, by="bob", remark="Third.")
    assert Discrepancy.objects.get().remark == "First."


def test_nobody_can_delete_or_add_one(finance, bypass):
    assert finance.post(f"{LIST}{bypass.pk}/delete/", {"post": "yes"}).status_code == 403
    assert finance.post(f"{LIST}add/").status_code == 403


def test_who_may_only_look_cannot_clear(viewer, bypass):
    assert viewer.get(page(bypass)).status_code == 200
    assert viewer.post(page(bypass), {"remark": "Cleared."}).status_code == 403
