"""The balance of a domain's Stripe account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from routing.access.models import Scope
from routing.api.authentication import permitted_bot
from routing.api.fields import BOT_HELP
from routing.api.parameters import StrictParameters
from routing.payments.operations.balances import fetch_balance
from stripe_billing_router import schemas

if TYPE_CHECKING:
    from rest_framework.request import Request

_BOT = OpenApiParameter("bot", str, required=True, description=BOT_HELP)


class BalanceView(StrictParameters):
    scopes = {"GET": Scope.BALANCE}
    parameters = frozenset({"bot"})

    @extend_schema(operation_id="get_balance", parameters=[_BOT], responses={200: schemas.Balance})
    def get(self, request: Request) -> Response:
        """Return what is available and pending on the account of the bot's domain, by currency."""
        return Response(fetch_balance(permitted_bot(request, request.query_params.get("bot"))))
