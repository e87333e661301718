"""What discounts take off the lines of a bill and taxes put on, in whole minor units whose sums are exact."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True, slots=True)
class Sale:
    """One line of a bill before discounts."""

    amount: int
    product: str | None = None
    is_discountable: bool = True


@dataclass(frozen=True, slots=True)
class Reduction:
    """What one discount takes off: a percentage or an amount, of the lines of ``products`` or of all (None)."""

    discount: str
    percent_off: Decimal | None = None
    amount_off: int = 0
    products: frozenset[str] | None = None

    def takes(self, sale: Sale) -> bool:
        return sale.is_discountable and sale.amount > 0 and (self.products is None or sale.product in self.products)

    def off(self, base: int) -> int:
        if self.percent_off is None:
            return min(self.amount_off, base)
        return rounded(base * self.percent_off / 100)


@dataclass(frozen=True, slots=True)
class Rate:
    """One tax rate, in percent; an inclusive one is in the amount already."""

    rate: str
    percentage: Decimal
    is_inclusive: bool


@dataclass(frozen=True, slots=True)
class Tax:
    """What one rate comes to on ``taxable`` minor units."""

    rate: str
    amount: int
    taxable: int
    is_inclusive: bool

    def plus(self, other: Tax) -> Tax:
        return replace(self, amount=self.amount + other.amount, taxable=self.taxable + other.taxable)


def number(exact: Decimal) -> int | float:
    """Return a percentage as JSON shows it: 19, or 8.875."""
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def rounded(exact: Decimal) -> int:
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def reduced(sales: list[Sale], reductions: list[Reduction]) -> list[dict[str, int]]:
    """Return for each line what each discount takes off it; each discount sees what those before it have left."""
    taken: list[dict[str, int]] = [{} for _ in sales]
    for reduction in reductions:
        places = [place for place, sale in enumerate(sales) if reduction.takes(sale)]
        left = [sales[place].amount - sum(taken[place].values()) for place in places]
        for place, part in zip(places, _shared(reduction.off(sum(left)), left), strict=True):
            if part:
                taken[place][reduction.discount] = part
    return taken


def taxed(amount: int, rates: list[Rate], *, is_exempt: bool) -> list[Tax]:
    """Return what each rate comes to on a line of ``amount``, rounded on the line; nothing for who is exempt."""
    net = _net(amount, rates)
    taxes = []
    for rate in rates:
        tax = 0 if is_exempt else rounded(net * rate.percentage / 100)
        taxes.append(Tax(rate.rate, tax, rounded(net), rate.is_inclusive))
    return taxes


def without_tax(amount: int, rates: list[Rate]) -> int:
    """Return ``amount`` without the taxes that are in it."""
    return rounded(_net(amount, rates))


def _net(amount: int, rates: list[Rate]) -> Decimal:
    included = sum((rate.percentage for rate in rates if rate.is_inclusive), Decimal(0))
    return Decimal(amount) * 100 / (100 + included)


def _shared(amount: int, weights: list[int]) -> list[int]:
    """Share ``amount`` by weight; what rounding leaves over goes to the first lines, one unit each."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    parts = [amount * weight // whole for weight in weights]
    for place in range(amount - sum(parts)):
        parts[place] += 1
    return parts
