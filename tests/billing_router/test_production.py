"""What production refuses to start with, and what it believes of a request."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from billing_router.environment import ONLY, read_environment

_ROOT = Path(__file__).resolve().parents[2]

GOOD = {
    "BILLING_ROUTER_ENV": "production",
    "DATABASE_URL": "postgresql://router@db.example/billing?sslmode=verify-full",
    "DJANGO_SECRET_KEY": secrets.token_hex(32),
    "TOKEN_PEPPER": secrets.token_hex(32),
    "ALLOWED_HOSTS": "billing.example",
    "TRUSTED_PROXIES": "10.0.0.0/24, 192.0.2.7",
}

BAD = {
    "a secret of one character": ({"DJANGO_SECRET_KEY": "a" * 64}, "DJANGO_SECRET_KEY repeats a few characters"),
    "a pepper of two": ({"TOKEN_PEPPER": "ab" * 32}, "TOKEN_PEPPER repeats a few characters"),
    "a short pepper": ({"TOKEN_PEPPER": "abcdefgh"}, "TOKEN_PEPPER is too short"),
    "the secret as pepper": (
        {"TOKEN_PEPPER": GOOD["DJANGO_SECRET_KEY"]},
        "TOKEN_PEPPER is the same as DJANGO_SECRET_KEY",
    ),
    "any host": ({"ALLOWED_HOSTS": "billing.example,*"}, "ALLOWED_HOSTS is *"),
    "no proxies": ({"TRUSTED_PROXIES": ""}, "TRUSTED_PROXIES is not set"),
    "a proxy that is no address": ({"TRUSTED_PROXIES": "proxy.example"}, "TRUSTED_PROXIES: must be addresses"),
    "a database without TLS": (
        {"DATABASE_URL": "postgresql://router@db.example/billing"},
        "another machine without TLS",
    ),
    "a database with TLS at best": (
        {"DATABASE_URL": "postgresql://router@db.example/billing?sslmode=prefer"},
        "another machine without TLS",
    ),
    "one of two databases": ({"DATABASE_URL": "postgresql://router@localhost,db.example/billing"}, "without TLS"),
    "Vault over http": ({"VAULT_ADDR": "http://vault.example:8200", "VAULT_TOKEN": "x"}, "VAULT_ADDR is plain http"),
    "Vault and no way to log in": (
        {"VAULT_ADDR": "https://vault.example:8200"},
        "VAULT_ADDR is set with no way to log in",
    ),
    "an identity provider without its secret": (
        {"OIDC_ISSUER": "https://id.example", "OIDC_CLIENT_ID": "router"},
        "OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET belong together",
    ),
    "an identity provider over http": (
        {"OIDC_ISSUER": "http://id.example", "OIDC_CLIENT_ID": "router", "OIDC_CLIENT_SECRET": "x"},
        "OIDC_ISSUER is not https",
    ),
    "a look-alike Stripe": ({"STRIPE_API_BASE": "http://127.0.0.1:12111"}, "STRIPE_API_BASE is set"),
}


@pytest.fixture
def environ(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("VAULT_", "STRIPE_", "PG")):
            monkeypatch.delenv(name)

    def set_all(values):
        for name, value in {**GOOD, **values}.items():
            monkeypatch.setenv(name, value)

    return set_all


def test_a_good_environment_starts(environ):
    environ({})

    assert not read_environment().is_sandbox


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://router@/billing",
        "postgresql://router@127.0.0.1/billing",
        "postgresql:///billing?host=/run/postgresql",
    ],
)
def test_a_database_on_this_machine_needs_no_tls(environ, url):
    environ({"DATABASE_URL": url})

    assert not read_environment().is_sandbox


@pytest.mark.parametrize(("values", "words"), BAD.values(), ids=BAD.keys())
def test_what_is_dangerous_is_refused_in_a_sentence(environ, values, words):
    environ(values)

    with pytest.raises(ImproperlyConfigured) as refused:
        read_environment()

    assert words in str(refused.value)
    assert str(refused.value).count("\n  - ") == 1
    for secret in ("DJANGO_SECRET_KEY", "TOKEN_PEPPER"):
        assert values.get(secret, GOOD[secret]) not in str(refused.value)


def test_everything_that_is_wrong_is_said_at_once(environ):
    environ({name: value for values, _ in list(BAD.values())[3:6] for name, value in values.items()})

    with pytest.raises(ImproperlyConfigured) as refused:
        read_environment()

    assert str(refused.value).count("\n  - ") == 3


@pytest.fixture
def behind_a_proxy(settings):
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/24"), ip_network("192.0.2.7")]
    settings.SECURE_SSL_REDIRECT = True


PROXY = {"REMOTE_ADDR": "10.0.0.1"}
HTTPS = {"HTTP_X_FORWARDED_PROTO": "https"}


def test_a_token_that_came_over_http_is_refused_and_not_redirected(behind_a_proxy, db):
    response = Client().get("/api/v1/charges", **PROXY, HTTP_X_FORWARDED_PROTO="http")

    assert (response.status_code, response.json()["code"]) == (403, "not_permitted")
    assert "call https" in response.json()["detail"]
    assert Client().get("/api/v1/charges", **PROXY, **HTTPS).status_code == 401
    assert Client().get("/admin/", **PROXY).status_code == 301


def test_https_is_believed_of_our_own_proxies_alone(behind_a_proxy, db):
    assert Client().get("/api/v1/charges", REMOTE_ADDR="10.0.1.1", **HTTPS).status_code == 403


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.7", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(behind_a_proxy, rf, peer, forwarded, client):
    from billing_router.proxies import TrustProxies

    request = rf.get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
    seen = TrustProxies(lambda request: request.META["REMOTE_ADDR"])(request)

    assert seen == client


_IS_DUMPABLE = """
import ctypes, sys, manage
sys.argv = ["manage.py", "version"]
manage.main()
print("dumpable", ctypes.CDLL(None).prctl(3))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
@pytest.mark.parametrize(("kind", "dumpable"), [("production", 0), ("sandbox", 1)])
def test_nobody_reads_the_memory_of_a_process_in_production(environ, kind, dumpable):
    environ({"BILLING_ROUTER_ENV": kind})

    run = subprocess.run([sys.executable, "-c", _IS_DUMPABLE], cwd=_ROOT, capture_output=True, text=True, check=True)

    assert f"dumpable {dumpable}" in run.stdout


@pytest.mark.parametrize(
    ("only", "found", "missing"),
    [("api", "/api/v1/charges", "/admin/login/"), ("admin", "/admin/login/", "/api/v1/charges")],
)
def test_a_server_can_serve_one_part_alone(db, monkeypatch, only, found, missing):
    monkeypatch.setenv(ONLY, only)

    assert Client().get(found).status_code in (200, 401)
    for path in ("/healthz", "/static/admin/css/base.css"):
        assert Client().get(path).status_code == 200
    response = Client().get(missing)
    assert response.status_code == 404
    assert f"serves the {only} alone" in response.content.decode()
