"""The deployment's settings: environment variables, each checked at startup."""

from __future__ import annotations

import os
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from routing.errors import KeyUnavailable
from routing.keys.vault_settings import VaultSettings

ROOT = Path(__file__).resolve().parent.parent

CHARGE_THREADS = "BILLING_ROUTER_CHARGE_THREADS"
"""The variable by which ``serve --threads`` reaches the server's processes."""

ONLY = "BILLING_ROUTER_ONLY"
"""The variable by which ``serve --only`` reaches them: ``api``, ``admin``, or nothing for both."""

PARTS = ("api", "admin")

DEFAULT_CHARGE_THREADS = 64
"""Each mostly waits for Stripe, which takes one to two seconds a call."""

_START_THE_SANDBOX = (
    "To try the router without these settings, start the sandbox: BILLING_ROUTER_ENV=sandbox python manage.py runserver"
)
_SECRET_MINIMUM = 32
"""Characters; what Django and HMAC-SHA-256 require of a secret."""

_DIFFERENT_MINIMUM = 8
"""Characters that differ: 32 random ones of any alphabet have more."""

_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
"""What ``sslmode`` must be one of, or libpq goes on without TLS where the server has none."""


class Environment(BaseSettings):
    model_config = SettingsConfigDict(case_sensitive=True, env_ignore_empty=True, hide_input_in_errors=True)

    BILLING_ROUTER_ENV: Literal["production", "sandbox"] = "production"
    DATABASE_URL: SecretStr | None = None
    DJANGO_SECRET_KEY: SecretStr | None = None
    TOKEN_PEPPER: SecretStr | None = None
    ALLOWED_HOSTS: Annotated[list[str], NoDecode] = Field(default_factory=list)
    TRUSTED_PROXIES: Annotated[list[IPv4Network | IPv6Network], NoDecode] = Field(default_factory=list)
    STRIPE_API_BASE: str | None = None
    OIDC_ISSUER: str | None = None
    OIDC_CLIENT_ID: str = ""
    OIDC_CLIENT_SECRET: SecretStr | None = None
    OIDC_NAME: str = "Single sign-on"
    STRIPE_ROUTING_CONFIG: Path = ROOT / "config" / "stripe_billing_router.yaml"

    @field_validator("ALLOWED_HOSTS", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        return _split(value)

    @field_validator("TRUSTED_PROXIES", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        try:
            return [ip_network(text) for text in _split(value)]
        except ValueError:
            raise ValueError("must be addresses or networks, such as 10.0.0.0/24, separated by commas") from None

    @field_validator("DATABASE_URL")
    @classmethod
    def _names_database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _names_postgresql(value.get_secret_value()):
            raise ValueError(
                "must name a PostgreSQL database, such as postgresql://user:password@host:5432/database. "
                "Percent-encode special characters in the password, and use only options that libpq knows"
            )
        return value

    @field_validator("STRIPE_API_BASE")
    @classmethod
    def _check_loopback(cls, value: str | None) -> str | None:
        if value is not None and not _is_loopback_url(value):
            raise ValueError("must be an http URL on this machine, such as http://127.0.0.1:12111")
        return value

    @cached_property
    def is_sandbox(self) -> bool:
        return self.BILLING_ROUTER_ENV == "sandbox"

    def problems(self) -> list[str]:
        """Return a sentence for each setting that is missing or invalid in this environment."""
        if self.is_sandbox:
            return []
        found = []
        if self.DATABASE_URL is None:
            found.append(
                "DATABASE_URL is not set: set it to the PostgreSQL to use, as postgresql://user@host/database."
            )
        elif _crosses_the_network_in_clear(self.DATABASE_URL.get_secret_value()):
            found.append(
                "DATABASE_URL leads to another machine without TLS: add ?sslmode=verify-full, and sslrootcert if the "
                "server's certificate is of an authority of your own."
            )
        found += self._problems_of_secrets()
        if not self.ALLOWED_HOSTS:
            found.append("ALLOWED_HOSTS is not set: set it to the router's host names, separated by commas.")
        elif "*" in self.ALLOWED_HOSTS:
            found.append("ALLOWED_HOSTS is *, with which anybody chooses the router's name: name its own host names.")
        if not self.TRUSTED_PROXIES:
            found.append(
                "TRUSTED_PROXIES is not set: set it to the addresses of the proxies that terminate TLS, such as "
                "10.0.0.0/24, separated by commas. Only theirs are the X-Forwarded headers that the router believes."
            )
        found += self._problems_of_identity_provider()
        try:
            VaultSettings.from_environ(os.environ)
        except KeyUnavailable as error:
            found.append(str(error))
        if self.STRIPE_API_BASE is not None:
            found.append(
                "STRIPE_API_BASE is set: it is for the sandbox only. Unset it, or set BILLING_ROUTER_ENV=sandbox."
            )
        return found

    def _problems_of_identity_provider(self) -> list[str]:
        given = (self.OIDC_ISSUER, self.OIDC_CLIENT_ID, self.OIDC_CLIENT_SECRET)
        if any(given) and not all(given):
            return ["OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET belong together: set all three, or none."]
        if self.OIDC_ISSUER and not self.OIDC_ISSUER.startswith("https://"):
            return ["OIDC_ISSUER is not https: whoever is between could sign in as anybody."]
        return []

    def _problems_of_secrets(self) -> list[str]:
        remedy = f"set it to {_SECRET_MINIMUM} or more random characters."
        found = []
        for name in ("DJANGO_SECRET_KEY", "TOKEN_PEPPER"):
            secret: SecretStr | None = getattr(self, name)
            if secret is None:
                found.append(f"{name} is not set: {remedy}")
            elif len(secret.get_secret_value()) < _SECRET_MINIMUM:
                found.append(f"{name} is too short: {remedy}")
            elif len(set(secret.get_secret_value())) < _DIFFERENT_MINIMUM:
                found.append(f"{name} repeats a few characters: {remedy}")
        if self.TOKEN_PEPPER is not None and self.TOKEN_PEPPER == self.DJANGO_SECRET_KEY:
            found.append("TOKEN_PEPPER is the same as DJANGO_SECRET_KEY: set it to random characters of its own.")
        return found


def read_environment() -> Environment:
    """Read and check the environment; raise ``ImproperlyConfigured`` with every problem in one message."""
    try:
        environment = Environment()
    except ValidationError as error:
        raise ImproperlyConfigured(_message([_sentence(e["loc"], e["msg"]) for e in error.errors()])) from None
    if found := environment.problems():
        raise ImproperlyConfigured(_message(found))
    return environment


def _message(problems: list[str]) -> str:
    return "\n".join(["The billing router cannot start:", *(f"  - {line}" for line in problems), _START_THE_SANDBOX])


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, location))}: {message.removeprefix('Value error, ')}."


def _split(value: object) -> list[Any]:
    """Split a variable at its commas; a default is a list already."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else []


def _names_postgresql(url: str) -> bool:
    """Say whether libpq can read the URL; its own complaint might repeat a part of the password."""
    try:
        given = conninfo_to_dict(url)
    except (psycopg.Error, UnicodeError):
        return False
    ports = str(given.get("port", "")).split(",")
    return bool(given.get("dbname") or given.get("service")) and all(not port or port.isdecimal() for port in ports)


def _crosses_the_network_in_clear(url: str) -> bool:
    given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    if given.get("sslmode", os.environ.get("PGSSLMODE")) in _ENCRYPTED or "service" in given:
        return False
    hosts = given.get("hostaddr") or given.get("host") or os.environ.get("PGHOST", "")
    return not all(not host or host.startswith(("/", "@")) or _is_loopback(host) for host in hosts.split(","))


def _is_loopback_url(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "http" and bool(parts.hostname) and _is_loopback(str(parts.hostname))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
