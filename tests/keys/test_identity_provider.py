"""People sign in by OpenID Connect at an identity provider, here OpenBao's own, as the users that they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from billing_router.environment import Environment
from billing_router.sign_in.identity_provider import identity_provider, origin
from tests.keys.openbao import ROOT

if TYPE_CHECKING:
    from tests.keys.openbao import OpenBao

pytestmark = pytest.mark.django_db(transaction=True)

SIGN_IN = "/admin/account/oidc/sso/login/"


class Provider:
    """OpenBao as an identity provider whose one person has an email address."""

    def __init__(self, openbao: OpenBao) -> None:
        self._openbao = openbao
        self._call("sys/auth/userpass", {"type": "userpass"}, may_exist=True)
        self._call("auth/userpass/users/maria", {"password": "her-password"})
        accessor = requests.get(f"{openbao.addr}/v1/sys/auth", headers={"X-Vault-Token": ROOT}, timeout=5).json()[
            "data"
        ]["userpass/"]["accessor"]
        self._call("identity/entity/name/maria", {})
        self._call(
            "identity/entity-alias",
            {"name": "maria", "canonical_id": self._read("identity/entity/name/maria")["id"],
             "mount_accessor": accessor},
        )  # fmt: skip
        self._call("identity/oidc/key/router", {"allowed_client_ids": "*"})
        self.set_email("maria@example.com")
        self._call("identity/oidc/provider/sso", {"allowed_client_ids": "*", "scopes_supported": "email"})
        self._call(
            "identity/oidc/client/router",
            {"redirect_uris": f"http://testserver{SIGN_IN}callback/", "assignments": "allow_all", "key": "router"},
        )
        self.client = self._read("identity/oidc/client/router")
        self.issuer = f"{openbao.addr}/v1/identity/oidc/provider/sso"

    def set_email(self, email: str, *, is_verified: bool = True) -> None:
        self._call("identity/entity/name/maria", {"metadata": {"email": email}})
        template = '{"email": {{identity.entity.metadata.email}}, "email_verified": ' + json.dumps(is_verified) + "}"
        self._call("identity/oidc/scope/email", {"template": template})

    def authorize(self, address: str) -> str:
        """Let the person sign in, and return where her browser is sent with the code."""
        token = requests.post(
            f"{self._openbao.addr}/v1/auth/userpass/login/maria", json={"password": "her-password"}, timeout=5
        ).json()["auth"]["client_token"]
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        answer = requests.get(
            f"{self.issuer}/authorize", params=query, headers={"X-Vault-Token": token}, timeout=5
        ).json()
        assert "code" in answer, answer
        return f"{urlsplit(query['redirect_uri']).path}?code={answer['code']}&state={query['state']}"

    def _call(self, path: str, body: dict[str, Any], *, may_exist: bool = False) -> Any:
        address = f"{self._openbao.addr}/v1/{path}"
        response = requests.post(address, json=body, headers={"X-Vault-Token": ROOT}, timeout=5)
        assert response.ok or may_exist, response.text
        return response.json().get("data") if response.content else None

    def _read(self, path: str) -> Any:
        headers = {"X-Vault-Token": ROOT}
        return requests.get(f"{self._openbao.addr}/v1/{path}", headers=headers, timeout=5).json()["data"]


@pytest.fixture(scope="session")
def provider(openbao: OpenBao) -> Provider:
    return Provider(openbao)


@pytest.fixture
def maria(provider: Provider, settings: Any) -> User:
    environment = Environment(
        BILLING_ROUTER_ENV="sandbox",
        OIDC_ISSUER=provider.issuer,
        OIDC_CLIENT_ID=provider.client["client_id"],
        OIDC_CLIENT_SECRET=provider.client["client_secret"],
    )
    settings.SOCIALACCOUNT_PROVIDERS = identity_provider(environment)
    settings.IDENTITY_PROVIDER_ORIGIN = origin(environment)
    settings.REQUIRE_SECOND_FACTOR = True
    provider.set_email("maria@example.com")
    return User.objects.create_user("maria", email="Maria@example.com", is_staff=True, is_superuser=True)


def sign_in(provider: Provider) -> Client:
    client = Client()
    sent_to = client.post(SIGN_IN).headers["Location"]
    client.get(provider.authorize(sent_to))
    return client


def test_an_identity_signs_in_the_user_with_its_address(provider, maria):
    page = Client().get("/admin/login/")
    clients = [sign_in(provider) for _ in range(2)]

    assert "Single sign-on" in page.content.decode()
    assert provider.issuer.partition("/v1/")[0] in page["Content-Security-Policy"].partition("form-action")[2]
    assert [client.get("/admin/routing/bot/").status_code for client in clients] == [200, 200]
    assert User.objects.count() == 1


@pytest.mark.parametrize("how", ["another address", "an address that is not verified", "no staff", "two users"])
def test_nobody_else_is_signed_in_and_no_user_is_made(provider, maria, how):
    if how == "another address":
        provider.set_email("eve@example.com")
    elif how == "an address that is not verified":
        provider.set_email("maria@example.com", is_verified=False)
    elif how == "no staff":
        User.objects.update(is_staff=False)
    else:
        User.objects.create_user("other", email="maria@example.com", is_staff=True)
    users = User.objects.count()

    client = sign_in(provider)

    assert client.get("/admin/routing/bot/").status_code == 302
    assert "email address of your identity" in client.get(reverse("admin:login")).content.decode()
    assert User.objects.count() == users
