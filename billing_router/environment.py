"""The deployment's settings: environment variables, each checked at startup."""

from __future__ import annotations

from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent

CHARGE_THREADS = "BILLING_ROUTER_CHARGE_THREADS"
"""The variable by which ``serve --threads`` reaches the server's processes."""

DEFAULT_CHARGE_THREADS = 64
"""Each mostly waits for Stripe, which takes one to two seconds a call."""

_START_THE_SANDBOX = (
    "To try the router without these settings, start the sandbox: BILLING_ROUTER_ENV=sandbox python manage.py runserver"
)
_SECRET_MINIMUM = 32
"""Characters; what Django and HMAC-SHA-256 require of a secret."""


class Environment(BaseSettings):
    model_config = SettingsConfigDict(case_sensitive=True, env_ignore_empty=True, hide_input_in_errors=True)

    BILLING_ROUTER_ENV: Literal["production", "sandbox"] = "production"
    DATABASE_URL: SecretStr | None = None
    DJANGO_SECRET_KEY: SecretStr | None = None
    TOKEN_PEPPER: SecretStr | None = None
    ALLOWED_HOSTS: Annotated[list[str], NoDecode] = Field(default_factory=list)
    STRIPE_API_BASE: str | None = None
    STRIPE_ROUTING_CONFIG: Path = ROOT / "config" / "stripe_billing_router.yaml"

    @field_validator("ALLOWED_HOSTS", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [host.strip() for host in value.split(",") if host.strip()] if isinstance(value, str) else value

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
        for name in ("DJANGO_SECRET_KEY", "TOKEN_PEPPER"):
            secret: SecretStr | None = getattr(self, name)
            if secret is None:
                found.append(f"{name} is not set: set it to {_SECRET_MINIMUM} or more random characters.")
            elif len(secret.get_secret_value()) < _SECRET_MINIMUM:
                found.append(f"{name} is too short: set it to {_SECRET_MINIMUM} or more random characters.")
        if not self.ALLOWED_HOSTS:
            found.append("ALLOWED_HOSTS is not set: set it to the router's host names, separated by commas.")
        if self.STRIPE_API_BASE is not None:
            found.append(
                "STRIPE_API_BASE is set: it is for the sandbox only. Unset it, or set BILLING_ROUTER_ENV=sandbox."
            )
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


def _names_postgresql(url: str) -> bool:
    """Say whether libpq can read the URL; its own complaint might repeat a part of the password."""
    try:
        given = conninfo_to_dict(url)
    except (psycopg.Error, UnicodeError):
        return False
    ports = str(given.get("port", "")).split(",")
    return bool(given.get("dbname") or given.get("service")) and all(not port or port.isdecimal() for port in ports)


def _is_loopback_url(address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme != "http" or not parts.hostname:
        return False
    if parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname).is_loopback
    except ValueError:
        return False
