"""The routes of the demo, and at the sandbox Stripe what they name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from django.core.management import call_command

from routing.registry.models import Domain, Override, Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.control import Control

_ACCOUNT = "acct_1SandboxDemo"
_UNIT_AMOUNT = 2500
"""What every price of the demo costs, in minor units."""

_COLUMNS = ("bot", "region", "product_id", "price_id", "customer_id", "currency")


def import_routes() -> None:
    """Bring the database up to date, and import the file of routes."""
    call_command("migrate", verbosity=0)
    call_command("import_routes")


def seed(stripe: Control) -> None:
    """Give the sandbox's account the products, prices and customers that the routes name."""
    stripe.register_keys(_ACCOUNT, os.environ["STRIPE_SECRET_KEY"])
    Domain.objects.filter(slug="stripe").exclude(account_id=_ACCOUNT).update(account_id=_ACCOUNT)
    routes = list(Route.objects.values(*_COLUMNS))
    for route in routes:
        _seed_ids(stripe, route)
    for override in Override.objects.values(*_COLUMNS):
        base = next(r for r in routes if r["bot"] == override["bot"] and override["region"] in (None, r["region"]))
        _seed_ids(stripe, base | {name: value for name, value in override.items() if value is not None})


def _seed_ids(stripe: Control, ids: Mapping[str, Any]) -> None:
    stripe.seed_product(_ACCOUNT, ids["product_id"], name=ids["product_id"].removeprefix("prod_").replace("_", " "))
    stripe.seed_price(
        _ACCOUNT, ids["price_id"], product=ids["product_id"], unit_amount=_UNIT_AMOUNT, currency=ids["currency"]
    )
    stripe.seed_customer(_ACCOUNT, ids["customer_id"], card="visa", name="Demo customer")
