"""What is exported can be imported again, and says the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.identifiers import BotId, is_slug
from routing.money import CURRENCIES
from routing.registry.models import ROUTE_FIELDS, Bot, Domain, Override, Route
from routing.registry.rules import BotRules, OverrideRule, Pauses, Period, RouteRule
from routing.registry.rules import Route as TableRoute
from routing.registry.table import RoutingTable
from routing.registry.yaml.document import read_document
from routing.registry.yaml.export import as_json, as_yaml
from routing.registry.yaml.routes import read_registry
from routing.registry.yaml.rules import PeriodFields, Qualifier, RuleKey

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "stripe_billing_router.yaml"

slugs = st.sampled_from(["no", "12", "1e3", "null", "a", "a-b_c", "0x1f", "12-30", "true"]) | st.text("ab1").filter(
    is_slug
)
identifiers = st.text("aZ0_", min_size=1, max_size=20)
currencies = st.sampled_from(sorted(CURRENCIES))
values = {
    "product_id": identifiers.map("prod_{}".format),
    "price_id": identifiers.map("price_{}".format),
    "customer_id": identifiers.map("cus_{}".format),
    "currency": currencies,
}
changes = st.fixed_dictionaries({}, optional=values).filter(bool)


@st.composite
def periods(draw: st.DrawFn) -> list[Period]:
    """Draw one period, or several that follow each other."""
    days = sorted(draw(st.sets(st.integers(0, 10_000), max_size=3)))
    edges = [None, *(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=day, microseconds=day) for day in days), None]
    return [Period(*pair) for pair in pairwise(edges)]


@st.composite
def bot_rules(draw: st.DrawFn) -> BotRules:
    routes = {
        region: tuple(
            RouteRule(region, TableRoute(**draw(st.fixed_dictionaries(values))), period) for period in draw(periods())
        )
        for region in draw(st.sets(slugs, min_size=1, max_size=3))
    }
    overrides = {
        (key, value): tuple(
            OverrideRule(key, value, draw(changes), region, period)
            for region in draw(st.sets(slugs | st.none(), min_size=1, max_size=2))
            for period in draw(periods())
        )
        for key, value in draw(st.sets(st.tuples(slugs.filter(lambda key: key != "region"), slugs), max_size=2))
    }
    return BotRules(routes=routes, overrides=overrides)


def table(bots: dict[BotId, BotRules]) -> RoutingTable:
    return RoutingTable(1, uuid4(), {}, frozenset(), frozenset(), bots, Pauses())


def rules_of(found: RoutingTable) -> set[tuple[RuleKey, PeriodFields]]:
    routes = {
        (RuleKey(bot, rule.region), period_fields(rule.period, vars_of(rule.route)))
        for bot, rules in found.bots.items()
        for group in rules.routes.values()
        for rule in group
    }
    return routes | {
        (RuleKey(bot, rule.region, Qualifier(rule.key, rule.value)), period_fields(rule.period, rule.changes))
        for bot, rules in found.bots.items()
        for group in rules.overrides.values()
        for rule in group
    }


def vars_of(route: TableRoute) -> dict[str, str]:
    return {field: getattr(route, field) for field in ROUTE_FIELDS}


def period_fields(period: Period, fields) -> PeriodFields:
    return PeriodFields(period, tuple(fields.get(field) for field in ROUTE_FIELDS))


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.builds(BotId, slugs, slugs, slugs), bot_rules(), min_size=1, max_size=4))
@pytest.mark.parametrize("write", [as_yaml, as_json])
def test_an_export_reads_back_as_the_same_rules(write, bots):
    root, syntax_problems = read_document(write(table(bots)).encode(), lambda *_: None)
    desired, problems = read_registry(root)

    assert syntax_problems + problems == []
    assert {(key, fields) for key, rule in desired.rules.items() for fields in rule.periods} == rules_of(table(bots))


def test_other_yaml_parsers_read_the_names_as_strings_too():
    rules = BotRules(
        routes={"no": (RouteRule("no", TableRoute("prod_1", "price_1", "cus_1", "try")),)},
        overrides={},
    )

    written = as_yaml(table({BotId("12", "1e3", "null"): rules}))

    assert yaml.safe_load(written)["12"]["no"]["1e3"]["null"]["currency"] == "try"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["routes.yaml", "routes.json"])
def test_the_example_is_the_same_after_an_export_and_an_import(registry, tmp_path, name):
    path, first, second = str(tmp_path / name), StringIO(), StringIO()
    call_command("import_routes", str(EXAMPLE), stdout=StringIO())
    call_command("export_routes", stdout=first)
    call_command("export_routes", path)
    Bot.objects.all().delete()

    call_command("import_routes", path, stdout=StringIO())
    call_command("export_routes", stdout=second)

    assert second.getvalue() == first.getvalue()
    assert "price_finance_enterprise" in first.getvalue()
    assert Route.objects.count() == 3
    assert Override.objects.filter(region=None).count() == 1


@pytest.mark.django_db(transaction=True)
def test_importing_an_exported_file_changes_nothing(registry, tmp_path):
    Domain.objects.get_or_create(slug="stripe")
    call_command("import_routes", str(EXAMPLE), stdout=StringIO())
    path, output = tmp_path / "routes.json", StringIO()

    call_command("export_routes", str(path))
    call_command("import_routes", str(path), "--prune", stdout=output)

    assert "Nothing to do" in output.getvalue()
    assert list(json.loads(path.read_text())["stripe"]) == ["*", "default", "eu"]


@pytest.mark.django_db(transaction=True)
def test_an_export_that_cannot_be_written_is_reported_in_a_sentence(registry):
    with pytest.raises(CommandError, match=r"Nothing was exported: .*No such file"):
        call_command("export_routes", "/nowhere/routes.yaml")
