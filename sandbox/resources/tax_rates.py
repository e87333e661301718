"""Tax rates that somebody chose by hand. The sandbox has no Stripe Tax: automatic_tax is always off.

https://docs.stripe.com/billing/taxes/tax-rates
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.amounts import Rate, number
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid
from sandbox.objects import made, new_id

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_MOST_PERCENT = 100
_PLAIN = ("active", "country", "description", "display_name", "jurisdiction", "state", "tax_type")
_EXEMPT = {"exempt": "customer_exempt", "reverse": "reverse_charge"}


def chosen(work: Work, identifiers: Any, param: str) -> list[Json]:
    """Return the tax rates that a call names; each must be active."""
    rates = [work.get("tax_rate", each, param=f"{param}[{place}]") for place, each in enumerate(identifiers or [])]
    for place, rate in enumerate(rates):
        if not rate["active"]:
            raise invalid(f"The tax rate {rate['id']} is inactive.", param=f"{param}[{place}]")
    return rates


def applied(rates: list[Json]) -> list[Rate]:
    return [Rate(each["id"], Decimal(str(each["percentage"])), is_inclusive=each["inclusive"]) for each in rates]


def exemption(customer: Json) -> str | None:
    """Return why the customer pays no tax; None where he pays it."""
    return _EXEMPT.get(customer["tax_exempt"])


def check_not_automatic(params: dict[str, Any]) -> None:
    if params.get("automatic_tax", {}).get("enabled"):
        raise invalid("The sandbox has no Stripe Tax: leave automatic_tax off.", param="automatic_tax[enabled]")


def _create(call: Call) -> Json:
    params = call.params
    if not 0 <= params["percentage"] <= _MOST_PERCENT:
        raise invalid("Invalid percentage: must be between 0 and 100.", param="percentage")
    rate = call.work.put(
        made(
            "tax_rate",
            id=new_id("txr"),
            created=call.work.now,
            inclusive=params["inclusive"],
            metadata=metadata.merged({}, params),
            percentage=number(params["percentage"]),
            rate_type="percentage",
            **{"active": True, **{name: params[name] for name in _PLAIN if name in params}},
        )
    )
    call.work.announce("tax_rate.created", rate)
    return rate


def _retrieve(call: Call) -> Json:
    return call.work.get("tax_rate", call.id, param="tax_rate", status=404)


def _update(call: Call) -> Json:
    rate = _retrieve(call)
    plain = {name: call.params[name] for name in _PLAIN if name in call.params}
    revised = call.work.change(rate, **plain, metadata=metadata.merged(rate["metadata"], call.params))
    call.work.announce("tax_rate.updated", revised)
    return revised


def _list(call: Call) -> Json:
    return lists.page(call, "tax_rate", lists.asked(call, "active", "inclusive"))


ENDPOINTS: Endpoints = {
    ("POST", "/v1/tax_rates"): endpoint(_create, f"{' '.join(_PLAIN)} inclusive percentage metadata"),
    ("GET", "/v1/tax_rates/{tax_rate}"): endpoint(_retrieve),
    ("POST", "/v1/tax_rates/{tax_rate}"): endpoint(_update, f"{' '.join(_PLAIN)} metadata"),
    ("GET", "/v1/tax_rates"): listing(_list, "active inclusive created"),
}
