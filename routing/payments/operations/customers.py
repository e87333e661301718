"""New customers, created on the account of the bot's route."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from routing.payments.execution.exactly_once import PaymentResult, execute
from routing.payments.execution.plans import Operation, PaymentPlan, PaymentRequest, resolve_route
from routing.payments.kinds import Kind
from routing.payments.stripe_api import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.identifiers import BotId
    from routing.registry.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer(Operation):
    operation: ClassVar[str] = "customer"

    email: str = ""
    name: str = ""
    phone: str = ""
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)

    def plan(self, request: PaymentRequest, snapshot: Snapshot) -> PaymentPlan:
        call = resolve_route(request, self.overrides, snapshot)
        metadata = call.stripe_metadata(self.metadata)
        fields = {
            "email": self.email,
            "name": self.name,
            "phone": self.phone,
            "description": self.description,
        }
        return call.plan(
            Kind.CUSTOMER,
            requests.create_customer(fields, metadata=metadata),
            currency="",
            customer_id="",
            description=self.description,
            metadata=dict(self.metadata),
        )


def create_customer(bot: BotId, wanted: NewCustomer, *, idempotency_key: str, token_prefix: str = "") -> PaymentResult:
    """Create a customer at most once for the bot and key; Stripe's object is the payment's ``result``."""
    return execute(PaymentRequest(bot, idempotency_key, wanted, token_prefix))
