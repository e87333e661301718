"""A running sandbox, and for each test an account of its own in it."""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
import stripe  # noqa: TID251 (the SDK is the client that the sandbox must satisfy)

from sandbox.control import Card, Control
from sandbox.running import running_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Payer:
    """A customer with a default payment method, and the parameters that charge it."""

    customer: str
    method: str

    def charge(self, amount: int = 1000, **more: Any) -> Json:
        usual = {
            "amount": amount,
            "currency": "usd",
            "customer": self.customer,
            "payment_method": self.method,
            "confirm": True,
            "off_session": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
        return {**usual, **more}


@dataclass(frozen=True, slots=True)
class Merchant:
    """One account of the sandbox, its live-format key, and the SDK's client for it."""

    control: Control
    account: str
    key: str

    @property
    def address(self) -> str:
        return self.control.address

    @property
    def v1(self) -> Any:
        return client(self.address, self.key).v1

    def payer(self, card: Card = "visa") -> Payer:
        seeded = self.control.seed_customer(self.account, f"cus_{secrets.token_hex(8)}", card=card)
        return Payer(seeded["id"], seeded["invoice_settings"]["default_payment_method"])

    def price(self, unit_amount: int = 1000, **more: Any) -> str:
        product = self.control.seed_product(self.account, f"prod_{secrets.token_hex(8)}")["id"]
        identifier = f"price_{secrets.token_hex(8)}"
        seeded = self.control.seed_price(self.account, identifier, product=product, unit_amount=unit_amount, **more)
        return str(seeded["id"])


def live_key(kind: str = "sk") -> str:
    return f"{kind}_live_{secrets.token_hex(16)}"


def client(address: str, key: str) -> stripe.StripeClient:
    return stripe.StripeClient(key, base_addresses={"api": address}, max_network_retries=0)


def exchange(address: str, path: str, *, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    """Send one request without the SDK; return the status and the text of the answer."""
    connection = HTTPConnection(address.removeprefix("http://"), timeout=5)
    with closing(connection):
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[str]:
    with running_sandbox() as address:
        yield address


@pytest.fixture
def control(shared_sandbox: str) -> Iterator[Control]:
    control = Control(shared_sandbox)
    yield control
    control.clear_faults()
    control.set_webhooks()


@pytest.fixture
def merchant(control: Control) -> Merchant:
    account, key = f"acct_{secrets.token_hex(8)}", live_key()
    control.register_keys(account, key)
    return Merchant(control, account, key)
