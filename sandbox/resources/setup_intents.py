"""Setup intents: a customer's card, checked and kept for later without charging it. Checkout sessions make them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sandbox import cards, lists, metadata
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import StripeError
from sandbox.objects import made, new_id
from sandbox.resources import payment_methods

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


def make(work: Work, customer: str | None, wanted: dict[str, Any]) -> Json:
    """Make an intent that waits for a payment method; ``wanted`` has its description and metadata."""
    identifier = new_id("seti")
    intent = work.put(
        made(
            "setup_intent",
            id=identifier,
            client_secret=f"{identifier}_secret_{secrets.token_hex(12)}",
            created=work.now,
            customer=customer,
            description=wanted.get("description"),
            metadata=metadata.merged({}, wanted),
            payment_method_options={"card": {"request_three_d_secure": "automatic"}},
            payment_method_types=["card"],
            status="requires_payment_method",
            usage="off_session",
        )
    )
    work.announce("setup_intent.created", intent)
    return intent


def succeed(work: Work, intent: Json, method: Json, customer: str | None) -> Json:
    """Keep the method for the customer; raise the 402 of a card whose bank refuses even that."""
    card = cards.of_payment_method(method["card"]["last4"])
    if isinstance(card.outcome, cards.Decline) and not card.can_be_kept:
        problem = {"code": card.outcome.code, "decline_code": card.outcome.decline_code, "type": "card_error"}
        failed = work.change(intent, last_setup_error={**problem, "message": card.outcome.message})
        work.announce("setup_intent.setup_failed", failed)
        raise StripeError(402, "card_error", card.outcome.message, code=card.outcome.code, setup_intent=failed)
    if customer is not None:
        payment_methods.attach(work, method["id"], customer)
    done = work.change(intent, customer=customer, payment_method=method["id"], status="succeeded")
    work.announce("setup_intent.succeeded", done)
    return done


def _retrieve(call: Call) -> Json:
    return call.work.get("setup_intent", call.id, param="intent", status=404)


def _list(call: Call) -> Json:
    return lists.page(call, "setup_intent", lists.asked(call, "customer", "payment_method"))


ENDPOINTS: Endpoints = {
    ("GET", "/v1/setup_intents/{intent}"): endpoint(_retrieve),
    ("GET", "/v1/setup_intents"): listing(_list, "customer payment_method created"),
}
