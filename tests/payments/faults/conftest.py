"""The world of each test, in which everything can go wrong, and which scenarios and mutants run."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.database_roles import RUNTIME
from tests.payments.faults.ledger_database import LedgerDatabase
from tests.payments.faults.scenarios import RESPONSE_SECONDS, every, pairwise
from tests.payments.faults.senders import Senders, running_senders
from tests.payments.faults.world import World
from tests.payments.stripe_account import MONTHLY, seed_monthly_price
from tests.payments.webhooks.conftest import Webhooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routing.registry.models import Bot
    from tests.conftest import Stripe


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every scenario with --exhaustive, and otherwise some in which every pair of values occurs."""
    if "scenario" in metafunc.fixturenames:
        scenarios = every() if metafunc.config.getoption("exhaustive") else pairwise()
        metafunc.parametrize("scenario", scenarios, ids=str)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, except with --exhaustive."""
    if config.getoption("exhaustive"):
        return
    left_out = [item for item in items if item.get_closest_marker("exhaustive")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def database_url(administrator_url: str) -> str:
    """Return the URL of the test database, for other processes, which run as the runtime role too."""
    return f"{administrator_url}?options={quote(f'-c role={RUNTIME}')}"


@pytest.fixture(scope="session")
def administrator_url(django_db_setup: None) -> str:
    from django.db import connection

    settings: dict[str, Any] = connection.settings_dict
    user = quote(settings["USER"]) + (f":{quote(settings['PASSWORD'])}" if settings["PASSWORD"] else "")
    host = quote(settings["HOST"], safe="")
    return f"postgresql://{user}@{host}:{settings['PORT'] or 5432}/{settings['NAME']}"


@pytest.fixture(scope="session")
def senders(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Senders]:
    with running_senders(database_url, tmp_path_factory.mktemp("senders")) as senders:
        yield senders


@pytest.fixture
def world(
    bot: Bot, stripe: Stripe, senders: Senders, administrator_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    from routing.keys import reset_keyring
    from routing.payments.settlement import recovery
    from routing.payments.stripe_api import sdk

    monkeypatch.setattr(sdk, "RESPONSE_SECONDS", RESPONSE_SECONDS)
    # Time passes by moving the ledger's rows back and the sandbox's clock on, so that the two clocks differ by days.
    monkeypatch.setattr(recovery, "_CLOCK_MARGIN", timedelta(days=30))
    webhooks = Webhooks(stripe, "whsec_" + secrets.token_hex(16))
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", webhooks.secret)
    reset_keyring()
    add_plan_and_caps(bot, stripe)
    yield World(stripe, LedgerDatabase(administrator_url), senders, webhooks)
    senders.end_all()


def add_plan_and_caps(bot: Bot, stripe: Stripe) -> None:
    """Add to the bot's route a plan to subscribe to, and caps that no test reaches unless it lowers them."""
    from routing.caps.models import Cap
    from routing.registry.models import Override

    seed_monthly_price(stripe)
    Override.objects.create(bot=bot, key="plan", value="monthly", price_id=MONTHLY)
    for measure, currency in (("gross", "usd"), ("refunds", "usd"), ("count", "")):
        for per in ("month", "24h"):
            Cap.objects.create(bot=bot, measure=measure, per=per, currency=currency, limit=1_000_000)
