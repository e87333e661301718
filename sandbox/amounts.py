"""What discounts take off the lines of a bill, in whole minor units whose sum is exact."""

from __future__ import annotations

from dataclasses import dataclass
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


def _shared(amount: int, weights: list[int]) -> list[int]:
    """Share ``amount`` by weight; what rounding leaves over goes to the first lines, one unit each."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    parts = [amount * weight // whole for weight in weights]
    for place in range(amount - sum(parts)):
        parts[place] += 1
    return parts
