"""A token that may do everything for each bot that tests name: one for every bot may register no routes."""

from __future__ import annotations

BOTS = (
    "paypal:finance:finance_router_bot",
    "stripe:analytics:new_bot",
    "stripe:finance:another",
    "stripe:finance:finance_router_bot",
    "stripe:finance:invoicer",
    "stripe:finance:newcomer",
    "stripe:finance:nobody",
    "stripe:finance:other",
    "stripe:sales:finance_router_bot",
)


def token_for_everything() -> str:
    from routing.access import tokens
    from routing.access.models import Scope

    return tokens.issue("test", BOTS, Scope.values)
