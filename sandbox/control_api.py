"""The sandbox's control under ``/_sandbox/``: what tests and the demo may order that no client of Stripe can."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox import keys, permissions, seeding, settling
from sandbox.errors import StripeError, invalid
from sandbox.faults import Fault
from sandbox.http import Answer, Request
from sandbox.objects import NOTICE, public
from sandbox.permissions import Level  # noqa: TC001 (pydantic reads it)
from sandbox.resources import checkout_completion, discounts, disputes, renewals
from sandbox.sent_events import EventOrder
from sandbox.signing import Style  # noqa: TC001 (pydantic reads it)
from sandbox.store import Key
from sandbox.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.faults import Faults
    from sandbox.objects import Json
    from sandbox.request_log import RequestLog
    from sandbox.store import Store
    from sandbox.webhooks import Webhooks


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _KeyOrder(_Order):
    """Let ``keys`` open ``account``. ``denied`` are resources of the API's paths that they may not use at all."""

    account: str = Field(pattern=r"^acct_[A-Za-z0-9]+$")
    keys: list[str] = Field(min_length=1)
    status: Literal["active", "revoked", "expired"] = "active"
    denied: list[str] = []
    permissions: dict[str, Level] = {}
    otherwise: Level = "write"


class _ClockOrder(_Order):
    """``advance`` are seconds; negative ones move the clock back, which undoes nothing."""

    advance: int


class _CheckoutOrder(_Order):
    account: str
    session: str
    card: seeding.CardName = "visa"
    currency: str | None = None
    promotion_code: str | None = None
    as_default: bool = False


class _DiscountOrder(_Order):
    account: str
    customer: str
    coupon: str


class _SettleOrder(_Order):
    account: str
    payment_intent: str
    outcome: settling.Outcome = "succeeded"


class _SettleRefundOrder(_Order):
    account: str
    refund: str
    outcome: settling.Outcome = "succeeded"


class _DisputeOrder(_Order):
    account: str
    payment_intent: str
    reason: str = "fraudulent"
    amount: int | None = Field(default=None, ge=1)


class _CloseDisputeOrder(_Order):
    account: str
    dispute: str
    outcome: disputes.Outcome


class _WebhookOrder(_Order):
    """``copies`` are sent of each event from now on, signed as ``signature`` says; while ``paused`` events wait."""

    paused: bool = False
    copies: int = Field(default=1, ge=1, le=10)
    signature: Style = "plain"


class _RedeliverOrder(_Order):
    """Send the account's past events again, all or those of ``types``."""

    account: str
    types: list[str] | None = None
    copies: int = Field(default=1, ge=1, le=10)
    newest_first: bool = False


class Control:
    def __init__(self, store: Store, faults: Faults, webhooks: Webhooks, log: RequestLog) -> None:
        self._store = store
        self._faults = faults
        self._webhooks = webhooks
        self._log = log
        self._calls: dict[tuple[str, str], Callable[[Any], Json]] = {
            ("GET", "state"): self._state,
            ("GET", "requests"): lambda _: {"requests": self._log.oldest_first()},
            ("POST", "keys"): self._register,
            ("POST", "objects"): self._seed,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "clock"): self._advance_clock,
            ("POST", "checkout"): self._complete_checkout,
            ("POST", "discounts"): self._discount,
            ("POST", "payments"): self._settle,
            ("POST", "refunds"): self._settle_refund,
            ("POST", "disputes"): self._dispute,
            ("POST", "disputes/close"): self._close_dispute,
            ("POST", "webhooks"): self._set_webhooks,
            ("POST", "webhooks/redeliver"): self._redeliver,
            ("POST", "webhooks/deliver"): self._deliver,
            ("POST", "reset"): self._reset,
        }

    def answer(self, request: Request) -> Answer:
        name = request.path.removeprefix("/_sandbox/")
        call = self._calls.get((request.method, name))
        if call is None:
            return _answer(404, {"error": f"The sandbox's control has no {request.method} {name}."})
        try:
            return _answer(200, call(json.loads(request.body or b"{}")))
        except json.JSONDecodeError as error:
            return _answer(400, {"error": f"The order is not JSON: {error}"})
        except ValidationError as error:
            return _answer(400, {"error": error.errors(include_url=False, include_input=False, include_context=False)})
        except StripeError as error:
            return _answer(error.status, {"error": error.message})

    def _state(self, _: Any) -> Json:
        with self._store.lock:
            accounts = {
                account.id: {kind: len(found) for kind, found in account.by_kind.items()}
                for account in self._store.accounts.values()
            }
            return {"now": self._store.now(), "accounts": accounts}

    def _register(self, body: Any) -> Json:
        order = _KeyOrder.model_validate(body)
        if not all(keys.is_live(key) for key in order.keys):
            raise StripeError(400, "invalid_request_error", "Give keys of the live format: sk_live_… or rk_live_….")
        allowed: dict[str, Level] = {**order.permissions, **{permissions.named(each): "none" for each in order.denied}}
        if unknown := [each for each in allowed if not permissions.is_known(each)]:
            raise invalid(f"The sandbox knows no permissions for {', '.join(unknown)}.")
        if (allowed or order.otherwise != "write") and not all(key.startswith("rk_") for key in order.keys):
            raise invalid("Only a restricted key (rk_live_…) has permissions.")
        for key in order.keys:
            known = Key(order.account, key[-4:], order.status, allowed, order.otherwise)
            self._store.keep_key(keys.digest(key), known)
        return {"account": order.account}

    def _seed(self, body: Any) -> Json:
        order = seeding.SeedOrder.model_validate(body)
        return self._worked(order.account, lambda work: {"objects": seeding.seeded(work, order)})

    def _complete_checkout(self, body: Any) -> Json:
        order = _CheckoutOrder.model_validate(body)
        card = seeding.CARDS[order.card]
        visit = checkout_completion.Visit(card, order.currency, order.promotion_code, order.as_default)
        return self._worked(order.account, lambda work: checkout_completion.complete(work, order.session, visit))

    def _discount(self, body: Any) -> Json:
        order = _DiscountOrder.model_validate(body)

        def act(work: Work) -> Json:
            customer = work.get("customer", order.customer, param="customer", status=404)
            return discounts.give_customer(work, customer, order.coupon)

        return self._worked(order.account, act)

    def _settle(self, body: Any) -> Json:
        order = _SettleOrder.model_validate(body)
        return self._worked(order.account, lambda work: settling.settle(work, order.payment_intent, order.outcome))

    def _settle_refund(self, body: Any) -> Json:
        order = _SettleRefundOrder.model_validate(body)
        return self._worked(order.account, lambda work: settling.settle_refund(work, order.refund, order.outcome))

    def _dispute(self, body: Any) -> Json:
        order = _DisputeOrder.model_validate(body)

        def act(work: Work) -> Json:
            intent = work.get("payment_intent", order.payment_intent, param="payment_intent", status=404)
            return disputes.make(work, intent, order.reason, order.amount)

        return self._worked(order.account, act)

    def _close_dispute(self, body: Any) -> Json:
        order = _CloseDisputeOrder.model_validate(body)
        return self._worked(order.account, lambda work: disputes.close(work, order.dispute, order.outcome))

    def _worked(self, account_id: str, act: Callable[[Work], Json]) -> Json:
        """Work on an account outside any call of the API, and send the events of it."""
        with self._store.lock:
            account = self._store.account(account_id)
            work = Work(account, self._store.now())
            try:
                with work.all_or_nothing():
                    return dict(public(act(work)))
            finally:
                self._store.keep(account, work.changed(), None, None)
                self._webhooks.send(account, work.events)

    def _set_webhooks(self, body: Any) -> Json:
        order = _WebhookOrder.model_validate(body)
        self._webhooks.copies, self._webhooks.style = order.copies, order.signature
        self._webhooks.pause() if order.paused else self._webhooks.resume()
        return {}

    def _redeliver(self, body: Any) -> Json:
        order = _RedeliverOrder.model_validate(body)
        with self._store.lock:
            account = self._store.account(order.account)
            known = [account.objects[identifier] for identifier in account.by_kind.get("event", {})]
        events = [event for event in known if order.types is None or event["type"] in order.types]
        for event in reversed(events) if order.newest_first else events:
            self._webhooks.send(account, [event] * order.copies)
        return {"sent": len(events) * order.copies}

    def _deliver(self, body: Any) -> Json:
        order = EventOrder.model_validate(body)
        event = order.event(self._store.now())
        self._webhooks.send_to_all(self._store.account(order.account), event, order.signature)
        return event

    def _add_fault(self, body: Any) -> Json:
        self._faults.add(Fault.model_validate(body))
        return {}

    def _clear_faults(self, _: Any) -> Json:
        self._faults.clear()
        return {}

    def _advance_clock(self, body: Any) -> Json:
        """Move the clock, and do what falls due by then: renewals, retries, expiries."""
        self._store.advance_clock(_ClockOrder.model_validate(body).advance)
        now = self._store.now()

        def act(work: Work) -> Json:
            renewals.run(work, now)
            return {"now": now}

        for account in list(self._store.accounts):
            self._worked(account, act)
        return {"now": now}

    def _reset(self, _: Any) -> Json:
        self._store.clear()
        self._faults.clear()
        self._log.clear()
        self._set_webhooks({})
        return {}


def _answer(status: int, body: Json) -> Answer:
    return Answer(status, json.dumps({**body, "sandbox": NOTICE}).encode())
