"""The sandbox's control from Python: keys, seeded objects, faults, the clock, and what was asked of the sandbox."""

from __future__ import annotations

import json
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

_PATIENCE = 30  # seconds
_open = build_opener(ProxyHandler({})).open  # loopback: no proxy may stand between

Json = dict[str, Any]
Card = Literal["visa", "declined", "declined_later", "insufficient_funds", "3ds", "settles_later"]
Level = Literal["none", "read", "write"]
Signature = Literal["plain", "spaced", "two_lines", "rolled", "with_v0", "stale", "wrong"]
FaultKind = Literal[
    "latency", "late", "reset_before", "reset_after", "truncate", "slow_drip", "not_json", "another_answer", "status",
]  # fmt: skip


class Control:
    """Orders to the sandbox at ``address``. A method raises ``RuntimeError`` where the sandbox refuses its order."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def register_keys(
        self,
        account: str,
        *keys: str,
        status: Literal["active", "revoked", "expired"] = "active",
        denied: list[str] | None = None,
        permissions: dict[str, Level] | None = None,
        otherwise: Level = "write",
    ) -> None:
        """Let the keys open ``account``, or stop them.

        A restricted key can have ``permissions``, named as Stripe names them: ``{"charge": "read", "plan": "none"}``
        (charge is also for refunds, and plan for prices), and ``otherwise`` for the rest. ``denied`` are resources of
        the API's paths, such as ``charges``, that it may not use at all.
        """
        order = {"account": account, "keys": keys, "status": status, "denied": denied or []}
        self._send("POST", "keys", {**order, "permissions": permissions or {}, "otherwise": otherwise})

    def seed_product(self, account: str, identifier: str, *, name: str = "A product") -> Json:
        return self._seed(account, {"kind": "product", "id": identifier, "name": name})

    def seed_price(  # noqa: PLR0913 (a price has these parts, and all but the first are named)
        self,
        account: str,
        identifier: str,
        *,
        product: str,
        unit_amount: int | None = 1000,
        currency: str = "usd",
        interval: Literal["day", "week", "month", "year"] | None = None,
        currency_options: dict[str, int] | None = None,
        **more: Any,
    ) -> Json:
        """Make a price of ``unit_amount`` minor units, paid once, or every ``interval``.

        ``currency_options`` are the minor units in other currencies. ``more`` are other parameters of Stripe's create:
        ``unit_amount=None, unit_amount_decimal="0.5"``, ``recurring={"usage_type": "metered", "meter": "mtr_1"}``.
        """
        seed = {"product": product, "unit_amount": unit_amount, "currency": currency, "interval": interval}
        options = {"currency_options": currency_options or {}, "more": more}
        return self._seed(account, {"kind": "price", "id": identifier, **seed, **options})

    def seed_customer(self, account: str, identifier: str, *, card: Card | None = "visa", **more: Any) -> Json:
        """Make a customer whose default payment method is the test card ``card``, or who has none.

        ``more``: ``name``, ``email``, ``currency``, and ``balance``, which is owed, or credit where it is negative.
        """
        return self._seed(account, {"kind": "customer", "id": identifier, "card": card, **more})

    def fault(
        self,
        kind: FaultKind,
        *,
        method: str = "*",
        path: str = "*",
        nth: int = 1,
        count: int | None = 1,
        **how: Any,
    ) -> None:
        """Order a fault for the ``nth`` matching call and ``count`` calls from there (None: until they are cleared).

        ``how``: ``seconds`` for latency, late and slow_drip; ``body`` for not_json; ``status`` and ``body`` for
        another_answer; ``status``, ``code``, ``headers``, ``effect`` and ``stored`` for status. See
        ``sandbox.faults.Fault``.
        """
        self._send("POST", "faults", {"kind": kind, "method": method, "path": path, "nth": nth, "count": count, **how})

    def clear_faults(self) -> None:
        self._send("DELETE", "faults")

    def requests(self, *, method: str | None = None, path: str | None = None) -> list[Json]:
        """Return the requests to the API so far, oldest first; see ``sandbox.request_log.LoggedRequest``."""
        found: list[Json] = self._send("GET", "requests")["requests"]
        return [each for each in found if method in (None, each["method"]) and path in (None, each["path"])]

    def state(self) -> Json:
        """Return ``{"now": seconds, "accounts": {id: {kind of object: how many}}}``."""
        return self._send("GET", "state")

    def call(self, key: str, method: str, path: str, params: Json | None = None) -> Json:
        """Call the API as somebody at the account's Dashboard would: ``call(key, "POST", "/v1/refunds", {…})``.

        ``params`` may be nested. ``RuntimeError`` has the body of an error.
        """
        query = urlencode(_flat(params or {}))
        address = f"{self.address}{path}{f'?{query}' if method != 'POST' and query else ''}"
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-www-form-urlencoded"}
        body = query.encode() if method == "POST" else None
        return _answer(Request(address, body, headers, method=method))  # noqa: S310 (loopback http)

    def objects(self, key: str, resource: str, **filters: str) -> list[Json]:
        """Return every object in one of the API's lists, newest first: ``objects(key, "payment_intents")``."""
        found: list[Json] = []
        cursor = ""
        while True:
            query = "&".join([*(f"{name}={value}" for name, value in filters.items()), "limit=100"]) + cursor
            page = _answer(Request(f"{self.address}/v1/{resource}?{query}", headers={"Authorization": f"Bearer {key}"}))  # noqa: S310 (loopback)
            found += page["data"]
            if not page["has_more"]:
                return found
            cursor = f"&starting_after={found[-1]['id']}"

    def complete_checkout(self, account: str, session: str, *, card: Card = "visa", **chosen: Any) -> Json:
        """Pay the checkout session as its customer would, with the test card ``card``.

        ``chosen``: ``currency``, which the page chooses where the session names none; ``promotion_code``, as typed;
        ``as_default``, to make the card the customer's default after it.
        """
        return self._send("POST", "checkout", {"account": account, "session": session, "card": card, **chosen})

    def discount_customer(self, account: str, customer: str, coupon: str) -> Json:
        """Put a coupon on a customer, which people do at the Dashboard and Stripe's API does no more."""
        return self._send("POST", "discounts", {"account": account, "customer": customer, "coupon": coupon})

    def settle_payment(
        self, account: str, payment_intent: str, outcome: Literal["succeeded", "failed"] = "succeeded"
    ) -> Json:
        """Settle a payment intent that is ``requires_action`` or ``processing``."""
        return self._send(
            "POST", "payments", {"account": account, "payment_intent": payment_intent, "outcome": outcome}
        )

    def settle_refund(self, account: str, refund: str, outcome: Literal["succeeded", "failed"] = "succeeded") -> Json:
        """Settle a refund that is ``pending``, of a card that settles later, or fail one that succeeded."""
        return self._send("POST", "refunds", {"account": account, "refund": refund, "outcome": outcome})

    def dispute_payment(
        self, account: str, payment_intent: str, *, reason: str = "fraudulent", amount: int | None = None
    ) -> Json:
        """Dispute a payment that succeeded, or ``amount`` of it, as the customer's bank would; return the dispute."""
        order = {"account": account, "payment_intent": payment_intent, "reason": reason, "amount": amount}
        return self._send("POST", "disputes", order)

    def close_dispute(self, account: str, dispute: str, outcome: Literal["won", "lost"]) -> Json:
        return self._send("POST", "disputes/close", {"account": account, "dispute": dispute, "outcome": outcome})

    def set_webhooks(self, *, paused: bool = False, copies: int = 1, signature: Signature = "plain") -> None:
        """Let events wait while ``paused``; send ``copies`` of each that happens from now on, signed in one style."""
        self._send("POST", "webhooks", {"paused": paused, "copies": copies, "signature": signature})

    def deliver_event(self, account: str, kind: str, about: Json | None = None, **how: Any) -> Json:
        """Deliver an event of the type ``kind`` about an object, though nothing happened; return the event.

        ``how``: ``thin``, for one that names its object alone; ``livemode=False``; ``signature``; ``more``, any fields
        of the event. See ``sandbox.sent_events.EventOrder``.
        """
        return self._send("POST", "webhooks/deliver", {"account": account, "type": kind, "about": about or {}, **how})

    def redeliver(
        self, account: str, *, types: list[str] | None = None, copies: int = 1, newest_first: bool = False
    ) -> None:
        """Send the account's past events again, in either order; all of them, or those of ``types``."""
        order = {"account": account, "types": types, "copies": copies, "newest_first": newest_first}
        self._send("POST", "webhooks/redeliver", order)

    def advance_clock(self, seconds: int) -> None:
        """Move the sandbox's clock on, or back by negative seconds.

        On the way, subscriptions renew, invoices are finalized and collected, and what is over expires, each at its
        time. The invoice of a renewal is a draft for an hour first, as at Stripe.
        """
        self._send("POST", "clock", {"advance": seconds})

    def reset(self) -> None:
        """Forget everything: accounts, keys, faults, the log and the clock."""
        self._send("POST", "reset")

    def _seed(self, account: str, seed: Json) -> Json:
        made: Json = self._send("POST", "objects", {"account": account, "objects": [seed]})["objects"][0]
        return made

    def _send(self, method: str, name: str, order: Json | None = None) -> Json:
        body = json.dumps(order).encode() if order is not None else None
        return _answer(Request(f"{self.address}/_sandbox/{name}", body, method=method))  # noqa: S310 (loopback)


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Return nested parameters as pairs of a form."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        named = ((f"{name}[{each}]" if name else str(each), found) for each, found in inner)
        return [pair for at, found in named for pair in _flat(found, at)]
    return [(name, str(value).lower() if isinstance(value, bool) else str(value))]


def _answer(request: Request) -> Json:
    try:
        with _open(request, timeout=_PATIENCE) as answer:
            found: Json = json.load(answer)
            return found
    except HTTPError as error:
        raise RuntimeError(f"The sandbox refused the order: {error.read().decode()}") from error
