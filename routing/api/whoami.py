"""What the caller's token allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from routing.access.models import BotToken
from routing.api.authentication import ANY_SCOPE, token_grant
from routing.api.parameters import StrictParameters
from routing.caps.remaining import remaining_on_token
from routing.timestamps import to_iso
from stripe_billing_router import schemas
from stripe_billing_router.secret_patterns import BOT_TOKEN

if TYPE_CHECKING:
    from rest_framework.request import Request


class WhoamiView(StrictParameters):
    scopes = {"GET": ANY_SCOPE}

    @extend_schema(operation_id="whoami", responses={200: schemas.Token})
    def get(self, request: Request) -> Response:
        """Return what the token allows with which the call is made, and when it expires."""
        return Response(_representation(BotToken.objects.get(prefix=token_grant(request).prefix)))


def _representation(token: BotToken) -> schemas.Token:
    return {
        "name": token.name,
        "prefix": f"{BOT_TOKEN}{token.prefix}",
        "bots": token.bots,
        "scopes": token.scopes,
        "qualifiers": token.qualifiers,
        "networks": token.networks,
        "limits": remaining_on_token(token.prefix),
        "expires_at": to_iso(token.expires_at),
    }
