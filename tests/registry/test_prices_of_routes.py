"""A route whose price is sold in other currencies is refused where Stripe can be asked, and taken where it cannot."""

from __future__ import annotations

import time
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from routing.payments.stripe_api import prices
from routing.registry.models import Route
from tests.bot_tokens import token_for_everything

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bot")]


@pytest.fixture(autouse=True)
def _prices(stripe: Any) -> None:
    prices._cache.clear()
    stripe.control.seed_price(stripe.account, "price_eur", product="prod_finance_router", currency="eur")


def register(price: str, **currency: str) -> Any:
    route = {"product_id": "prod_A", "price_id": price, "customer_id": "cus_new", **currency}
    body = {"business_category": "finance", "bot_name": "newcomer", "route": route}
    headers = {"Authorization": f"Bearer {token_for_everything()}"}
    return Client().put("/api/v1/routes", body, "application/json", headers=headers)


def imported(tmp_path: Path, text: str) -> str:
    file = tmp_path / "routes.yaml"
    file.write_text(text)
    errors = StringIO()
    try:
        call_command("import_routes", file, stdout=StringIO(), stderr=errors)
    except CommandError as error:
        return f"{errors.getvalue()}{error}"
    return ""


def file(price: str, currency: str = "") -> str:
    return (
        "stripe:\n  default:\n    finance:\n      newcomer:\n        product_id: prod_A\n"
        f"        price_id: {price}\n        customer_id: cus_new\n" + currency
    )


def test_the_api_refuses_a_price_that_is_sold_in_another_currency():
    refused = register("price_eur")

    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    assert "The price price_eur is sold in EUR, and the route is in USD." in refused.json()["detail"]
    assert register("price_eur", currency="eur").status_code == 201
    assert Route.objects.get(bot__name="newcomer").currency == "eur"


def test_an_import_names_the_line_of_such_a_route(tmp_path):
    problems = imported(tmp_path, file("price_eur"))

    assert "line 4" in problems or "line 5" in problems
    assert "The price price_eur is sold in EUR, and the route is in USD." in problems
    assert not Route.objects.filter(bot__name="newcomer").exists()
    assert imported(tmp_path, file("price_eur", "        currency: eur\n")) == ""


def test_a_price_that_stripe_does_not_know_is_taken(tmp_path):
    assert register("price_of_tomorrow").status_code == 201
    assert imported(tmp_path, file("price_of_the_day_after")) == ""


def test_where_stripe_cannot_be_asked_the_route_is_taken_without_waiting_for_each(stripe, tmp_path):
    stripe.control.fault("reset_before", path="/v1/prices/*", count=None)
    began = time.monotonic()

    assert register("price_eur").status_code == 201
    many = file("price_eur") + "".join(
        f"      newcomer{number}:\n        product_id: prod_A\n        price_id: price_{number}\n"
        f"        customer_id: cus_{number}\n"
        for number in range(50)
    )
    assert imported(tmp_path, many) == ""
    assert time.monotonic() - began < 30


def test_without_a_key_the_route_is_taken(monkeypatch, tmp_path):
    from routing.keys import reset_keyring

    monkeypatch.delenv("STRIPE_SECRET_KEY")
    reset_keyring()

    assert register("price_eur").status_code == 201
    assert imported(tmp_path, file("price_eur")) == ""
