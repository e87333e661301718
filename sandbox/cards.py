"""Stripe's test cards: what becomes of a charge on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Decline:
    """Why an issuer says no, in the words of Stripe's error."""

    code: str
    decline_code: str
    message: str
    advice_code: str = "do_not_try_again"


@dataclass(frozen=True, slots=True)
class Card:
    """A test card, told from the others by its last four digits.

    ``can_be_kept`` says whether a customer can have it although its charges are declined.
    """

    brand: str
    last_four: str
    outcome: Decline | Literal["approved", "approved_once", "asks_for_3ds", "settles_later"]
    can_be_kept: bool = False


_DECLINED = "Your card was declined."

AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    "confirm_card_data",
)

CARDS = {
    "visa": Card("visa", "4242", "approved"),
    "visa_debit": Card("visa", "5556", "approved"),
    "mastercard": Card("mastercard", "4444", "approved"),
    "amex": Card("amex", "8431", "approved"),
    "chargeDeclined": Card("visa", "0002", Decline("card_declined", "generic_decline", _DECLINED)),
    "chargeCustomerFail": Card(
        "visa", "0341", Decline("card_declined", "generic_decline", _DECLINED), can_be_kept=True
    ),
    "chargeDeclinedInsufficientFunds": Card(
        "visa",
        "9995",
        Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.", "try_again_later"),
    ),
    "chargeDeclinedLostCard": Card("visa", "9987", Decline("card_declined", "lost_card", _DECLINED)),
    "chargeDeclinedStolenCard": Card("visa", "9979", Decline("card_declined", "stolen_card", _DECLINED)),
    "chargeDeclinedExpiredCard": Card(
        "visa", "0069", Decline("expired_card", "expired_card", "Your card has expired.", "confirm_card_data")
    ),
    "chargeDeclinedProcessingError": Card(
        "visa",
        "0119",
        Decline(
            "processing_error",
            "processing_error",
            "An error occurred while processing your card. Try again in a little bit.",
            "try_again_later",
        ),
    ),
    "authenticationRequired": Card("visa", "3184", "asks_for_3ds"),
    "settlesLater": Card("visa", "7777", "settles_later"),  # the sandbox's own: it stays `processing` until told
    "declinesLater": Card("visa", "8888", "approved_once"),  # the sandbox's own too: only its first charge succeeds
}

DECLINED = Decline("card_declined", "generic_decline", _DECLINED)

_BY_LAST_FOUR = {card.last_four: card for card in CARDS.values()}


def named(identifier: str) -> Card | None:
    """Return the card that Stripe's ``pm_card_…`` or ``tok_…`` names."""
    return CARDS.get(identifier.removeprefix("pm_card_").removeprefix("tok_"))


def of_payment_method(last_four: str) -> Card:
    return _BY_LAST_FOUR[last_four]
