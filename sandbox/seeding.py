"""Objects made by order, with ids that the orderer chose, as no client of Stripe could."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox import cards, contract
from sandbox.currencies import check_currency
from sandbox.errors import invalid
from sandbox.resources import customer_balance, customers, payment_methods, prices, products

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

CardName = Literal["visa", "declined", "declined_later", "insufficient_funds", "3ds", "settles_later"]

CARDS: dict[CardName, cards.Card] = {
    "visa": cards.CARDS["visa"],
    "declined": cards.CARDS["chargeCustomerFail"],
    "declined_later": cards.CARDS["declinesLater"],
    "insufficient_funds": cards.CARDS["chargeDeclinedInsufficientFunds"],
    "3ds": cards.CARDS["authenticationRequired"],
    "settles_later": cards.CARDS["settlesLater"],
}

_Id = Annotated[str, Field(pattern=r"^\S{1,255}$")]
"""Any id: older accounts have plans, products and customers whose ids their owners chose."""


class _Seed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Product(_Seed):
    kind: Literal["product"]
    id: _Id
    name: str = "A product"


class _Price(_Seed):
    """``currency_options`` are minor units by currency; ``more`` holds any other parameters of Stripe's create."""

    kind: Literal["price"]
    id: _Id
    product: str
    currency: str = "usd"
    unit_amount: int | None = Field(default=1000, ge=0)
    currency_options: dict[str, int] = {}
    interval: Literal["day", "week", "month", "year"] | None = None
    more: dict[str, Any] = {}


class _Customer(_Seed):
    """``balance`` is what the customer owes in minor units of ``currency``; credit is negative."""

    kind: Literal["customer"]
    id: _Id
    name: str | None = None
    email: str | None = None
    card: CardName | None = "visa"
    currency: str | None = None
    balance: int = 0


class SeedOrder(_Seed):
    account: str = Field(pattern=r"^acct_[A-Za-z0-9]+$")
    objects: list[Annotated[_Product | _Price | _Customer, Field(discriminator="kind")]]


def seeded(work: Work, order: SeedOrder) -> list[Json]:
    """Make the objects of the order; what has its id already is made anew."""
    return [_made(work, seed) for seed in order.objects]


def _made(work: Work, seed: _Product | _Price | _Customer) -> Json:
    known = work.account.objects.get(seed.id)
    if known and known["object"] != seed.kind:
        raise invalid(f"{seed.id} is the id of a {known['object']} in the sandbox; choose another.")
    if isinstance(seed, _Product):
        return products.make(work, name=seed.name, identifier=seed.id)
    if isinstance(seed, _Price):
        return _price(work, seed)
    return _customer(work, seed)


def _price(work: Work, seed: _Price) -> Json:
    if work.find("product", seed.product) is None:
        raise invalid(f"The price {seed.id} needs the product {seed.product}; order that first.")
    options = {currency: {"unit_amount": amount} for currency, amount in seed.currency_options.items()}
    params = {"currency": seed.currency, "currency_options": options, **seed.more}
    if seed.unit_amount is not None:
        params["unit_amount"] = seed.unit_amount
    if seed.interval is not None:
        params["recurring"] = {"interval": seed.interval, **seed.more.get("recurring", {})}
    sent = contract.validated(("POST", "/v1/prices"), _as_form(params))
    return prices.make(work, sent, product=seed.product, identifier=seed.id)


def _as_form(value: Any) -> Any:
    """Return JSON as a form carries it: lists by their places, and everything else as text."""
    if isinstance(value, dict):
        return {name: _as_form(each) for name, each in value.items()}
    if isinstance(value, list):
        return {str(place): _as_form(each) for place, each in enumerate(value)}
    return str(value).lower() if isinstance(value, bool) else str(value)


def _customer(work: Work, seed: _Customer) -> Json:
    customer = work.change(customers.make(work, identifier=seed.id), name=seed.name, email=seed.email)
    if seed.currency is not None:
        check_currency(seed.currency)
        customer = customers.bill_once(work, customer, seed.currency)
    customer = customer_balance.set_to(work, customer, seed.balance)
    if seed.card is None:
        return customer
    method = payment_methods.make(work, CARDS[seed.card], customer=seed.id)
    settings = {**customer["invoice_settings"], "default_payment_method": method["id"]}
    return work.change(customer, invoice_settings=settings)
