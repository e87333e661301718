"""The line items of a checkout session: what is sold on its page, and for how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.amounts import Sale, reduced
from sandbox.errors import invalid
from sandbox.objects import made, new_id
from sandbox.resources import customers, prices, pricing, products

if TYPE_CHECKING:
    from sandbox.amounts import Reduction
    from sandbox.objects import Json
    from sandbox.work import Work

_MOST_LINES = 100


def make(work: Work, session: str, params: dict[str, Any]) -> list[Json]:
    """Make the lines that ``params`` ask for in a session's create, not priced yet."""
    if not 1 <= len(params["line_items"]) <= _MOST_LINES:
        raise invalid(f"A session has 1 to {_MOST_LINES} line items.", param="line_items")
    wanted = [(each, f"line_items[{place}]") for place, each in enumerate(params["line_items"])]
    lines = [_line(work, each, param) for each, param in wanted]
    kind = "recurring" if params["mode"] == "subscription" else "one_time"
    if any(line["price"]["type"] != kind for line in lines):
        raise invalid(f"In `{params['mode']}` mode the sandbox takes {kind} prices alone.", param="line_items")
    for line in reversed(lines):  # lists begin with what was made last, and a page with its first line
        work.put({**line, "sandbox_session": session})
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
    for line, sale, off in zip(lines, sales, reduced(sales, reductions), strict=True):
        discount = sum(off.values())
        amounts = {"amount_subtotal": sale.amount, "amount_discount": discount, "amount_total": sale.amount - discount}
        work.change(line, currency=currency, **amounts)
    found = [work.account.objects[line["id"]] for line in lines]
    sums = {name: sum(line[name] for line in found) for name in ("amount_subtotal", "amount_total", "amount_discount")}
    details = {"amount_discount": sums.pop("amount_discount"), "amount_shipping": 0, "amount_tax": 0}
    return {**sums, "currency": currency, "total_details": details}


def _sale(line: Json, currency: str, param: str) -> Sale:
    pricing.check_sold(line["price"], currency, param)
    amount = 0 if line["quantity"] is None else pricing.total(line["price"], currency, line["quantity"])
    return Sale(amount, line["price"]["product"])


def _line(work: Work, wanted: Json, param: str) -> Json:
    price = _price(work, wanted, param)
    return made(
        "item",
        id=new_id("li"),
        amount_discount=0,
        amount_subtotal=0,
        amount_tax=0,
        amount_total=0,
        currency=price["currency"],
        description=work.account.objects[price["product"]]["name"],
        price=price,
        quantity=_quantity(price, wanted, param),
    )


def _price(work: Work, wanted: Json, param: str) -> Json:
    if wanted.keys() - {"price", "price_data", "quantity"} or ("price" in wanted) == ("price_data" in wanted):
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
