"""The line items of a checkout session: what is sold on its page, and for how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.currencies import check_amount
from sandbox.errors import invalid
from sandbox.objects import made, new_id
from sandbox.resources import customers, prices, pricing, products

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_MOST_LINES = 100


def make(work: Work, session: str, params: dict[str, Any]) -> list[Json]:
    """Make the lines that ``params`` ask for in a session's create; return them."""
    if not 1 <= len(params["line_items"]) <= _MOST_LINES:
        raise invalid(f"A session has 1 to {_MOST_LINES} line items.", param="line_items")
    wanted = [(each, f"line_items[{place}]") for place, each in enumerate(params["line_items"])]
    chosen = [_price(work, each, param) for each, param in wanted]
    kind = "recurring" if params["mode"] == "subscription" else "one_time"
    if any(price["type"] != kind for price in chosen):
        raise invalid(f"In `{params['mode']}` mode the sandbox takes {kind} prices alone.", param="line_items")
    currency = _currency(work, params, chosen)
    lines = [
        _line(work, price, currency, _quantity(price, each, param), param)
        for price, (each, param) in zip(chosen, wanted, strict=True)
    ]
    if params["mode"] == "payment" and (total := sum(line["amount_total"] for line in lines)):
        check_amount(total, currency)
    for line in reversed(lines):  # lists begin with what was made last, and a page with its first line
        work.put({**line, "sandbox_session": session})
    return lines


def of_session(work: Work, session: Json) -> list[Json]:
    """Return the session's lines in their order."""
    return [line for line in work.newest_first("item") if line["sandbox_session"] == session["id"]]


def sums(lines: list[Json]) -> Json:
    """Return the session's amounts."""
    return {
        "amount_subtotal": sum(line["amount_subtotal"] for line in lines),
        "amount_total": sum(line["amount_total"] for line in lines),
        "currency": lines[0]["currency"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    }


def in_currency(work: Work, session: Json, currency: str) -> Json:
    """Price the session anew in the currency of a customer from elsewhere; return its new amounts.

    A page whose session names no currency does so where every price has the customer's:
    https://docs.stripe.com/payments/checkout/localize-prices/manual-currency-prices
    """
    lines = []
    for place, line in enumerate(of_session(work, session)):
        priced = _line(work, line["price"], currency, line["quantity"], f"line_items[{place}]")
        lines.append(work.put({**line, **priced, "id": line["id"]}))
    return sums(lines)


def _price(work: Work, wanted: Json, param: str) -> Json:
    if wanted.keys() - {"price", "price_data", "quantity"} or ("price" in wanted) == ("price_data" in wanted):
        raise invalid("Give a quantity and either price or price_data for each line item.", param=param)
    price = _inline(work, wanted["price_data"], param) if "price_data" in wanted else None
    price = price or work.get("price", wanted["price"], param=f"{param}[price]")
    return prices.sellable(work, price["id"], price["type"], param=f"{param}[price]")


def _currency(work: Work, params: dict[str, Any], chosen: list[Json]) -> str:
    """Return the currency of the page: as told; or, for a subscription, the customer's; or the price's own."""
    customer = work.find("customer", params.get("customer", ""))
    if params["mode"] != "subscription" or customer is None:
        return str(params.get("currency", chosen[0]["currency"]))
    currency = pricing.currency_for(chosen[0], params.get("currency"), customer)
    customers.check_currency(work, customer, currency)
    return currency


def _quantity(price: Json, wanted: Json, param: str) -> int | None:
    quantity: int | None = wanted.get("quantity")
    if prices.is_metered(price):
        if quantity is not None:
            raise invalid("Quantity should not be specified where the price is metered.", param=f"{param}[quantity]")
        return None
    if quantity is None or quantity < 1:
        raise invalid("Quantity is required. Add `quantity` to your line item.", param=f"{param}[quantity]")
    return quantity


def _line(work: Work, price: Json, currency: str, quantity: int | None, param: str) -> Json:
    pricing.check_sold(price, currency, f"{param}[price]")
    total = 0 if quantity is None else pricing.total(price, currency, quantity)
    return made(
        "item",
        id=new_id("li"),
        amount_discount=0,
        amount_subtotal=total,
        amount_tax=0,
        amount_total=total,
        currency=currency,
        description=work.account.objects[price["product"]]["name"],
        price=price,
        quantity=quantity,
    )


def _inline(work: Work, wanted: Json, param: str) -> Json:
    if ("product" in wanted) == ("product_data" in wanted):
        raise invalid("Give either product or product_data.", param=f"{param}[price_data]")
    if "product" in wanted:
        product = work.get("product", wanted["product"], param=f"{param}[price_data][product]")
    else:
        product = products.make(work, name=wanted["product_data"]["name"])
    return prices.make(work, wanted, product=product["id"])
