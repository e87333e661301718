"""The resolver, over tables made by hand."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.errors import (
    InvalidRequest,
    OverrideConflict,
    OverrideNotFound,
    Paused,
    RouteNotFound,
    UnknownBot,
    UnknownCategory,
    UnknownDomain,
    UnknownRegion,
)
from routing.identifiers import BotId
from routing.registry.rules import ALWAYS, BotRules, DomainRule, OverrideRule, Pauses, Period, Route, RouteRule
from routing.registry.table import RoutingTable, explain, resolve

NOTHING_IS_PAUSED = Pauses()
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOT = BotId("stripe", "finance", "router")
STANDARD = Route("prod_a", "price_standard", "cus_a", "usd")
EUROPE = Route("prod_a", "price_eu", "cus_a", "eur")


def override(key: str, value: str, region: str | None = None, period: Period = ALWAYS, **changes: str) -> OverrideRule:
    return OverrideRule(key, value, changes, region, period)


def table(
    *overrides: OverrideRule,
    routes: tuple[RouteRule, ...] = (RouteRule("default", STANDARD), RouteRule("eu", EUROPE)),
    pauses: Pauses = NOTHING_IS_PAUSED,
) -> RoutingTable:
    by_region: dict[str, tuple[RouteRule, ...]] = {}
    for rule in routes:
        by_region[rule.region] = (*by_region.get(rule.region, ()), rule)
    by_qualifier: dict[tuple[str, str], tuple[OverrideRule, ...]] = {}
    for change in overrides:
        by_qualifier[change.key, change.value] = (*by_qualifier.get((change.key, change.value), ()), change)
    return RoutingTable(
        version=7,
        stamp=uuid.uuid4(),
        domains={"stripe": DomainRule("stripe")},
        regions=frozenset({"default", "eu", "us"}),
        categories=frozenset({"finance", "empty"}),
        bots={BOT: BotRules(by_region, by_qualifier)},
        pauses=pauses,
    )


def test_the_default_region_is_used_when_none_is_named():
    found = resolve(table(), BOT, {}, NOW)

    assert (found.region, found.route, found.registry_version) == ("default", STANDARD, 7)


def test_a_region_that_is_named_chooses_its_own_route():
    assert resolve(table(), BOT, {"region": "eu"}, NOW).route == EUROPE


def test_an_override_changes_only_the_fields_that_it_names():
    found = resolve(
        table(override("business", "enterprise", price_id="price_big")), BOT, {"business": "enterprise"}, NOW
    )

    assert found.route == Route("prod_a", "price_big", "cus_a", "usd")


def test_an_override_of_every_region_applies_in_each():
    found = resolve(
        table(override("business", "enterprise", price_id="price_big")),
        BOT,
        {"region": "eu", "business": "enterprise"},
        NOW,
    )

    assert found.route == Route("prod_a", "price_big", "cus_a", "eur")


def test_the_regions_own_override_comes_before_the_one_of_every_region():
    rules = table(
        override("business", "enterprise", price_id="price_big", customer_id="cus_big"),
        override("business", "enterprise", region="eu", price_id="price_big_eu"),
    )

    found = resolve(rules, BOT, {"region": "eu", "business": "enterprise"}, NOW)

    assert found.route == Route("prod_a", "price_big_eu", "cus_big", "eur")


def test_an_override_of_another_region_does_not_apply():
    rules = table(override("business", "enterprise", region="eu", price_id="price_big"))

    with pytest.raises(OverrideNotFound, match="business=enterprise"):
        resolve(rules, BOT, {"business": "enterprise"}, NOW)


def test_several_qualifiers_change_the_route_together():
    rules = table(
        override("business", "enterprise", price_id="price_big"), override("tier", "gold", customer_id="cus_gold")
    )

    found = resolve(rules, BOT, {"tier": "gold", "business": "enterprise"}, NOW)

    assert found.route == Route("prod_a", "price_big", "cus_gold", "usd")


def test_two_qualifiers_that_contradict_each_other_are_an_error():
    rules = table(
        override("business", "enterprise", price_id="price_big"), override("tier", "gold", price_id="price_gold")
    )

    with pytest.raises(OverrideConflict, match="price_id"):
        resolve(rules, BOT, {"tier": "gold", "business": "enterprise"}, NOW)


def test_two_qualifiers_that_agree_do_not_conflict():
    rules = table(
        override("business", "enterprise", price_id="price_big"), override("tier", "gold", price_id="price_big")
    )

    assert resolve(rules, BOT, {"tier": "gold", "business": "enterprise"}, NOW).route.price_id == "price_big"


@pytest.mark.parametrize(
    ("bot", "qualifiers", "error", "field"),
    [
        (BotId("paypal", "finance", "router"), {}, UnknownDomain, "domain"),
        (BotId("stripe", "sales", "router"), {}, UnknownCategory, "business_category"),
        (BotId("stripe", "finance", "nobody"), {}, UnknownBot, "bot"),
        (BotId("stripe", "empty", "router"), {}, UnknownBot, "bot"),
        (BOT, {"region": "mars"}, UnknownRegion, "region"),
        (BOT, {"region": "us"}, RouteNotFound, "region"),
        (BOT, {"business": "enterprise"}, OverrideNotFound, "business"),
    ],
)
def test_whatever_is_unknown_is_an_error_that_names_the_field(bot, qualifiers, error, field):
    with pytest.raises(error) as caught:
        resolve(table(), bot, qualifiers, NOW)

    assert caught.value.context["field"] == field


@pytest.mark.parametrize(
    ("pauses", "message"),
    [
        (Pauses(everything=""), "All billing is paused. Ask"),
        (Pauses(everything="Stripe is down."), "All billing is paused: Stripe is down. Ask"),
        (Pauses(domains=frozenset({"stripe"})), "in the domain 'stripe' is paused"),
        (Pauses(categories=frozenset({"finance"})), "in the category 'finance' is paused"),
        (Pauses(bots=frozenset({str(BOT)})), f"by the bot '{BOT}' is paused"),
    ],
)
def test_a_pause_stops_the_bot(pauses, message):
    with pytest.raises(Paused, match=re.escape(message)):
        resolve(table(pauses=pauses), BOT, {}, NOW)


def test_a_pause_of_another_stops_nobody_else():
    others = Pauses(None, frozenset({"other"}), frozenset({"empty"}), frozenset({"stripe:finance:other"}))

    assert resolve(table(pauses=others), BOT, {}, NOW).route == STANDARD


@pytest.mark.parametrize("qualifiers", [{"Business": "x"}, {"business": ""}, {"business": 7}, {"": "x"}, {"a b": "c"}])
def test_a_qualifier_that_is_not_a_name_is_refused(qualifiers):
    with pytest.raises(InvalidRequest):
        resolve(table(), BOT, qualifiers, NOW)


def test_a_period_begins_with_its_start_and_ends_before_its_end():
    early, late = RouteRule("default", STANDARD, Period(None, NOW)), RouteRule("default", EUROPE, Period(NOW, None))
    rules = table(routes=(early, late))

    assert resolve(rules, BOT, {}, NOW - timedelta(microseconds=1)).route == STANDARD
    assert resolve(rules, BOT, {}, NOW).route == EUROPE


def test_a_route_that_has_ended_is_not_used():
    rules = table(routes=(RouteRule("default", STANDARD, Period(None, NOW)),))

    with pytest.raises(RouteNotFound):
        resolve(rules, BOT, {}, NOW)


def test_a_resolution_has_the_period_in_which_it_stays_the_same():
    rules = table(
        override("business", "enterprise", period=Period(NOW - HOUR, NOW + 2 * HOUR), price_id="price_big"),
        routes=(
            RouteRule("default", STANDARD, Period(NOW - 3 * HOUR, NOW + HOUR)),
            RouteRule("default", EUROPE, Period(NOW + HOUR, None)),
        ),
    )

    assert resolve(rules, BOT, {"business": "enterprise"}, NOW).stable == Period(NOW - HOUR, NOW + HOUR)
    assert resolve(rules, BOT, {}, NOW).stable == Period(NOW - 3 * HOUR, NOW + HOUR)


def test_explain_says_which_rules_won_and_which_lost_and_why():
    rules = table(
        override("business", "enterprise", price_id="price_big", customer_id="cus_big"),
        override("business", "enterprise", region="eu", price_id="price_big_eu"),
        override("business", "enterprise", region="eu", period=Period(None, NOW - HOUR), price_id="price_old"),
    )

    explained = explain(rules, BOT, {"region": "eu", "business": "enterprise"}, NOW)

    assert explained.resolution is not None
    assert [(step.won, step.rule, step.reason) for step in explained.steps] == [
        (True, "the route for region eu", "the call is for region eu"),
        (
            False,
            "the override business=enterprise for region eu until 2026-06-01 11:00",
            "it is not in force at 2026-06-01 12:00:00 UTC",
        ),
        (True, "the override business=enterprise for region eu", "the call has business=enterprise; it sets price_id"),
        (
            True,
            "the override business=enterprise for every region",
            "the call has business=enterprise; it sets customer_id",
        ),
        (False, "the override business=enterprise for every region", "the region's own override sets price_id"),
    ]


def test_explain_keeps_the_error_and_what_led_to_it():
    explained = explain(table(), BOT, {"business": "enterprise"}, NOW)

    assert explained.resolution is None
    assert isinstance(explained.error, OverrideNotFound)
    assert [step.rule for step in explained.steps] == ["the route for region default"]


_FIELDS = ("product_id", "price_id", "customer_id", "currency")
_rules = st.lists(
    st.builds(
        override,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["x", "y"]),
        st.sampled_from([None, "default", "eu"]),
        price_id=st.sampled_from(["price_1", "price_2"]),
        customer_id=st.sampled_from(["cus_1", "cus_2"]),
    ),
    max_size=6,
    unique_by=lambda rule: (rule.key, rule.value, rule.region),
)
_qualifiers = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]))


@given(_rules, _qualifiers, st.permutations(["a", "b", "region"]))
def test_neither_the_order_of_rules_nor_of_qualifiers_decides_anything(rules, qualifiers, order):
    named = {**qualifiers, "region": "eu"}
    reordered = {key: named[key] for key in order if key in named}

    def decide(rules: list[OverrideRule], qualifiers: dict[str, str]) -> object:
        explained = explain(table(*rules), BOT, qualifiers, NOW)
        return type(explained.error) if explained.resolution is None else explained.resolution.route

    assert decide(rules, named) == decide(list(reversed(rules)), reordered)


@given(_rules, _qualifiers)
def test_resolve_and_explain_are_the_same_decision(rules, qualifiers):
    explained = explain(table(*rules), BOT, qualifiers, NOW)

    if explained.resolution is None:
        with pytest.raises(type(explained.error)):
            resolve(table(*rules), BOT, qualifiers, NOW)
    else:
        assert resolve(table(*rules), BOT, qualifiers, NOW).route == explained.resolution.route
