"""Which PostgreSQL the router uses: ``DATABASE_URL``, or the embedded one in the sandbox."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

from billing_router import embedded_postgres
from billing_router.environment import ROOT, Environment, read_environment

if TYPE_CHECKING:
    from billing_router.embedded_postgres import Address

EMBEDDED = ROOT / "var" / "postgres"


def database_url(environment: Environment) -> str:
    if environment.DATABASE_URL is not None:
        return environment.DATABASE_URL.get_secret_value()
    return embedded_postgres.address(EMBEDDED).url


def database_settings(url: str) -> dict[str, Any]:
    """Return Django's settings of the database: everything that ``url`` says reaches every connection."""
    given = conninfo_to_dict(url)
    if "," in str(given.get("host", "")):
        given.setdefault("target_session_attrs", "read-write")  # of several servers, the one that takes writes
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return {
        "ENGINE": "billing_router.postgresql",
        **{name: str(given.pop(parameter, "")) for name, parameter in names.items()},
        "OPTIONS": given,
        "DISABLE_SERVER_SIDE_CURSORS": True,  # a pooler in transaction mode would lose them
    }


def running_database() -> AbstractContextManager[Address | None]:
    """Keep the embedded server running while the block runs, if it is the one to use."""
    if read_environment().DATABASE_URL is not None:
        return nullcontext()
    return embedded_postgres.running(EMBEDDED)
