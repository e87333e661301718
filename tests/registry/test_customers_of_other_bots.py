"""A route is no way to charge the customer of another bot: the API refuses it, and a person is asked."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from routing.access.tokens import issue
from routing.registry.models import Bot, Category, Domain, Override, Region, Route
from tests.payments.threads import at_once

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _two_bots(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = False
    domain, _ = Domain.objects.get_or_create(slug="stripe")
    region, _ = Region.objects.get_or_create(slug="default")
    category = Category.objects.create(slug="finance")
    for name in ("invoicer", "other"):
        bot = Bot.objects.create(domain=domain, category=category, name=name)
        Route.objects.create(
            bot=bot, region=region, product_id="prod_A", price_id="price_A", customer_id=f"cus_of_{name}"
        )


def put(bot: str, customer: str, path: str = "routes", *, speaks_for: list[str] | None = None, **more: Any) -> Any:
    own = f"{more.get('domain', 'stripe')}:finance:{bot}"
    token = issue("registrar", speaks_for or [own], ["routes:write"])
    ids = (
        {"customer_id": customer} if more else {"product_id": "prod_A", "price_id": "price_A", "customer_id": customer}
    )
    body = {"business_category": "finance", "bot_name": bot, "route": ids, **more}
    return Client().put(f"/api/v1/{path}", body, "application/json", headers={"Authorization": f"Bearer {token}"})


def test_the_api_refuses_the_customer_of_another_bot():
    for answer in (
        put("invoicer", "cus_of_other"),
        put("newcomer", "cus_of_other"),
        put("invoicer", "cus_of_other", "overrides", key="tier", value="gold"),
    ):
        assert answer.status_code == 403
        assert "is another bot's" in answer.json()["detail"]
        assert "other" not in answer.json()["detail"].replace("another", "").replace("cus_of_other", "")

    assert not Route.objects.filter(customer_id="cus_of_other").exclude(bot__name="other").exists()
    assert not Override.objects.exists()
    assert not Bot.objects.filter(name="newcomer").exists()


def test_the_api_takes_a_customer_of_the_bots_own_and_of_nobodys():
    assert put("invoicer", "cus_of_invoicer").status_code == 200
    assert put("invoicer", "cus_new").status_code == 200
    assert put("newcomer", "cus_newer").status_code == 201


def test_a_token_that_speaks_for_both_bots_may_name_the_customer():
    """It can charge the customer anyway, as the other bot."""
    both = ["stripe:finance:invoicer", "stripe:finance:other"]

    assert put("invoicer", "cus_of_other", speaks_for=both).status_code == 200
    assert put("newcomer", "cus_of_other", speaks_for=["stripe:finance:newcomer", *both]).status_code == 201


def test_of_many_bots_that_name_a_customer_at_once_one_gets_it():
    answers = at_once(lambda number: put(f"bot_{number}", "cus_wanted").status_code, range(6))

    assert sorted(answers) == [201, 403, 403, 403, 403, 403]
    assert Route.objects.filter(customer_id="cus_wanted").count() == 1


def test_the_same_name_in_another_domain_is_another_customer():
    Domain.objects.create(slug="shop")

    assert put("invoicer", "cus_of_other", domain="shop").status_code in {200, 201, 400}


def route_form(client: Client, **changed: str) -> tuple[str, dict[str, str]]:
    route = Route.objects.get(bot__name="invoicer")
    address = reverse("admin:routing_route_change", args=[route.pk])
    sent: dict[str, str] = {}
    for field in client.get(address).context["adminform"].form:
        value = field.value()
        if hasattr(field.field.widget, "decompress"):
            sent |= {
                f"{field.html_name}_{n}": part or "" for n, part in enumerate(field.field.widget.decompress(value))
            }
        elif value not in (None, False):
            sent[field.html_name] = str(value)
    return address, sent | changed


def test_the_admin_asks_before_it_saves_the_customer_of_another_bot():
    client = Client()
    client.force_login(User.objects.create_superuser("finance"))
    address, sent = route_form(client, customer_id="cus_of_other")

    question = client.post(address, sent).content.decode()
    before = Route.objects.get(bot__name="invoicer").customer_id
    client.post(address, sent | {"confirmed": "yes"})

    assert "Charge the customer of another bot?" in question
    assert "cus_of_other, for stripe:finance:invoicer: also the customer of stripe:finance:other" in question
    assert '<input type="hidden" name="customer_id" value="cus_of_other">' in question
    assert before == "cus_of_invoicer"
    assert Route.objects.get(bot__name="invoicer").customer_id == "cus_of_other"


def test_the_admin_does_not_ask_about_what_stays():
    Route.objects.update(customer_id="cus_shared")
    client = Client()
    client.force_login(User.objects.create_superuser("finance"))
    address, sent = route_form(client, price_id="price_B")

    assert client.post(address, sent).status_code == 302
    assert Route.objects.get(bot__name="invoicer").price_id == "price_B"


def test_an_import_warns(tmp_path: Path):
    exported, errors = tmp_path / "routes.yaml", StringIO()
    call_command("export_routes", exported)
    exported.write_text(exported.read_text().replace("cus_of_invoicer", "cus_of_other"))

    call_command("import_routes", exported, stdout=StringIO(), stderr=errors)

    assert errors.getvalue() == (
        "Warning: cus_of_other, for stripe:finance:invoicer: also the customer of stripe:finance:other.\n"
    )


def test_the_currency_of_a_new_route_is_asked_for():
    client = Client()
    client.force_login(User.objects.create_superuser("finance"))

    form = client.get(reverse("admin:routing_route_add")).context["adminform"].form

    assert form["currency"].value() in (None, "")
    assert form.fields["currency"].choices[0] == ("", "Choose")


@pytest.mark.parametrize(
    "ids",
    [
        {"price_id": "plan_H2huntABCDEF12"},
        {"price_id": "gold-monthly"},
        {"product_id": "gold"},
        {"customer_id": "acme-42"},
    ],
)
def test_ids_of_old_accounts_are_taken(ids):
    token = issue("registrar", ["stripe:finance:invoicer"], ["routes:write"])
    route = {"product_id": "prod_A", "price_id": "price_A", "customer_id": "cus_new"} | ids
    body = {"business_category": "finance", "bot_name": "invoicer", "route": route}
    answer = Client().put("/api/v1/routes", body, "application/json", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 200
    assert Route.objects.get(bot__name="invoicer").price_id == route["price_id"]


@pytest.mark.parametrize(
    "ids",
    [
        {"price_id": "prod_A"},
        {"product_id": "price_A"},
        {"customer_id": "acct_1"},
        {"customer_id": "sub_1"},
        {"price_id": "../customers"},
        {"price_id": "a b"},
        {"price_id": ""},
    ],
)
def test_an_id_of_something_else_is_refused(ids):
    token = issue("registrar", ["stripe:finance:invoicer"], ["routes:write"])
    route = {"product_id": "prod_A", "price_id": "price_A", "customer_id": "cus_new"} | ids
    body = {"business_category": "finance", "bot_name": "invoicer", "route": route}
    answer = Client().put("/api/v1/routes", body, "application/json", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 400
    assert "is not the ID of a" in answer.json()["detail"] or "may not be blank" in answer.json()["detail"]
