"""The identity provider through which people may sign in by OpenID Connect, if the environment names one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from billing_router.environment import Environment


def identity_provider(environment: Environment) -> dict[str, Any]:
    """Return django-allauth's setting; empty where there is none."""
    if environment.OIDC_ISSUER is None or environment.OIDC_CLIENT_SECRET is None:
        return {}
    app = {
        "provider_id": "sso",
        "name": environment.OIDC_NAME,
        "client_id": environment.OIDC_CLIENT_ID,
        "secret": environment.OIDC_CLIENT_SECRET.get_secret_value(),
        "settings": {"server_url": environment.OIDC_ISSUER, "oauth_pkce_enabled": True},
    }
    return {"openid_connect": {"APPS": [app]}}


def origin(environment: Environment) -> str:
    """Return where a browser is sent to sign in, such as ``https://id.example.com``; empty where it is not."""
    parts = urlsplit(environment.OIDC_ISSUER or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
