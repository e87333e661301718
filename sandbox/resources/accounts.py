"""The account that a key opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.endpoints import Call, Endpoints, endpoint
from sandbox.errors import StripeError
from sandbox.lists import envelope
from sandbox.objects import made

if TYPE_CHECKING:
    from sandbox.objects import Json

_OPENED = 1577836800  # 2020-01-01; the sandbox's accounts are all as old
_NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_NO_REQUIREMENTS: dict[str, Any] = {
    "alternatives": [],
    "current_deadline": None,
    "currently_due": [],
    "disabled_reason": None,
    "errors": [],
    "eventually_due": [],
    "past_due": [],
    "pending_verification": [],
}


def _own(call: Call) -> Json:
    account = call.work.account.id
    return made(
        "account",
        id=account,
        business_profile={"name": "Sandbox (not Stripe)", "support_address": _NO_ADDRESS, "url": None},
        business_type="company",
        capabilities={"card_payments": "active", "transfers": "active"},
        charges_enabled=True,
        controller={"type": "account"},
        country="US",
        created=_OPENED,
        default_currency="usd",
        details_submitted=True,
        external_accounts=envelope([], f"/v1/accounts/{account}/external_accounts"),
        future_requirements=_NO_REQUIREMENTS,
        metadata={},
        payouts_enabled=True,
        requirements=_NO_REQUIREMENTS,
        settings={"dashboard": {"display_name": "Sandbox (not Stripe)", "timezone": "Etc/UTC"}},
        tos_acceptance={"date": None, "ip": None, "user_agent": None},
        type="standard",
    )


def _named(call: Call) -> Json:
    if call.id != call.work.account.id:
        raise StripeError(
            403,
            "invalid_request_error",
            f"The provided key does not have access to account '{call.id}' (or that account does not exist).",
            code="account_invalid",
        )
    return _own(call)


ENDPOINTS: Endpoints = {
    ("GET", "/v1/account"): endpoint(_own),
    ("GET", "/v1/accounts/{account}"): endpoint(_named),
}
