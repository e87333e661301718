"""A world in which everything can go wrong, one for each test."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.payments.faults.ledger_database import LedgerDatabase
from tests.payments.faults.scenarios import ANSWER_SECONDS, every, pairwise
from tests.payments.faults.senders import Senders, running_senders
from tests.payments.faults.world import World
from tests.payments.webhooks.conftest import Hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routing.registry.models import Bot
    from tests.conftest import Stripe


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every scenario where everything is asked for, and otherwise some in which every two values meet."""
    if "scenario" in metafunc.fixturenames:
        scenarios = every() if metafunc.config.getoption("exhaustive") else pairwise()
        metafunc.parametrize("scenario", scenarios, ids=str)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless everything is asked for."""
    if config.getoption("exhaustive"):
        return
    left_out = [item for item in items if item.get_closest_marker("exhaustive")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def database_url(django_db_setup: None) -> str:
    """Name the test database, for processes that do not share this one's settings."""
    from django.db import connection

    given: dict[str, Any] = connection.settings_dict
    user = quote(given["USER"]) + (f":{quote(given['PASSWORD'])}" if given["PASSWORD"] else "")
    host = quote(given["HOST"], safe="")
    return f"postgresql://{user}@{host}:{given['PORT'] or 5432}/{given['NAME']}"


@pytest.fixture(scope="session")
def senders(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Senders]:
    with running_senders(database_url, tmp_path_factory.mktemp("senders")) as senders:
        yield senders


@pytest.fixture
def world(
    bot: Bot, stripe: Stripe, senders: Senders, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    from routing.keys import reset_keyring
    from routing.payments.settlement import recovery
    from routing.payments.stripe_api import sdk

    monkeypatch.setattr(sdk, "RESPONSE_SECONDS", ANSWER_SECONDS)
    # Time passes for the ledger by moving it back, and at the sandbox by moving on: so their clocks come to lie apart.
    monkeypatch.setattr(recovery, "_CLOCK_MARGIN", timedelta(days=30))
    hooks = Hooks(stripe, "whsec_" + secrets.token_hex(16))
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", hooks.secret)
    reset_keyring()
    register(bot, stripe)
    yield World(stripe, LedgerDatabase(database_url), senders, hooks)
    senders.end_all()


def register(bot: Bot, stripe: Stripe) -> None:
    """Add to the bot's route a plan to subscribe to, and caps that leave room."""
    from routing.caps.models import Cap
    from routing.registry.models import Override

    seed_plan(stripe)
    Override.objects.create(bot=bot, key="plan", value="monthly", price_id="price_monthly")
    for measure, currency in (("gross", "usd"), ("refunds", "usd"), ("count", "")):
        Cap.objects.create(bot=bot, measure=measure, per="month", currency=currency, limit=1_000_000)


def seed_plan(stripe: Stripe) -> None:
    stripe.control.seed_price(
        stripe.account, "price_monthly", product="prod_finance_router", unit_amount=1500, interval="month"
    )
