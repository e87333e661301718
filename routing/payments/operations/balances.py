"""The balance of the Stripe account of a bot's domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.errors import StripeUnavailable
from routing.money import to_text
from routing.payments.stripe_api import gateway
from routing.payments.stripe_api.accounts import load_keys
from routing.registry import snapshot
from routing.registry.table import resolve

if TYPE_CHECKING:
    from routing.identifiers import BotId
    from stripe_billing_router import schemas


def fetch_balance(bot: BotId) -> schemas.Balance:
    """Return the balance of the whole account, not the bot's own share."""
    resolution = snapshot.decide(lambda current: resolve(current.table, bot, {}, current.now()))
    keys, _ = load_keys(resolution.domain)
    response = gateway.get(keys, "/v1/balance")
    if not response.is_success or response.body is None:
        raise StripeUnavailable(
            f"Stripe did not return the balance: {response.error.message or 'it cannot be reached.'} Try again later."
        )
    return {
        "domain": resolution.domain.slug,
        "available": _amounts(response.body.get("available")),
        "pending": _amounts(response.body.get("pending")),
    }


def _amounts(entries: Any) -> list[schemas.Money]:
    return [
        {"amount": to_text(entry["amount"], entry["currency"]), "currency": entry["currency"]}
        for entry in entries or []
    ]
