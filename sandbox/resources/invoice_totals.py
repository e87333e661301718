"""What an invoice's lines come to: discounts first, then taxes on what they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.amounts import Reduction, Sale, Tax, reduced, taxed, without_tax
from sandbox.resources import tax_rates

if TYPE_CHECKING:
    from sandbox.objects import Json


def totalled(invoice: Json, lines: list[Json], reductions: list[Reduction], exemption: str | None) -> Json:
    """Return the fields of the invoice that say its lines and its amounts."""
    sales = [_sale(line) for line in lines]
    taken = reduced(sales, reductions)
    rates = [tax_rates.applied(line["sandbox_tax_rates"] or invoice["default_tax_rates"]) for line in lines]
    nets = [sale.amount - sum(off.values()) for sale, off in zip(sales, taken, strict=True)]
    taxes = [taxed(net, each, is_exempt=exemption is not None) for net, each in zip(nets, rates, strict=True)]
    reason = exemption or "not_available"
    off = {each: sum(part.get(each, 0) for part in taken) for each in invoice["discounts"]}
    every = _summed([tax for line in taxes for tax in line])
    subtotal, exclusive = sum(sale.amount for sale in sales), sum(tax.amount for tax in every if not tax.is_inclusive)
    total = subtotal - sum(off.values()) + exclusive
    return {
        "lines": {
            **invoice["lines"],
            "data": [_billed(*each, reason) for each in zip(lines, taken, taxes, strict=True)],
        },
        "amount_due": max(total, 0),
        "amount_remaining": max(total, 0),
        "subtotal": subtotal,
        "subtotal_excluding_tax": sum(without_tax(s.amount, each) for s, each in zip(sales, rates, strict=True)),
        "total": total,
        "total_discount_amounts": _discount_amounts(off),
        "total_excluding_tax": total - sum(tax.amount for tax in every),
        "total_taxes": [_tax(tax, reason) for tax in every],
    }


def _sale(line: Json) -> Sale:
    details = (line["pricing"] or {}).get("price_details") or {}
    return Sale(line["amount"], details.get("product"), line["discountable"])


def _billed(line: Json, off: dict[str, int], taxes: list[Tax], reason: str) -> Json:
    return {**line, "discount_amounts": _discount_amounts(off), "taxes": [_tax(tax, reason) for tax in taxes]}


def _discount_amounts(off: dict[str, int]) -> list[Json]:
    return [{"amount": amount, "discount": discount} for discount, amount in off.items()]


def _summed(taxes: list[Tax]) -> list[Tax]:
    """Return one tax for each rate."""
    found: dict[str, Tax] = {}
    for tax in taxes:
        before = found.get(tax.rate)
        found[tax.rate] = tax.plus(before) if before else tax
    return list(found.values())


def _tax(tax: Tax, reason: str) -> Json:
    return {
        "amount": tax.amount,
        "tax_behavior": "inclusive" if tax.is_inclusive else "exclusive",
        "tax_rate_details": {"tax_rate": tax.rate},
        "taxability_reason": reason,
        "taxable_amount": tax.taxable,
        "type": "tax_rate_details",
    }
