"""What Stripe does by itself as time passes: it renews subscriptions, collects their invoices, and ends what is over.

https://docs.stripe.com/billing/subscriptions/overview and https://docs.stripe.com/billing/subscriptions/pause-payment
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox import periods
from sandbox.resources import checkout_sessions, invoice_collection, subscribing, subscription_states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.objects import Json
    from sandbox.work import Work

_DRAFT_FOR = 60 * 60  # seconds in which a renewal's invoice can still be changed
_FIRST_PAYMENT_WITHIN = 23 * 60 * 60  # seconds until an unpaid first invoice ends its subscription


@dataclass(frozen=True, slots=True)
class _Due:
    at: int
    act: Callable[[Work, Json], object]
    about: Json


def run(work: Work, until: int) -> None:
    """Do what falls due up to ``until``, each at its own time."""
    while (due := min(_all_due(work), key=lambda each: each.at, default=None)) and due.at <= until:
        work.now = due.at
        due.act(work, due.about)
    work.now = until


def renew(work: Work, subscription: Json) -> Json:
    """Begin the next period, with a draft of its invoice."""
    items = [_in_next_period(item, subscription) for item in subscription["items"]["data"]]
    renewed = work.change(
        subscription,
        items={**subscription["items"], "data": items},
        status="active" if subscription["status"] == "trialing" else subscription["status"],
    )
    is_kept = (subscription["pause_collection"] or {}).get("behavior") == "keep_as_draft"
    invoice = subscribing.draft(
        work,
        renewed,
        "subscription_cycle",
        auto_advance=not is_kept,
        automatically_finalizes_at=None if is_kept else work.now + _DRAFT_FOR,
        period_start=subscription["items"]["data"][0]["current_period_start"],
    )
    renewed = work.change(work.account.objects[renewed["id"]], latest_invoice=invoice["id"])
    work.announce("customer.subscription.updated", renewed)
    return renewed


def _all_due(work: Work) -> Iterator[_Due]:
    for subscription in work.newest_first("subscription"):
        yield from _due_of_subscription(subscription)
    for invoice in work.newest_first("invoice"):
        if invoice["status"] == "draft" and invoice["automatically_finalizes_at"]:
            yield _Due(invoice["automatically_finalizes_at"], _finalize, invoice)
        elif invoice["status"] == "open" and invoice["next_payment_attempt"]:
            yield _Due(invoice["next_payment_attempt"], _retry, invoice)
    for session in work.newest_first("checkout.session"):
        if session["status"] == "open":
            yield _Due(session["expires_at"], checkout_sessions.expire, session)


def _due_of_subscription(subscription: Json) -> Iterator[_Due]:
    if subscription["status"] in subscription_states.ENDED:
        return
    if subscription["status"] == "incomplete":
        yield _Due(subscription["created"] + _FIRST_PAYMENT_WITHIN, subscribing.expire, subscription)
        return
    turn = subscription["items"]["data"][0]["current_period_end"]
    over = subscription["cancel_at"]
    yield _Due(turn, renew, subscription) if over is None or turn < over else _Due(over, _end, subscription)
    resumes = (subscription["pause_collection"] or {}).get("resumes_at")
    if resumes:
        yield _Due(resumes, _resume, subscription)


def _in_next_period(item: Json, subscription: Json) -> Json:
    every, begins = item["price"]["recurring"], item["current_period_end"]
    anchor = subscription["billing_cycle_anchor"]
    ends = periods.end_after(anchor, begins, every["interval"], every["interval_count"])
    return {**item, "current_period_start": begins, "current_period_end": ends}


def _finalize(work: Work, invoice: Json) -> None:
    """Finalize a draft and collect it, or what a paused collection does instead."""
    opened = invoice_collection.finalize(work, invoice)
    if opened["status"] != "open":
        return
    subscription = subscription_states.of_invoice(work, opened)
    pause = subscription["pause_collection"] if subscription else None
    if pause is None:
        invoice_collection.collect(work, opened)
    elif pause["behavior"] == "void":
        invoice_collection.void(work, opened)
    else:
        invoice_collection.mark_uncollectible(work, opened)


def _retry(work: Work, invoice: Json) -> None:
    invoice_collection.collect(work, work.change(invoice, next_payment_attempt=None))


def _resume(work: Work, subscription: Json) -> None:
    resumed = work.change(subscription, pause_collection=None)
    work.announce("customer.subscription.updated", resumed)


def _end(work: Work, subscription: Json) -> None:
    subscription_states.end(work, subscription, "cancellation_requested")
