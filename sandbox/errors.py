"""The errors that the sandbox answers, in Stripe's own words and shape."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from sandbox.objects import NOTICE


class StripeError(Exception):
    """One error answer. ``more`` holds the fields that this kind of error carries besides."""

    def __init__(self, status: int, kind: str, message: str, *, code: str | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.code = code
        self.more = more

    @property
    def is_stored(self) -> bool:
        """Whether the call had begun to act, so that what it did stays and its idempotency key is used up."""
        return self.status == HTTPStatus.PAYMENT_REQUIRED

    def body(self) -> dict[str, Any]:
        error = {"type": self.kind, "code": self.code, "message": self.message, **self.more}
        if self.code:
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        present = {name: value for name, value in error.items() if value is not None}
        return {"error": present, "sandbox": NOTICE}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> StripeError:
    """Return the 400 for a request that cannot be acted on."""
    return StripeError(400, "invalid_request_error", message, code=code, param=param)


def missing(kind: str, identifier: str, *, param: str, status: int = 400) -> StripeError:
    """Return the answer for an id that the account does not have: 404 in the path, 400 in a parameter."""
    named = "PaymentMethod" if kind == "payment_method" else kind
    message = f"No such {named}: '{identifier}'"
    return StripeError(status, "invalid_request_error", message, code="resource_missing", param=param)


def unrecognized(method: str, path: str) -> StripeError:
    return StripeError(
        404,
        "invalid_request_error",
        f"Unrecognized request URL ({method}: {path}). Stripe may know it; this sandbox does not.",
    )
