"""Registering a route or an override: what comes into being, what is replaced, what is refused."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from routing.errors import InvalidIdentifier, InvalidRequest, KeyNotAllowed, UnknownBot, UnknownDomain, UnknownRegion
from routing.identifiers import BotId
from routing.registry.changes import register_override, register_route
from routing.registry.models import Bot, Override, Region, RegistryHead, Route

BOT = BotId.parse("finance:bot")
ROUTE = {"product_id": "prod_a", "price_id": "price_a", "customer_id": "cus_a"}
HOUR = timedelta(hours=1)


def head() -> int:
    return RegistryHead.objects.get().version


def test_a_route_is_created_with_its_category_region_and_bot(registry):
    route, created = register_route(BOT, "eu", ROUTE)

    assert created
    assert str(route) == "stripe:finance:bot in eu"
    assert (route.price_id, route.currency, route.valid_from, route.valid_until) == ("price_a", "usd", None, None)


def test_the_same_route_again_writes_nothing(registry):
    register_route(BOT, "eu", ROUTE)
    version = head()

    route, created = register_route(BOT, "eu", ROUTE | {"currency": "USD"})

    assert (created, head()) == (False, version)
    assert route.pk == Route.objects.get().pk


def test_another_route_replaces_the_one_in_force(registry):
    register_route(BOT, "eu", ROUTE)

    route, created = register_route(BOT, "eu", ROUTE | {"price_id": "price_b", "currency": "eur"})

    assert not created
    assert Route.objects.get() == route
    assert (Route.objects.get().price_id, Route.objects.get().currency) == ("price_b", "eur")


def test_only_the_period_that_is_in_force_changes(registry):
    first, _ = register_route(BOT, "eu", ROUTE)
    now = timezone.now()
    Route.objects.update(valid_until=now + HOUR)
    planned = Route.objects.create(bot=first.bot, region=first.region, valid_from=now + HOUR, **ROUTE)

    register_route(BOT, "eu", ROUTE | {"price_id": "price_b"})

    assert Route.objects.get(pk=first.pk).price_id == "price_b"
    assert Route.objects.get(pk=planned.pk).price_id == "price_a"


def test_after_a_route_has_ended_a_new_one_starts_now(registry):
    register_route(BOT, "eu", ROUTE)
    Route.objects.update(valid_until=timezone.now() - HOUR)

    route, created = register_route(BOT, "eu", ROUTE)

    assert created
    assert route.valid_from is not None
    assert abs(route.valid_from - timezone.now()) < HOUR


def test_a_new_route_is_refused_while_one_is_scheduled(registry):
    register_route(BOT, "eu", ROUTE)
    Route.objects.update(valid_from=timezone.now() + HOUR)

    with pytest.raises(InvalidRequest, match=r"is already scheduled from .* Ask finance"):
        register_route(BOT, "eu", ROUTE)


def test_an_override_is_for_its_region_or_for_every_one(registry):
    register_route(BOT, "eu", ROUTE)

    register_override(BOT, "eu", "business", "enterprise", {"price_id": "price_b"})
    everywhere, created = register_override(BOT, None, "business", "enterprise", {"price_id": "price_c"})

    assert created
    assert everywhere.region is None
    assert Override.objects.count() == 2


def test_an_override_is_replaced_whole(registry):
    register_route(BOT, "eu", ROUTE)
    register_override(BOT, None, "business", "enterprise", {"price_id": "price_b"})

    _, created = register_override(BOT, None, "business", "enterprise", {"currency": "eur"})

    assert not created
    assert Override.objects.get().changes() == {"currency": "eur"}


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"price_id": "price_a"}, InvalidRequest, "The route needs product_id and customer_id."),
        (ROUTE | {"prize_id": "x"}, InvalidRequest, "Did you mean price_id?"),
        (ROUTE | {"price_id": "prod_a"}, InvalidRequest, "price_id 'prod_a' is not the ID of a price."),
        (ROUTE | {"price_id": None}, InvalidRequest, "price_id must be a string."),
        (ROUTE | {"currency": "xxx"}, InvalidRequest, "'xxx' is not a currency"),
        (ROUTE | {"valid_from": "2027-01-01T00:00:00Z"}, InvalidRequest, "There is no field 'valid_from'."),
        (ROUTE | {"secret_key": "hush"}, KeyNotAllowed, "secret_key is not accepted."),
        (ROUTE | {"public_key": "hush"}, KeyNotAllowed, "public_key is not accepted."),
    ],
)
def test_an_invalid_route_is_refused_in_a_sentence(registry, fields, error, message):
    with pytest.raises(error) as refusal:
        register_route(BOT, "eu", fields)

    assert message in str(refusal.value)
    assert "hush" not in str(refusal.value)
    assert not Bot.objects.exists()


def test_a_key_is_refused_and_never_shown(registry, live_key):
    for register in (
        lambda: register_route(BOT, "eu", ROUTE | {"price_id": live_key}),
        lambda: register_route(BOT, live_key, ROUTE),
        lambda: register_route(BotId("stripe", "finance", live_key), "eu", ROUTE),
        lambda: register_override(BOT, None, "business", live_key, {"price_id": "price_a"}),
    ):
        with pytest.raises(KeyNotAllowed) as refusal:
            register()

        assert live_key not in str(refusal.value)


def test_whatever_is_not_registered_has_its_own_error(registry):
    change = {"price_id": "price_b"}
    with pytest.raises(UnknownDomain, match=r"'acme' is not supported\. Supported: stripe\."):
        register_route(BotId("acme", "finance", "bot"), "eu", ROUTE)
    with pytest.raises(UnknownDomain):
        register_override(BotId("acme", "finance", "bot"), None, "business", "enterprise", change)
    with pytest.raises(UnknownBot):
        register_override(BOT, None, "business", "enterprise", change)
    register_route(BOT, "eu", ROUTE)
    with pytest.raises(UnknownRegion, match="'asia' is not registered"):
        register_override(BOT, "asia", "business", "enterprise", change)


def test_invalid_names_are_refused(registry):
    with pytest.raises(InvalidIdentifier, match="The region 'E U' is not valid"):
        register_route(BOT, "E U", ROUTE)
    with pytest.raises(InvalidRequest, match="key cannot be 'region'"):
        register_override(BOT, None, "region", "eu", {"price_id": "price_b"})
    with pytest.raises(InvalidRequest, match="The override changes nothing"):
        register_override(BOT, None, "business", "enterprise", {})

    assert not Region.objects.filter(slug="E U").exists()


@pytest.mark.django_db(transaction=True)
def test_concurrent_registrations_create_one_row(registry):
    all_ready = threading.Barrier(8)

    def register(number: int) -> bool:
        connection.ensure_connection()
        all_ready.wait(5)
        try:
            return register_route(BOT, "eu", ROUTE | {"price_id": f"price_{number % 2}"})[1]
        finally:
            connections.close_all()

    register_route(BOT, "default", ROUTE)
    Region.objects.create(slug="eu")

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(register, range(8)))

    assert created.count(True) == 1
    assert Route.objects.get(region__slug="eu").price_id in {"price_0", "price_1"}


@pytest.mark.django_db(transaction=True)
def test_registering_the_same_again_waits_for_no_lock(registry, request):
    register_route(BOT, "eu", ROUTE)
    register_override(BOT, None, "business", "enterprise", {"price_id": "price_b"})
    request.getfixturevalue("held_registry")

    begun = time.monotonic()
    register_route(BOT, "eu", ROUTE)
    register_override(BOT, None, "business", "enterprise", {"price_id": "price_b"})

    assert time.monotonic() - begun < 5
