"""The roles of the database: tests run as the runtime role, as a server does, and change tables as an administrator."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.core.management import call_command
from django.db import IntegrityError, connection

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNTIME = "billing_runtime"


def create_roles() -> None:
    try:
        call_command("create_roles", verbosity=0)
    except IntegrityError:  # another process of the tests has made a role meanwhile: they are of the whole server
        call_command("create_roles", verbosity=0)


def run_as(role: str) -> None:
    """Have every connection that is made from now on use the role."""
    connection.settings_dict["OPTIONS"]["options"] = f"-c role={role}"
    connection.close()
    connection.close_pool()


@contextmanager
def as_administrator() -> Iterator[None]:
    """Let the statements of Django's connection in this block do what the tests' own user may do."""
    _execute("SET ROLE NONE")
    try:
        yield
    finally:
        _execute("RESET ROLE")


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
