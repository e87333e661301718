"""What the stripe wheel says: each call's parameters, each object's fields, the API version, a webhook's signature."""
# ruff: noqa: TID251 (the sandbox is judged by the wheel's own contract, and only this module reads it)

from __future__ import annotations

import ast
import sys
import typing
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import stripe
import typing_extensions
from stripe._stripe_object import UntypedStripeObject

API_VERSION: str = stripe.api_version

_SERVICES = (
    "_account_service",
    "_balance_service",
    "_balance_transaction_service",
    "_charge_service",
    "_coupon_service",
    "_customer_balance_transaction_service",
    "_customer_payment_method_service",
    "_customer_service",
    "_dispute_service",
    "_event_service",
    "_invoice_item_service",
    "_invoice_payment_service",
    "_invoice_service",
    "_payment_intent_service",
    "_payment_method_service",
    "_price_service",
    "_product_service",
    "_promotion_code_service",
    "_refund_service",
    "_setup_intent_service",
    "_subscription_service",
    "_tax_rate_service",
    "_webhook_endpoint_service",
    "checkout._session_service",
)
_CLASSES = (
    stripe.Account,
    stripe.Balance,
    stripe.BalanceTransaction,
    stripe.Charge,
    stripe.Coupon,
    stripe.Customer,
    stripe.CustomerBalanceTransaction,
    stripe.Discount,
    stripe.Dispute,
    stripe.Event,
    stripe.Invoice,
    stripe.InvoiceItem,
    stripe.InvoiceLineItem,
    stripe.InvoicePayment,
    stripe.LineItem,
    stripe.PaymentIntent,
    stripe.PaymentMethod,
    stripe.Price,
    stripe.Product,
    stripe.PromotionCode,
    stripe.Refund,
    stripe.SetupIntent,
    stripe.Subscription,
    stripe.SubscriptionItem,
    stripe.TaxRate,
    stripe.WebhookEndpoint,
    stripe.checkout.Session,
)


@dataclass(frozen=True, slots=True)
class Parameters:
    """The TypedDict of one call's parameters, named but not loaded."""

    module: str
    name: str

    def load(self) -> Any:
        return getattr(import_module(self.module), self.name)


@cache
def calls() -> dict[tuple[str, str], Parameters]:
    """Map (method, path as the wheel spells it) to the call's parameters, for every service that the sandbox knows."""
    return {call: found for service in _SERVICES for call, found in _calls_of(f"stripe.{service}")}


def _calls_of(service: str) -> list[tuple[tuple[str, str], Parameters]]:
    spec = find_spec(service)
    if spec is None or spec.origin is None:
        raise LookupError(f"The stripe wheel has no module {service}; install the pinned version.")
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    origins = {
        name.name: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names
    }
    found = []
    for method in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for request in (node for node in ast.walk(method) if _is_request(node)):
            annotation = next(argument.annotation for argument in method.args.args if argument.arg == "params")
            if annotation is not None:
                name = _text(annotation)
                found.append((_call(request), Parameters(str(origins[name]), name)))
    return found


def _is_request(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_request"


def _call(request: Any) -> tuple[str, str]:
    method, path = (_text(argument) for argument in request.args[:2])
    return method.upper(), path


def _text(node: ast.AST) -> str:
    """Return the first literal in the node: the path in ``"/v1/x/{id}".format(…)``, the name in ``Optional["X"]``."""
    return next(str(inner.value) for inner in ast.walk(node) if isinstance(inner, ast.Constant))


def hints(parameters: Any) -> dict[str, Any]:
    """Return the annotations of one of the wheel's TypedDicts, their names resolved.

    The options of the SDK (its key, its headers) share the TypedDict of some calls; they are no part of a body.
    """
    module = vars(sys.modules[parameters.__module__])
    known = {**vars(typing), **vars(typing_extensions), **module, "StripeContext": str}
    found = typing_extensions.get_type_hints(parameters, globalns=module, localns=known, include_extras=True)
    return {name: annotation for name, annotation in found.items() if name not in stripe.RequestOptions.__annotations__}


def is_untyped(annotation: Any) -> bool:
    """Say whether the annotation is the SDK's own response type, which no request can hold."""
    return typing.get_origin(annotation) is UntypedStripeObject


@cache
def fields(kind: str) -> dict[str, bool]:
    """Map each field of the SDK's class for ``kind`` to whether it may be null."""
    found = next(owner for owner in _CLASSES if kind == owner.OBJECT_NAME)
    return {
        name: type(None) in typing.get_args(annotation)
        for name, annotation in found.__annotations__.items()
        if name != "OBJECT_NAME" and not name.startswith("_")
    }


@cache
def payment_method_types() -> frozenset[str]:
    """Return the types of payment method. A payment method has, of the fields so named, that of its own type alone."""
    annotation = stripe.PaymentMethod.__annotations__["type"]
    return frozenset(value for choice in typing.get_args(annotation) for value in typing.get_args(choice))


def signature(payload: str, secret: str, timestamp: int) -> str:
    """Return the Stripe-Signature header of a webhook body."""
    return str(stripe.WebhookSignature.generate_signature_header(payload, secret, timestamp))
