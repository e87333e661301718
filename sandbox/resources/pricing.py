"""What a quantity of a price costs, in each of the currencies that the price is sold in.

A price shows its default currency alone. The others are its ``currency_options``, which come where they are expanded:
https://docs.stripe.com/products-prices/how-products-and-prices-work#multiple-currencies
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from sandbox.currencies import MOST
from sandbox.errors import StripeError, invalid

if TYPE_CHECKING:
    from sandbox.objects import Json

_AMOUNTS = ("unit_amount", "unit_amount_decimal", "tiers")


def option(wanted: dict[str, Any], param: str = "") -> Json:
    """Return the amounts that a price has in one currency, in the words of ``currency_options``."""
    given = [name for name in _AMOUNTS if name in wanted]
    if not given:
        named = _named(param, "unit_amount")
        raise invalid(f"Missing required param: {named}.", param=named, code="parameter_missing")
    if len(given) > 1:
        raise invalid(
            f"You may only specify one of these parameters: {', '.join(given)}.", param=_named(param, given[0])
        )
    tiers = _tiers(wanted["tiers"], _named(param, "tiers")) if "tiers" in wanted else None
    return {
        "custom_unit_amount": None,
        "tax_behavior": wanted.get("tax_behavior", "unspecified"),
        **(_amounts(wanted, "unit_amount", param) if tiers is None else _none("unit_amount")),
        **({"sandbox_tiers": tiers} if tiers else {}),
    }


def check_sold(price: Json, currency: str, param: str) -> None:
    """Raise Stripe's 400 unless the price is sold in ``currency``."""
    sold = list(price["sandbox_currency_options"])
    if currency in sold:
        return
    if len(sold) == 1:
        raise invalid(
            f"The price specified only supports `{sold[0]}`. This doesn't match the expected currency: `{currency}`.",
            param=param,
        )
    raise invalid(
        f"The price specified supports currencies of {', '.join(f'`{each}`' for each in sold)} which doesn't include "
        f"the expected currency of `{currency}`.",
        param=param,
    )


def currency_for(price: Json, wanted: str | None, customer: Json) -> str:
    """Return the currency that is meant where a call may leave it out: the customer's, or else the price's own."""
    if wanted is not None:
        return wanted
    theirs = customer["currency"]
    return str(theirs if theirs in price["sandbox_currency_options"] else price["currency"])


def total(price: Json, currency: str, quantity: int) -> int:
    """Return what ``quantity`` costs in minor units, rounded half up where the unit has decimals."""
    sold = price["sandbox_currency_options"][currency]
    if price["billing_scheme"] == "tiered":
        exact = _tiered(sold["sandbox_tiers"], price["tiers_mode"], quantity)
    else:
        exact = Decimal(sold["unit_amount_decimal"]) * _packages(price["transform_quantity"], quantity)
    amount = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    if amount > MOST:
        raise invalid(f"Amount must be no more than {MOST}.", param="quantity", code="amount_too_large")
    return amount


def line(price: Json, currency: str) -> Json:
    """Return what an invoice's line says of the price that it bills."""
    named = {"price": price["id"], "product": price["product"]}
    each = price["sandbox_currency_options"][currency]["unit_amount_decimal"]
    return {"price_details": named, "type": "price_details", "unit_amount_decimal": each}


def _packages(transform: Json | None, quantity: int) -> int:
    if transform is None:
        return quantity
    whole, rest = divmod(quantity, transform["divide_by"])
    return int(whole + (1 if rest and transform["round"] == "up" else 0))


def _tiered(tiers: list[Json], mode: str, quantity: int) -> Decimal:
    """Return what tiers come to: https://docs.stripe.com/products-prices/pricing-models#tiered-pricing."""
    if mode == "volume":
        reached = next(tier for tier in tiers if tier["up_to"] is None or quantity <= tier["up_to"])
        return _tier(reached, quantity)
    exact, below = Decimal(0), 0
    for tier in tiers:
        top = quantity if tier["up_to"] is None else min(quantity, tier["up_to"])
        exact += _tier(tier, top - below)
        if top == quantity:
            break
        below = top
    return exact


def _tier(tier: Json, quantity: int) -> Decimal:
    return Decimal(tier["flat_amount_decimal"] or 0) + Decimal(tier["unit_amount_decimal"] or 0) * quantity


def _tiers(wanted: list[Json], param: str) -> list[Json]:
    tops = [None if each["up_to"] == "inf" else each["up_to"] for each in wanted]
    if not tops or tops[-1] is not None or None in tops[:-1] or sorted(tops[:-1]) != tops[:-1]:  # type: ignore[type-var]  # no None is in it
        raise invalid("Tiers must be in ascending order, and the last one must have up_to=inf.", param=param)
    return [
        {**_amounts(each, "flat_amount", param), **_amounts(each, "unit_amount", param), "up_to": top}
        for each, top in zip(wanted, tops, strict=True)
    ]


def _amounts(wanted: dict[str, Any], name: str, param: str) -> Json:
    """Return ``name`` and ``name_decimal``, where the whole number is null unless the decimal is one."""
    given: Decimal | int | None = wanted.get(name, wanted.get(f"{name}_decimal"))
    if given is None:
        return _none(name)
    if not 0 <= given <= MOST:
        raise _out_of_range(_named(param, name))
    exact = Decimal(given)
    whole = int(exact) if exact == exact.to_integral_value() else None
    return {name: whole, f"{name}_decimal": format(exact.normalize(), "f")}


def _none(name: str) -> Json:
    return {name: None, f"{name}_decimal": None}


def _named(outer: str, name: str) -> str:
    return f"{outer}[{name}]" if outer else name


def _out_of_range(param: str) -> StripeError:
    return invalid(f"Invalid {param}: must be between 0 and {MOST}.", param=param)
