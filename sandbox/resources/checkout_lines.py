"""The line items of a checkout session: what is sold on its page, and for how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.amounts import Sale, reduced, taxed
from sandbox.errors import invalid
from sandbox.objects import made, new_id
from sandbox.resources import customers, prices, pricing, products, tax_rates, trials

if TYPE_CHECKING:
    from sandbox.amounts import Reduction
    from sandbox.objects import Json
    from sandbox.work import Work

_MOST_LINES = 100
_AMOUNTS = ("amount_subtotal", "amount_discount", "amount_tax", "amount_total")


def make(work: Work, session: str, params: dict[str, Any]) -> list[Json]:
    """Make the lines that ``params`` ask for in a session's create, not priced yet."""
    if not 1 <= len(params["line_items"]) <= _MOST_LINES:
        raise invalid(f"A session has 1 to {_MOST_LINES} line items.", param="line_items")
    rates = {"tax_rates": params.get("subscription_data", {}).get("default_tax_rates", [])}
    lines = [_line(work, {**rates, **each}, f"line_items[{place}]") for place, each in enumerate(params["line_items"])]
    kind = "recurring" if params["mode"] == "subscription" else "one_time"
    if any(line["price"]["type"] != kind for line in lines):
        raise invalid(f"In `{params['mode']}` mode the sandbox takes {kind} prices alone.", param="line_items")
    customer = work.find("customer", params.get("customer", ""))
    notes = {
        "sandbox_session": session,
        "sandbox_is_exempt": bool(customer and tax_rates.exemption(customer)),
        "sandbox_is_trial": trials.end(work, params.get("subscription_data", {}), lines) is not None,
    }
    for line in reversed(lines):  # lists begin with what was made last, and a page with its first line
        work.put({**line, **notes})
    return of_session(work, session)


def of_session(work: Work, session: str) -> list[Json]:
    """Return the session's lines in their order."""
    return [line for line in work.newest_first("item") if line["sandbox_session"] == session]


def currency(work: Work, params: dict[str, Any], lines: list[Json]) -> str:
    """Return the currency of the page: as told; or, for a subscription, the customer's; or the first price's own."""
    price, customer = lines[0]["price"], work.find("customer", params.get("customer", ""))
    if params["mode"] != "subscription" or customer is None:
        return str(params.get("currency", price["currency"]))
    chosen = pricing.currency_for(price, params.get("currency"), customer)
    customers.check_currency(work, customer, chosen)
    return chosen


def priced(work: Work, lines: list[Json], currency: str, reductions: list[Reduction]) -> Json:
    """Price the lines in ``currency`` with ``reductions``; return the session's amounts."""
    sales = [_sale(line, currency, f"line_items[{place}][price]") for place, line in enumerate(lines)]
    found = [
        work.change(line, currency=currency, **_amounts(line, sale, sum(off.values())))
        for line, sale, off in zip(lines, sales, reduced(sales, reductions), strict=True)
    ]
    sums = {name: sum(line[name] for line in found) for name in _AMOUNTS}
    details = {"amount_shipping": 0, **{name: sums.pop(name) for name in ("amount_discount", "amount_tax")}}
    return {**sums, "currency": currency, "total_details": details}


def _amounts(line: Json, sale: Sale, discount: int) -> Json:
    net = sale.amount - discount
    taxes = taxed(net, tax_rates.applied(line["sandbox_tax_rates"]), is_exempt=line["sandbox_is_exempt"])
    exclusive = sum(tax.amount for tax in taxes if not tax.is_inclusive)
    tax = sum(tax.amount for tax in taxes)
    amounts = (sale.amount, discount, tax, net + exclusive)
    return dict(zip(_AMOUNTS, amounts, strict=True))


def _sale(line: Json, currency: str, param: str) -> Sale:
    pricing.check_sold(line["price"], currency, param)
    is_free = line["quantity"] is None or line["sandbox_is_trial"]
    amount = 0 if is_free else pricing.total(line["price"], currency, line["quantity"])
    return Sale(amount, line["price"]["product"])


def _line(work: Work, wanted: Json, param: str) -> Json:
    price = _price(work, wanted, param)
    line = made(
        "item",
        id=new_id("li"),
        **dict.fromkeys(_AMOUNTS, 0),
        currency=price["currency"],
        description=work.account.objects[price["product"]]["name"],
        price=price,
        quantity=_quantity(price, wanted, param),
    )
    return {**line, "sandbox_tax_rates": tax_rates.chosen(work, wanted.get("tax_rates"), f"{param}[tax_rates]")}


def _price(work: Work, wanted: Json, param: str) -> Json:
    if wanted.keys() - {"price", "price_data", "quantity", "tax_rates"} or ("price" in wanted) == (
        "price_data" in wanted
    ):
        raise invalid("Give a quantity and either price or price_data for each line item.", param=param)
    price = _inline(work, wanted["price_data"], param) if "price_data" in wanted else None
    price = price or work.get("price", wanted["price"], param=f"{param}[price]")
    return prices.sellable(work, price["id"], price["type"], param=f"{param}[price]")


def _quantity(price: Json, wanted: Json, param: str) -> int | None:
    quantity: int | None = wanted.get("quantity")
    if prices.is_metered(price):
        if quantity is not None:
            raise invalid("Quantity should not be specified where the price is metered.", param=f"{param}[quantity]")
        return None
    if quantity is None or quantity < 1:
        raise invalid("Quantity is required. Add `quantity` to your line item.", param=f"{param}[quantity]")
    return quantity


def _inline(work: Work, wanted: Json, param: str) -> Json:
    if ("product" in wanted) == ("product_data" in wanted):
        raise invalid("Give either product or product_data.", param=f"{param}[price_data]")
    if "product" in wanted:
        product = work.get("product", wanted["product"], param=f"{param}[price_data][product]")
    else:
        product = products.make(work, name=wanted["product_data"]["name"])
    return prices.make(work, wanted, product=product["id"])
