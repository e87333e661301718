"""The pages of payments."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from routing.admin.payments import payments
from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.payments.states import Status

pytestmark = pytest.mark.django_db

LIST = "/admin/routing/payment/"


def _listed(client, **query: str) -> set[str]:
    return {str(payment.pk) for payment in client.get(LIST, query).context["cl"].result_list}


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [(123450, "usd", "1,234.50 USD"), (500, "jpy", "500 JPY"), (1230, "kwd", "1.230 KWD"), (50000, "ugx", "500 UGX")],
)
def test_an_amount_is_written_as_its_currency_is(finance, payment, minor, currency, shown):
    payment(amount_minor=minor, currency=currency)

    assert f">{shown}<" in finance.get(LIST).content.decode()


def test_the_list_says_its_statuses_in_words(finance, payment):
    payment(status=Status.UNKNOWN, settled_at=None)

    assert '<span class="badge badge-warning">Unknown</span>' in finance.get(LIST).content.decode()


def test_new_customers_are_left_out_unless_asked_for(finance, payment):
    charge = payment()
    customer = payment(kind=Kind.CUSTOMER, amount_minor=None, currency="")

    assert _listed(finance) == {str(charge.pk)}
    assert _listed(finance, kind="customer") == {str(customer.pk)}
    assert _listed(finance, kind="all") == {str(charge.pk), str(customer.pk)}


def test_a_period_is_a_day_or_a_month_in_utc(finance, payment):
    now = datetime.now(UTC)
    today = payment()
    long_ago = payment(created_at=now.replace(day=1) - timedelta(days=40))

    assert _listed(finance, period="today") == {str(today.pk)}
    assert _listed(finance, period=f"{long_ago.created_at:%Y-%m}") == {str(long_ago.pk)}
    assert len(_listed(finance, period="nonsense")) == 2


@pytest.mark.parametrize(
    "column", ["id", "payment_intent_id", "charge_id", "invoice_id", "customer_id", "idempotency_key", "bot"]
)
def test_a_payment_is_found_by_every_id_that_it_has(finance, payment, column):
    wanted = payment(
        payment_intent_id="pi_W", charge_id="ch_W", invoice_id="in_W", customer_id="cus_W", bot="stripe:support:other"
    )
    payment()

    assert _listed(finance, q=str(getattr(wanted, column))) == {str(wanted.pk)}


def test_a_payment_page_says_what_happened(finance, payment):
    declined = payment(
        status=Status.DECLINED,
        payment_intent_id="pi_3OaBcDeFgHiJkLmN",
        overrides={"business": "enterprise"},
        error={"message": "Your card has insufficient funds.", "decline_code": "insufficient_funds"},
    )

    page = finance.get(reverse("admin:routing_payment_change", args=[declined.pk])).content.decode()

    for words in (
        "1,234.50 USD",
        "Your card has insufficient funds.",
        "business=enterprise",
        "pi_3OaBcDeFgHiJkLmN",
        "No money moved",
        "off session",
    ):
        assert words in page
    assert "{&#x27;" not in page
    assert "dashboard.stripe.com" not in page


@pytest.mark.parametrize(
    ("minor", "label", "amount"), [(1000, "Partially refunded", "10.00 USD"), (123450, "Refunded", "1,234.50 USD")]
)
def test_a_refunded_payment_says_so_as_the_dashboard_does(finance, payment, minor, label, amount):
    charge = payment(amount_refunded_minor=minor)

    page = finance.get(reverse("admin:routing_payment_change", args=[charge.pk])).content.decode()

    assert f">{label}</span>" in page
    assert f">{amount}<" in page
    assert all(f">{label}</span>" in finance.get(url).content.decode() for url in (LIST, "/admin/"))


@pytest.mark.parametrize(("given", "label"), [({"is_disputed": True}, "Disputed"), ({"is_reversed": True}, "Failed")])
def test_what_happened_after_a_payment_succeeded_is_its_status(finance, payment, given, label):
    payment(**given)

    page = finance.get(LIST).content.decode()

    assert f">{label}</span>" in page
    assert ">Succeeded</span>" not in page


def test_a_refund_links_to_the_payment_that_it_refunds(finance, payment):
    charge = payment()
    refund = payment(kind=Kind.REFUND, amount_minor=1000, refund_of=charge)

    page = finance.get(reverse("admin:routing_payment_change", args=[refund.pk])).content.decode()

    assert f'href="/admin/routing/payment/{charge.pk}/change/">Charge {charge.pk}</a>' in page


def test_metadata_keeps_its_keys(finance, payment):
    charge = payment(metadata={"order_ref": "4711"})

    page = finance.get(reverse("admin:routing_payment_change", args=[charge.pk])).content.decode()

    assert "<dt>order_ref</dt><dd>4711</dd>" in page


def test_outside_the_sandbox_a_payment_links_to_stripe(finance, payment, settings):
    settings.IS_SANDBOX = False
    charge = payment(payment_intent_id="pi_3OaBcDeFgHiJkLmN")

    page = finance.get(reverse("admin:routing_payment_change", args=[charge.pk])).content.decode()

    assert 'href="https://dashboard.stripe.com/payments/pi_3OaBcDeFgHiJkLmN"' in page


@pytest.mark.parametrize("page", ["add", "change", "delete"])
def test_not_even_a_superuser_changes_the_ledger(finance, payment, page):
    charge = payment()
    address = reverse(f"admin:routing_payment_{page}", args=[] if page == "add" else [charge.pk])

    answer = finance.post(address, {"status": "declined", "post": "yes"})

    assert answer.status_code == 403
    assert Payment.objects.get().status == Status.SUCCEEDED


def test_a_long_ledger_costs_as_many_queries_as_a_short_one(finance, payment, django_assert_max_num_queries):
    for _ in range(60):
        payment()

    with django_assert_max_num_queries(12) as queries:
        finance.get(LIST)

    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT 10000" in sql for sql in counts)


def test_a_list_that_is_cut_off_says_so(finance, payment, monkeypatch):
    monkeypatch.setattr(payments, "_MAX_COUNTED", 2)
    for _ in range(3):
        payment()

    assert "Only the first 2 are listed." in finance.get(LIST).content.decode()


def test_an_empty_ledger_says_when_something_will_appear(finance):
    assert "No payment has been made yet." in finance.get(LIST).content.decode()


def test_a_search_without_a_hit_offers_a_way_back(finance, payment):
    payment()

    assert "Show all payments" in finance.get(LIST, {"q": secrets.token_hex(8)}).content.decode()
