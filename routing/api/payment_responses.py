"""What the endpoints that move money share: the idempotency key, and a payment's outcome as a response."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, TypedDict

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.response import Response

from routing.api.authentication import token_grant
from routing.api.sensitive import refuse_sensitive
from routing.errors import InvalidRequest
from routing.payments.ledger.representation import raise_if_failed, representation, representation_with_caps
from routing.payments.states import Status
from stripe_billing_router import schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request

    from routing.payments.execution.exactly_once import DryRun, PaymentResult
    from routing.payments.ledger.models import Payment

REPLAYED = OpenApiParameter(
    "Idempotent-Replayed",
    str,
    OpenApiParameter.HEADER,
    response=[200, 201, 202],
    description="`true` where nothing was sent to Stripe: it is the outcome of the same request before.",
)
PAYMENT_PARAMETERS = [
    OpenApiParameter(
        "Idempotency-Key",
        str,
        OpenApiParameter.HEADER,
        required=True,
        description="1 to 255 printable ASCII characters. The same key never pays twice.",
    ),
    REPLAYED,
]
PENDING = OpenApiResponse(
    schemas.Payment, description="The outcome is not known yet; retry with the same key, or poll the payment."
)


DRY_RUN = OpenApiParameter(
    "dry_run",
    bool,
    description="Decide everything (route, keys, payment method, price, caps, pauses) and send nothing. The "
    "Idempotency-Key may be left out.",
)
DRY_RUN_RESPONSE = OpenApiResponse(
    schemas.Payment,
    description="With `dry_run`: the payment that would be made, or the one that was made with the same key.",
)


class RequestIdentity(TypedDict):
    idempotency_key: str
    token_prefix: str


def request_identity(request: Request, *, default_key: str = "") -> RequestIdentity:
    """Return by what a payment is known: the bot's own key, or ``default_key``, and the token that it has shown."""
    given = request.headers.get("Idempotency-Key")
    if given:
        refuse_sensitive(given)
    if key := given or default_key:
        return {"idempotency_key": str(key), "token_prefix": token_grant(request).prefix}
    raise InvalidRequest(
        "The header Idempotency-Key is missing. Send one of your own, such as 'order-4711', and the same with every "
        "retry, so that nothing is paid twice."
    )


def payment_response(result: PaymentResult) -> Response:
    """Return 201 for a payment that succeeded and 202 for one whose outcome is open; raise the error of a failed one.

    Each says what is left of the caps on it, so that a bot can stay below them.
    """
    payment = representation_with_caps(result.payment)
    raise_if_failed(result.payment, payment)
    has_succeeded = result.payment.status == Status.SUCCEEDED
    return _response(payment, HTTPStatus.CREATED if has_succeeded else HTTPStatus.ACCEPTED, result)


def is_dry_run(request: Request) -> bool:
    given = request.query_params.get("dry_run", "false")
    if given not in ("true", "false"):
        raise InvalidRequest(f"dry_run must be true or false, not {given!r:.60}.")
    return given == "true"


def dry_run_response(run: DryRun) -> Response:
    """Return 200 with the payment that would be made, or the one that the same key has made before."""
    payment = representation(run.payment)
    if run.is_replay:
        raise_if_failed(run.payment, payment)
        return Response({**payment, "dry_run": True}, headers={"Idempotent-Replayed": "true"})
    return Response({**payment, "status": Status.RECEIVED, "caps": run.caps, "dry_run": True})


def stripe_object(payment: Payment) -> schemas.StripeObject | None:
    """Return what the payment created at Stripe, None where that is not known; raise the error of a failed payment.

    A refund that is pending has been created, and so has a Checkout Session that nobody has paid yet.
    """
    if payment.result is None or payment.status == Status.UNKNOWN:
        return None
    represented = representation_with_caps(payment)
    raise_if_failed(payment, represented)
    return {
        "id": payment.result["id"],
        "status": payment.result.get("status"),
        "caps": represented.pop("caps"),
        "payment": represented,
    }


def object_response(
    result: PaymentResult, describe: Callable[[Payment], schemas.StripeObject | None] = stripe_object
) -> Response:
    """Return 201 with the object that was created at Stripe, or the payment where there is none yet."""
    created = describe(result.payment)
    return payment_response(result) if created is None else _response(created, HTTPStatus.CREATED, result)


def _response(body: schemas.Payment | schemas.StripeObject, status: HTTPStatus, result: PaymentResult) -> Response:
    return Response(body, status=status, headers={"Idempotent-Replayed": "true"} if result.is_replay else {})
