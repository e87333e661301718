"""The metadata of a Stripe object: the bot's own and the router's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.errors import InvalidRequest

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from routing.registry.table import Resolution

RESERVED = ("payment_id", "bot", "domain", "region", "product_id", "price_id", "registry_version")

MAX_KEYS = 50 - len(RESERVED)
"""Of the bot's own. Stripe takes 50, https://docs.stripe.com/metadata; the rest are the router's."""

MAX_KEY, MAX_VALUE = 40, 500


def stripe_metadata(payment_id: uuid.UUID, resolution: Resolution, given: Mapping[str, str]) -> dict[str, str]:
    """Return the bot's metadata with the router's own; raise ``InvalidRequest`` for what Stripe would not take."""
    _check(given)
    route = resolution.route
    own = (
        str(payment_id),
        str(resolution.bot),
        resolution.domain.slug,
        resolution.region,
        route.product_id,
        route.price_id,
        str(resolution.registry_version),
    )
    return {**given, **dict(zip(RESERVED, own, strict=True))}


def _check(given: Mapping[str, str]) -> None:
    if len(given) > MAX_KEYS:
        raise InvalidRequest(f"The metadata has {len(given)} keys; at most {MAX_KEYS} can be given.")
    for key, value in given.items():
        if key in RESERVED:
            raise InvalidRequest(f"The metadata key {key!r} is the router's own. Choose another name.")
        is_key = 0 < len(key) <= MAX_KEY and not {"[", "]", "\0"} & set(key)
        if not (is_key and isinstance(value, str) and len(value) <= MAX_VALUE):
            raise InvalidRequest(
                f"The metadata {key!r:.60} cannot be stored: keys are 1 to {MAX_KEY} characters without brackets, "
                f"values are texts of up to {MAX_VALUE}."
            )
