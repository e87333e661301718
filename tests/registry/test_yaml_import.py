"""Importing routes into a real database: the plan, all or nothing, and nobody in between."""

from __future__ import annotations

import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction

from routing.registry import lock
from routing.registry.models import Bot, Category, Domain, Override, Region, RegistryHead, Route
from tests.database_roles import as_administrator

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
    """Import the text of a file, and return its output."""

    def import_routes(content: str, *options: str) -> str:
        path, out = tmp_path / "routes.yaml", StringIO()
        path.write_text(content)
        call_command("import_routes", str(path), *options, stdout=out, stderr=out)
        return out.getvalue()

    return import_routes


@pytest.fixture
def refused(tmp_path, registry):
    """Import the text of a file that must be refused, and return its output."""

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


def test_an_import_creates_everything_in_the_file(routes):
    output = routes(FILE)

    assert prices() == {"stripe:finance:bot default": "price_a", "stripe:finance:bot eu": "price_a"}
    assert Route.objects.get(region__slug="eu").currency == "eur"
    assert str(Override.objects.get()) == "business=enterprise for stripe:finance:bot in default"
    assert output.splitlines() == [
        "+ stripe/default/finance/bot  product_id: prod_a, price_id: price_a, customer_id: cus_a, currency: usd",
        "+ stripe/default/finance/bot business=enterprise  price_id: price_big",
        "+ stripe/eu/finance/bot  product_id: prod_a, price_id: price_a, customer_id: cus_a, currency: eur",
        "3 added, 0 changed, 0 removed.",
        f"Done. The registry is at version {head()}.",
    ]


def test_a_second_import_of_the_same_file_writes_nothing(routes):
    routes(FILE)
    version = head()

    output = routes(FILE)

    assert head() == version
    assert "Nothing to do" in output


def test_a_change_shows_both_values_and_keeps_the_row(routes):
    routes(FILE)
    before = Route.objects.get(region__slug="eu").pk

    output = routes(FILE.replace("currency: eur", "currency: gbp").replace("price_big", "price_new"))

    assert "~ stripe/eu/finance/bot  currency: eur → gbp\n" in output
    assert "~ stripe/default/finance/bot business=enterprise  price_id: price_big → price_new\n" in output
    assert Route.objects.get(currency="gbp").pk == before


def test_a_dry_run_prints_the_plan_and_changes_nothing(routes):
    routes(FILE)
    version = head()

    output = routes(FILE.replace("price_a", "price_b"), "--dry-run", "--prune")

    assert "~ stripe/eu/finance/bot  price_id: price_a → price_b\n" in output
    assert "This was a dry run: nothing was changed." in output
    assert head() == version


def test_whatever_is_not_in_the_file_is_kept_and_counted(routes):
    routes(FILE)

    output = routes(f"stripe: {{us: {{finance: {{bot: {{{ROUTE}}}}}}}}}")

    assert "in the registry that are not in the file: 3. They are kept." in output
    assert Route.objects.count() == 3


def test_prune_removes_the_rest_of_the_domain_and_what_is_unused_then(routes):
    routes(FILE)
    routes(f"other: {{asia: {{sales: {{bot: {{{ROUTE}}}}}}}}}", "--create-domains")
    stripe, unused = Domain.objects.get(slug="stripe"), Category.objects.create(slug="idle")
    idle = Bot.objects.create(domain=stripe, category=unused, name="idle")

    output = routes(f"stripe: {{us: {{sales: {{bot: {{{ROUTE}}}}}}}}}", "--prune")

    assert prices() == {"stripe:sales:bot us": "price_a", "other:sales:bot asia": "price_a"}
    assert Override.objects.count() == 0
    assert {str(bot) for bot in Bot.objects.all()} == {"stripe:sales:bot", "other:sales:bot", str(idle)}
    assert set(Category.objects.values_list("slug", flat=True)) == {"sales", "idle"}
    assert set(Region.objects.values_list("slug", flat=True)) == {"default", "us", "asia"}
    assert "- the bot stripe:finance:bot, which has no rules left\n" in output
    assert "- the region eu, which has no rules left\n" in output


def test_prune_keeps_the_categories_and_regions_that_another_domain_uses(routes):
    routes(FILE)
    routes(f"other: {{eu: {{finance: {{bot: {{{ROUTE}}}}}}}}}", "--create-domains")

    routes(f"stripe: {{us: {{sales: {{bot: {{{ROUTE}}}}}}}}}", "--prune")

    assert prices() == {"stripe:sales:bot us": "price_a", "other:finance:bot eu": "price_a"}


def test_periods_can_be_swapped_and_moved(routes):
    routes(PLANNED.replace("MOMENT", "2027-01-01T00:00:00Z"))

    output = routes(PLANNED.replace("MOMENT", "2027-03-01T00:00:00Z"))

    assert "valid_from: 2027-01-01T00:00:00Z → 2027-03-01T00:00:00Z\n" in output
    assert prices() == {
        "stripe:finance:bot default": "price_a",
        "stripe:finance:bot default 2027-03-01 00:00:00+00:00": "price_b",
    }


def test_a_period_that_overlaps_one_that_is_not_in_the_file_is_refused_without_prune(routes, refused):
    routes(PLANNED.replace("MOMENT", "2027-01-01T00:00:00Z"))
    plain = f"stripe: {{default: {{finance: {{bot: {{{ROUTE}}}}}}}}}"

    output = refused(plain)
    routes(plain, "--prune")

    assert (
        "line 1, column 30: The registry has a period of stripe/default/finance/bot that overlaps one in the file"
        in output
    )
    assert prices() == {"stripe:finance:bot default": "price_a"}


def test_an_unknown_domain_is_refused_with_its_position_unless_it_is_to_be_created(routes, refused):
    content = f"stripe: {{eu: {{a: {{b: {{{ROUTE}}}}}}}}}\nstripo: {{eu: {{a: {{b: {{{ROUTE}}}}}}}}}"

    output = refused(content)
    routes(content, "--create-domains")

    assert "line 2, column 1: The domain 'stripo' is not registered." in output
    assert Domain.objects.filter(slug="stripo").exists()


def test_every_problem_is_reported_at_once_with_its_position_and_nothing_changes(refused):
    bots = "".join(f"      bot_{number}: {{{ROUTE}, colour: red}}\n" for number in range(150))

    output = refused(
        f"stripe:\n  eu:\n    finance:\n{bots}nowhere:\n  eu:\n    a:\n      b: {{{ROUTE}}}\n"
    ).splitlines()

    assert output[0].startswith("line 4, column ")
    assert output[99].startswith("line 103, column ")
    assert output[100] == "… and 51 more."
    assert output[101].endswith("refused.yaml: 151. Nothing was changed.")


def test_an_empty_file_is_refused_and_removes_nothing(routes, refused):
    routes(FILE)

    output = refused("", "--prune")

    assert "The file is empty." in output
    assert Route.objects.count() == 2


def test_a_missing_file_is_reported_in_a_sentence(registry):
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_routes", "nowhere.yaml")


def test_a_constraint_of_the_database_alone_refuses_the_routes_by_name_and_undoes_the_rest(refused):
    with as_administrator(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE routing_route ADD CONSTRAINT local_rule CHECK (currency <> 'eur')")

    output = refused(FILE)

    assert "The database refuses stripe/eu/finance/bot (" in output
    assert "local_rule" in output
    assert "stripe/default/finance/bot (" not in output
    assert Bot.objects.count() == 0


def test_a_long_plan_is_counted_and_a_long_file_shows_its_progress(routes):
    bots = "".join(f"      bot_{number}: {{{ROUTE}, currency: usd}} #{'.' * 150}\n" for number in range(5200))

    output = routes(f"stripe:\n  eu:\n    finance:\n{bots}")

    assert "+ … and 5,150 more\n5,200 added, 0 changed, 0 removed." in output
    assert "Reading: 0 %\n" in output
    assert "Writing: 90 %\nWriting: 100 %\n" in output
    assert Route.objects.count() == 5200


@pytest.mark.django_db(transaction=True)
def test_an_import_waits_for_an_edit_and_plans_from_its_result(routes):
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
    output = routes(FILE)
    editor.join()

    assert "~ stripe/eu/finance/bot  currency: gbp → eur\n" in output
    assert Route.objects.get(region__slug="eu").currency == "eur"


@pytest.mark.django_db(transaction=True)
def test_an_import_gives_up_when_the_registry_stays_locked(refused, held_registry, monkeypatch):
    monkeypatch.setattr(lock, "_TIMEOUT_SECONDS", 0.2)

    output = refused(FILE)

    assert "Somebody else is changing the registry. Nothing was changed" in output
