"""Which PostgreSQL the router uses: ``DATABASE_URL``, or the embedded one in the sandbox."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from billing_router import embedded_postgres
from billing_router.environment import ROOT, Environment, read_environment

if TYPE_CHECKING:
    from billing_router.embedded_postgres import Address

EMBEDDED = ROOT / "var" / "postgres"


def database_url(environment: Environment) -> str:
    if environment.DATABASE_URL is not None:
        return environment.DATABASE_URL.get_secret_value()
    return embedded_postgres.address(EMBEDDED).url


def running_database() -> AbstractContextManager[Address | None]:
    """Keep the embedded server running while the block runs, if it is the one to use."""
    if read_environment().DATABASE_URL is not None:
        return nullcontext()
    return embedded_postgres.running(EMBEDDED)
