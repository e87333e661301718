"""When a subscription's trial ends: until then its invoices bill nothing for it.

https://docs.stripe.com/billing/subscriptions/trials/free-trials
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.errors import invalid

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_DAY = 24 * 60 * 60  # seconds
_LONGEST = 730 * _DAY
_WAYS = ("trial_end", "trial_period_days", "trial_from_plan")


def end(work: Work, params: dict[str, Any], items: list[Json]) -> int | None:
    """Return when the trial of a new subscription ends; None where it has none.

    A price can have a trial of its own, which counts only where ``trial_from_plan`` asks for it.
    """
    given = [name for name in _WAYS if params.get(name)]
    if len(given) > 1:
        raise invalid(f"You may only specify one of these parameters: {', '.join(given)}.", param=given[0])
    if not given or params.get("trial_end") == "now":
        return None
    if given == ["trial_end"]:
        at = int(params["trial_end"])
    else:
        own = [item["price"]["recurring"]["trial_period_days"] or 0 for item in items]
        days = params["trial_period_days"] if given == ["trial_period_days"] else max(own)
        at = work.now + days * _DAY
    if not at - _LONGEST <= work.now:
        raise invalid("Invalid timestamp: a trial ends within two years.", param=given[0])
    if at < work.now:
        raise invalid("Invalid timestamp: must be an integer Unix timestamp in the future.", param=given[0])
    return at if at > work.now else None
