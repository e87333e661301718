"""Requests that no sane caller sends: every endpoint with odd methods, addresses, headers, queries and bodies."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

BOT = "finance:finance_router_bot"

GOOD_BODIES: dict[str, dict[str, Any]] = {
    "/charges": {"bot": BOT, "amount": "10.00"},
    "/customers": {"bot": BOT, "email": "ann@example.com"},
    "/refunds": {"bot": BOT, "payment": str(uuid.UUID(int=1))},
    "/subscriptions": {"bot": BOT},
    "/checkout-sessions": {"bot": BOT, "success_url": "https://example.com/s"},
    "/routes/resolve": {"bot": BOT},
    "/routes": {
        "business_category": "finance",
        "bot_name": "odd",
        "route": {"product_id": "prod_a", "price_id": "price_a", "customer_id": "cus_a"},
    },
    "/overrides": {
        "business_category": "finance",
        "bot_name": "finance_router_bot",
        "key": "tier",
        "value": "gold",
        "route": {"price_id": "price_a"},
    },
}
PUTS = frozenset({"/routes", "/overrides"})
READS = ("/charges", "/balance", "/routes", "/overrides", f"/charges/{uuid.UUID(int=1)}", "/changes/1")
ADDRESSES = sorted({*GOOD_BODIES, *READS, "/webhooks/stripe/stripe"})

ODD_TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\u200b",
    "\u202e",
    "\N{PILE OF POO}",
    "é" * 300,
    "x" * 5000,
    "'; DROP TABLE x; --",
    "../../etc/passwd",
    "%s%n",
    "{{7*7}}",
    "null",
    "-1",
    "NaN",
    "1e400",
    "٣",
    "\r\nX: y",
    "a:b:c:d",
    ":",
    "sk_live_" + "x" * 24,
)
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    -(10**400),
    1e308,
    [],
    [[]],
    {},
    {"": ""},
    {"a": {"b": 1}},
    ["x"] * 100,
    *ODD_TEXTS,
)
ODD_BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"1",
    b"\xff\xfe",
    b"\0",
    b'{"a":1,"a":2}',
    b'{"bot":NaN}',
    b'{"bot":Infinity}',
    b'{"bot":' + b"[" * 2000 + b"]" * 2000 + b"}",
    b"{" + b'"a":{' * 1000,
    b'{"amount":' + b"9" * 5000 + b"}",
    b'{"\\ud800":1}',
)
ODD_HEADERS = (
    {"Accept": "text/html"},
    {"Accept": "image/png"},
    {"Accept": "\xff"},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "multipart/form-data"},
    {"Content-Type": ""},
    {"Idempotency-Key": ""},
    {"Idempotency-Key": "x" * 5000},
    {"Idempotency-Key": "a\0"},
    {"Idempotency-Key": "é"},
    {"X-Request-Timeout": "x"},
    {"X-Request-Timeout": "-1"},
    {"X-Request-Timeout": "1e400"},
    {"X-Request-Timeout": "nan"},
    {"Host": "evil.example"},
    {"Host": ""},
    {"Host": "a b"},
    {"Authorization": "Bearer"},
    {"Authorization": "Basic x"},
    {"Authorization": "\xff"},
    {"Authorization": "Bearer brt_" + "0" * 12 + "_" + "x" * 43},
    {"Cookie": "sessionid=\xff"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"Range": "bytes=0-"},
    {"If-None-Match": "*"},
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "x"},
    {"Content-Encoding": "gzip"},
    {"Accept-Language": "x" * 500},
    {"X-Request-ID": "\x7f"},
)
ODD_QUERIES = (
    "?",
    "?a",
    "?=",
    "?&&",
    "?limit=0",
    "?limit=-1",
    "?limit=x",
    "?limit=99999999999999999999",
    "?limit=1&limit=2",
    "?limit=٣",
    "?cursor=x",
    "?cursor=",
    "?cursor=%00",
    "?cursor=bz0x",
    "?cursor=%ff",
    "?status=x",
    "?status=",
    "?currency=xxx",
    "?bot=%00",
    "?bot=%ff%fe",
    "?bot=" + "x" * 3000,
    "?region=%F0%9F%92%A9",
    "?domain[]=x",
    "?format=html",
    "?dry_run=maybe",
    "?dry_run=1",
    "?created_after=x",
    "?created_after=9999999-01-01",
    "?idempotency_key=%00",
    "?idempotency_key=",
    "?page=1",
    "?bot=a&bot=b",
)
ODD_PATHS = (
    "http://testserver//api/v1/charges",
    "/api//v1/charges",
    "/api/v1/charges/",
    "/api/v1/charges/x",
    "/api/v1/charges/%00",
    "/api/v1/charges/..",
    "/api/v1/changes/0",
    "/api/v1/changes/99999999999999999999",
    "/api/v1/changes/-1",
    "/api/v1/webhooks/stripe/%00",
    "/api/v1/webhooks/stripe/%ff",
    "/api/v1/webhooks/stripe/no-such",
    "/api/v1/webhooks/stripe/" + "x" * 500,
    "/api",
    "/api/",
    "/api/v1",
    "/api/v2/charges",
    "/api/schema?format=x",
    "/api/v1/subscriptions/x/cancel",
    "/%61pi/v1/charges",
    "/api/v1/%C0%AF",
)
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO")


@dataclass(frozen=True)
class OddRequest:
    method: str
    address: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.address[:60]} {self.body[:50]!r} {self.headers}"[:160]


def requests() -> Iterator[OddRequest]:
    yield from (OddRequest(method, f"/api/v1{address}") for method in METHODS for address in ADDRESSES)
    yield from (OddRequest("GET", path) for path in ODD_PATHS)
    yield from (OddRequest("GET", f"/api/v1{address}{query}") for address in READS for query in ODD_QUERIES)
    yield from (OddRequest("GET", "/api/v1/charges", headers=headers) for headers in ODD_HEADERS)
    for address, good in GOOD_BODIES.items():
        method, url = "PUT" if address in PUTS else "POST", f"/api/v1{address}"
        key = {"Idempotency-Key": "odd"}
        yield from (OddRequest(method, url, body, key) for body in ODD_BODIES)
        yield from (OddRequest(method, url, encoded(good), key | headers) for headers in ODD_HEADERS)
        yield from (OddRequest(method, url + query, encoded(good), key) for query in ODD_QUERIES)
        for changed in _variations(good):
            yield OddRequest(method, url, encoded(changed), key)


FIELDS = (
    "amount",
    "quantity",
    "price_id",
    "currency",
    "customer_id",
    "description",
    "metadata",
    "overrides",
    "email",
    "name",
    "phone",
    "payment",
    "reason",
    "success_url",
    "cancel_url",
    "mode",
    "line_items",
    "domain",
    "region",
    "as_of",
    "unknown",
)


def _variations(good: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in {**good, **dict.fromkeys(FIELDS)}:
        yield {key: value for key, value in good.items() if key != name}
        yield from ({**good, name: value} for value in ODD_VALUES)
    for text in ODD_TEXTS:
        yield {**good, "metadata": {text: "x"}}
        yield {**good, "metadata": {"x": text}}
        yield {**good, "overrides": {text: "x"}}
        yield {**good, "overrides": {"region": text}}


def encoded(body: Any) -> bytes:
    return json.dumps(body, allow_nan=True).encode("utf-8", "surrogatepass")
