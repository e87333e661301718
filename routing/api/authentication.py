"""Who is calling: a bot token, and the scope that the view asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission

from routing.access import tokens
from routing.access.sign_ins import address_of
from routing.errors import NotAuthenticated
from routing.identifiers import BotId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_framework.request import Request
    from rest_framework.views import APIView

    from routing.access.tokens import Grant

_SCHEME = "Bearer"

ANY_SCOPE = ""
"""The scope of what every token may do."""

TOKEN_NAME = "billing_router.token_name"  # noqa: S105 (a name)
"""Where a request's META has what the audit log calls the bot's token, once that was checked."""


class BotTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Grant, Grant]:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != _SCHEME.lower():
            raise NotAuthenticated("This call needs a bot token: send 'Authorization: Bearer brt_…'.")
        grant = tokens.authenticate(token.strip(), address_of(request))
        request.META[TOKEN_NAME] = grant.description
        return grant, grant

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 (Django REST framework's signature)
        return _SCHEME


class HasScope(BasePermission):
    """A view names the scope of each of its methods in ``scopes``; without one it is closed."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        method = "GET" if request.method == "HEAD" else request.method
        scope = view.scopes.get(method)  # type: ignore[attr-defined]  # every view of this API declares them
        if scope is None:
            raise MethodNotAllowed(str(request.method))
        if scope != ANY_SCOPE:
            token_grant(request).require_scope(scope)
        return True


def token_grant(request: Request) -> Grant:
    return cast("Grant", request.auth)


def permitted_bot(request: Request, name: Any, overrides: Mapping[str, str] | None = None) -> BotId:
    """Return the bot that the caller names, if the token speaks for it and allows the qualifiers of the call."""
    bot = BotId.parse(name)
    grant = token_grant(request)
    grant.require_bot(bot)
    grant.require_qualifiers(overrides or {})
    return bot


class BotTokenScheme(OpenApiAuthenticationExtension):
    target_class = BotTokenAuthentication
    name = "BotToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002 (drf-spectacular's signature)
        return {"type": "http", "scheme": "bearer", "description": "A token from manage.py issue_token."}
