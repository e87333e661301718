"""The response to one call to Stripe, as a plain value without the SDK's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

JSONObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StripeResponse:
    """``http_status`` and ``body`` are None where there was no whole response that is a JSON object.

    ``was_sent`` is False only where it is proven that nothing left the process. ``is_replay`` is true where Stripe
    repeated the stored result of an earlier send.
    """

    http_status: int | None = None
    body: JSONObject | None = None
    request_id: str = ""
    is_replay: bool = False
    was_sent: bool = True

    @property
    def is_success(self) -> bool:
        return self.http_status == HTTPStatus.OK and self.body is not None

    @property
    def error(self) -> StripeError:
        """The error in the response; empty fields where there is none."""
        given = (self.body or {}).get("error")
        if not isinstance(given, Mapping):
            return StripeError()
        fields = {name: given[name] for name in _ERROR_FIELDS if isinstance(given.get(name), str)}
        intent = given.get("payment_intent")
        return StripeError(**fields, payment_intent=intent if isinstance(intent, Mapping) else {})


@dataclass(frozen=True, slots=True)
class StripeError:
    """The fields of Stripe's error object that are kept, https://docs.stripe.com/api/errors."""

    type: str = ""
    code: str = ""
    decline_code: str = ""
    advice_code: str = ""
    message: str = ""
    param: str = ""
    charge: str = ""
    payment_intent: JSONObject = field(default_factory=dict)

    def as_json(self) -> dict[str, str]:
        return {name: value for name in _ERROR_FIELDS if (value := getattr(self, name))}


_ERROR_FIELDS = ("type", "code", "decline_code", "advice_code", "message", "param", "charge")
