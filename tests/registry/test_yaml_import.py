"""Importing routes into a real database: the plan, all or nothing, and nobody in between."""

from __future__ import annotations

import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction

from routing.registry import lock
from routing.registry.models import Bot, Category, Domain, Override, Region, RegistryHead, Route

ROUTE = "product_id: prod_a, price_id: price_a, customer_id: cus_a"
FILE = f"""
stripe:
  default:
    finance:
      bot:
        {{{ROUTE}, overrides: {{business: {{enterprise: {{price_id: price_big}}}}}}}}
  eu:
    finance:
      bot: {{{ROUTE}, currency: eur}}
"""
PLANNED = """
stripe:
  default:
    finance:
      bot:
        periods:
          - {product_id: prod_a, price_id: price_a, customer_id: cus_a, valid_until: MOMENT}
          - {product_id: prod_a, price_id: price_b, customer_id: cus_a, valid_from: MOMENT}
"""


@pytest.fixture
def routes(tmp_path, registry):
    """Import the text of a file, and return what was said."""

    def import_routes(content: str, *options: str) -> str:
        path, out = tmp_path / "routes.yaml", StringIO()
        path.write_text(content)
        call_command("import_routes", str(path), *options, stdout=out, stderr=out)
        return out.getvalue()

    return import_routes


@pytest.fixture
def refused(tmp_path, registry):
    """Import the text of a file that must be refused, and return what was said."""

    def import_refused(content: str, *options: str) -> str:
        path, out, version = tmp_path / "refused.yaml", StringIO(), head()
        path.write_text(content)
        with pytest.raises(CommandError) as refusal:
            call_command("import_routes", str(path), *options, stdout=out, stderr=out)
        assert head() == version
        return f"{out.getvalue()}{refusal.value}"

    return import_refused


def head() -> int:
    return RegistryHead.objects.get().version


def prices() -> dict[str, str]:
    return {
        f"{route.bot} {route.region} {route.valid_from or ''}".strip(): route.price_id
        for route in Route.objects.select_related("bot__domain", "bot__category", "region")
    }


def test_an_import_creates_what_the_file_names(routes):
    said = routes(FILE)

    assert prices() == {"stripe:finance:bot default": "price_a", "stripe:finance:bot eu": "price_a"}
    assert Route.objects.get(region__slug="eu").currency == "eur"
    assert str(Override.objects.get()) == "business=enterprise for stripe:finance:bot in default"
    assert said.splitlines() == [
        "+ stripe/default/finance/bot  product_id: prod_a, price_id: price_a, customer_id: cus_a, currency: usd",
        "+ stripe/default/finance/bot business=enterprise  price_id: price_big",
        "+ stripe/eu/finance/bot  product_id: prod_a, price_id: price_a, customer_id: cus_a, currency: eur",
        "3 added, 0 changed, 0 removed.",
        f"Done. The registry is at version {head()}.",
    ]


def test_a_second_import_of_the_same_file_writes_nothing(routes):
    routes(FILE)
    version = head()

    said = routes(FILE)

    assert head() == version
    assert "Nothing to do" in said


def test_a_change_says_from_what_to_what_and_keeps_the_row(routes):
    routes(FILE)
    before = Route.objects.get(region__slug="eu").pk

    said = routes(FILE.replace("currency: eur", "currency: gbp").replace("price_big", "price_new"))

    assert "~ stripe/eu/finance/bot  currency: eur → gbp\n" in said
    assert "~ stripe/default/finance/bot business=enterprise  price_id: price_big → price_new\n" in said
    assert Route.objects.get(currency="gbp").pk == before


def test_a_dry_run_says_the_plan_and_changes_nothing(routes):
    routes(FILE)
    version = head()

    said = routes(FILE.replace("price_a", "price_b"), "--dry-run", "--prune")

    assert "~ stripe/eu/finance/bot  price_id: price_a → price_b\n" in said
    assert "This was a dry run: nothing was changed." in said
    assert head() == version


def test_what_the_file_does_not_have_stays_and_is_counted(routes):
    routes(FILE)

    said = routes(f"stripe: {{us: {{finance: {{bot: {{{ROUTE}}}}}}}}}")

    assert "in the registry that are not in the file: 3. They are kept." in said
    assert Route.objects.count() == 3


def test_prune_removes_the_rest_of_the_domain_and_what_is_left_empty(routes):
    routes(FILE)
    routes(f"other: {{asia: {{sales: {{bot: {{{ROUTE}}}}}}}}}", "--create-domains")
    stripe, unused = Domain.objects.get(slug="stripe"), Category.objects.create(slug="idle")
    idle = Bot.objects.create(domain=stripe, category=unused, name="idle")

    said = routes(f"stripe: {{us: {{sales: {{bot: {{{ROUTE}}}}}}}}}", "--prune")

    assert prices() == {"stripe:sales:bot us": "price_a", "other:sales:bot asia": "price_a"}
    assert Override.objects.count() == 0
    assert {str(bot) for bot in Bot.objects.all()} == {"stripe:sales:bot", "other:sales:bot", str(idle)}
    assert set(Category.objects.values_list("slug", flat=True)) == {"sales", "idle"}
    assert set(Region.objects.values_list("slug", flat=True)) == {"default", "us", "asia"}
    assert "- the bot stripe:finance:bot, which has no rules left\n" in said
    assert "- the region eu, which has no rules left\n" in said


def test_prune_keeps_the_categories_and_regions_that_another_domain_uses(routes):
    routes(FILE)
    routes(f"other: {{eu: {{finance: {{bot: {{{ROUTE}}}}}}}}}", "--create-domains")

    routes(f"stripe: {{us: {{sales: {{bot: {{{ROUTE}}}}}}}}}", "--prune")

    assert prices() == {"stripe:sales:bot us": "price_a", "other:finance:bot eu": "price_a"}


def test_periods_can_trade_places_and_move(routes):
    routes(PLANNED.replace("MOMENT", "2027-01-01T00:00:00Z"))

    said = routes(PLANNED.replace("MOMENT", "2027-03-01T00:00:00Z"))

    assert "valid_from: 2027-01-01T00:00:00Z → 2027-03-01T00:00:00Z\n" in said
    assert prices() == {
        "stripe:finance:bot default": "price_a",
        "stripe:finance:bot default 2027-03-01 00:00:00+00:00": "price_b",
    }


def test_a_period_that_meets_one_that_the_file_does_not_name_is_refused_but_for_prune(routes, refused):
    routes(PLANNED.replace("MOMENT", "2027-01-01T00:00:00Z"))
    plain = f"stripe: {{default: {{finance: {{bot: {{{ROUTE}}}}}}}}}"

    said = refused(plain)
    routes(plain, "--prune")

    assert (
        "line 1, column 30: The registry has a period of stripe/default/finance/bot that overlaps one in the file"
        in said
    )
    assert prices() == {"stripe:finance:bot default": "price_a"}


def test_an_unknown_domain_is_refused_where_it_stands_unless_it_is_to_be_created(routes, refused):
    content = f"stripe: {{eu: {{a: {{b: {{{ROUTE}}}}}}}}}\nstripo: {{eu: {{a: {{b: {{{ROUTE}}}}}}}}}"

    said = refused(content)
    routes(content, "--create-domains")

    assert "line 2, column 1: The domain 'stripo' is not registered." in said
    assert Domain.objects.filter(slug="stripo").exists()


def test_every_problem_is_said_at_once_with_its_place_and_nothing_changes(refused):
    bots = "".join(f"      bot_{number}: {{{ROUTE}, colour: red}}\n" for number in range(150))

    said = refused(f"stripe:\n  eu:\n    finance:\n{bots}nowhere:\n  eu:\n    a:\n      b: {{{ROUTE}}}\n").splitlines()

    assert said[0].startswith("line 4, column ")
    assert said[99].startswith("line 103, column ")
    assert said[100] == "… and 51 more."
    assert said[101].endswith("refused.yaml: 151. Nothing was changed.")


def test_an_empty_file_is_refused_and_removes_nothing(routes, refused):
    routes(FILE)

    said = refused("", "--prune")

    assert "The file is empty." in said
    assert Route.objects.count() == 2


def test_a_file_that_is_not_there_is_said_in_a_sentence(registry):
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_routes", "nowhere.yaml")


def test_a_rule_of_the_database_alone_refuses_the_routes_by_name_and_undoes_the_rest(refused):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE routing_route ADD CONSTRAINT local_rule CHECK (currency <> 'eur')")

    said = refused(FILE)

    assert "The database refuses stripe/eu/finance/bot (" in said
    assert "local_rule" in said
    assert "stripe/default/finance/bot (" not in said
    assert Bot.objects.count() == 0


def test_a_long_plan_is_counted_and_a_long_file_shows_its_progress(routes):
    bots = "".join(f"      bot_{number}: {{{ROUTE}, currency: usd}} #{'.' * 150}\n" for number in range(5200))

    said = routes(f"stripe:\n  eu:\n    finance:\n{bots}")

    assert "+ … and 5,150 more\n5,200 added, 0 changed, 0 removed." in said
    assert "Reading: 0 %\n" in said
    assert "Writing: 90 %\nWriting: 100 %\n" in said
    assert Route.objects.count() == 5200


@pytest.mark.django_db(transaction=True)
def test_an_import_waits_for_an_edit_and_plans_from_what_it_left(routes):
    routes(FILE)
    edited, finish = threading.Event(), threading.Event()

    def edit() -> None:
        with transaction.atomic():
            Route.objects.filter(region__slug="eu").update(currency="gbp")
            edited.set()
            finish.wait(5)
        connections.close_all()

    editor = threading.Thread(target=edit)
    editor.start()
    edited.wait(5)
    threading.Timer(0.3, finish.set).start()
    said = routes(FILE)
    editor.join()

    assert "~ stripe/eu/finance/bot  currency: gbp → eur\n" in said
    assert Route.objects.get(region__slug="eu").currency == "eur"


@pytest.mark.django_db(transaction=True)
def test_an_import_gives_up_when_somebody_does_not_let_go(refused, held_registry, monkeypatch):
    monkeypatch.setattr(lock, "_TIMEOUT_SECONDS", 0.2)

    said = refused(FILE)

    assert "Somebody else is changing the registry. Nothing was changed" in said
