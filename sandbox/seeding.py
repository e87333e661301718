"""Objects made by order, with ids that the orderer chose, as no client of Stripe could."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox import cards
from sandbox.errors import invalid
from sandbox.resources import customers, payment_methods, prices, products

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

CardName = Literal["visa", "declined", "insufficient_funds", "3ds", "settles_later"]

CARDS: dict[CardName, cards.Card] = {
    "visa": cards.CARDS["visa"],
    "declined": cards.CARDS["chargeCustomerFail"],
    "insufficient_funds": cards.CARDS["chargeDeclinedInsufficientFunds"],
    "3ds": cards.CARDS["authenticationRequired"],
    "settles_later": cards.CARDS["settlesLater"],
}


class _Seed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Product(_Seed):
    kind: Literal["product"]
    id: str = Field(pattern=r"^prod_\w+$")
    name: str = "A product"


class _Price(_Seed):
    kind: Literal["price"]
    id: str = Field(pattern=r"^price_\w+$")
    product: str
    currency: str = "usd"
    unit_amount: int = Field(default=1000, ge=0)
    interval: Literal["day", "week", "month", "year"] | None = None


class _Customer(_Seed):
    kind: Literal["customer"]
    id: str = Field(pattern=r"^cus_\w+$")
    name: str | None = None
    email: str | None = None
    card: CardName | None = "visa"


class SeedOrder(_Seed):
    account: str = Field(pattern=r"^acct_[A-Za-z0-9]+$")
    objects: list[Annotated[_Product | _Price | _Customer, Field(discriminator="kind")]]


def seeded(work: Work, order: SeedOrder) -> list[Json]:
    """Make the objects of the order; what has its id already is made anew."""
    return [_made(work, seed) for seed in order.objects]


def _made(work: Work, seed: _Product | _Price | _Customer) -> Json:
    if isinstance(seed, _Product):
        return products.make(work, name=seed.name, identifier=seed.id)
    if isinstance(seed, _Price):
        return _price(work, seed)
    return _customer(work, seed)


def _price(work: Work, seed: _Price) -> Json:
    if work.find("product", seed.product) is None:
        raise invalid(f"The price {seed.id} needs the product {seed.product}; order that first.")
    price = prices.make(
        work, product=seed.product, currency=seed.currency, unit_amount=seed.unit_amount, identifier=seed.id
    )
    if seed.interval is None:
        return price
    return work.change(price, type="recurring", recurring=prices.recurring(seed.interval))


def _customer(work: Work, seed: _Customer) -> Json:
    customer = work.change(customers.make(work, identifier=seed.id), name=seed.name, email=seed.email)
    if seed.card is None:
        return customer
    method = payment_methods.make(work, CARDS[seed.card], customer=seed.id)
    settings = {**customer["invoice_settings"], "default_payment_method": method["id"]}
    return work.change(customer, invoice_settings=settings)
