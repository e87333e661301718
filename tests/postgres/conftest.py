"""A bot that charges through the API, and the database's settings changed from outside, as a DBA does."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from routing import postgres
from routing.access import tokens
from routing.access.models import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOT = "finance:finance_router_bot"


class Caller:
    """Calls the API with a token, as a bot does."""

    def __init__(self, token: str) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    def send(self, method: str, path: str, body: Any = None, key: str = "order-1") -> Any:
        text = json.dumps(body) if body is not None else ""
        response = self.client.generic(
            method, f"/api/v1{path}", text, content_type="application/json", headers={"Idempotency-Key": key}
        )
        connection.close()  # as a server does after each request: a client of tests keeps it
        return response

    def charge(self, key: str = "order-1") -> Any:
        return self.send("POST", "/charges", {"bot": BOT, "amount": "10"}, key)


@pytest.fixture
def caller(bot) -> Caller:
    return Caller(tokens.issue("test", ["stripe:" + BOT], Scope.values))


def forget_connections() -> None:
    """Close every connection of this process, so that the next ones meet the database as it is now."""
    connection.close()
    connection.close_pool()
    postgres.close_connections()


@pytest.fixture
def dba(transactional_db) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection that nothing of the router's touches."""
    given = {name: value for name, value in postgres._parameters() if value is not None}
    del given["options"]  # the role as which the tests run
    with psycopg.connect(**given, autocommit=True) as own:
        yield own


@pytest.fixture
def database_defaults(dba) -> Iterator[Callable[..., Any]]:
    """Set defaults of the whole database for the length of a block, in which every connection is a new one."""

    @contextmanager
    def defaults(**settings: str) -> Iterator[None]:
        name = connection.settings_dict["NAME"]
        try:
            for setting, value in settings.items():
                dba.execute(f'ALTER DATABASE "{name}" SET {setting} = {value}')
            forget_connections()
            yield
        finally:
            for setting in settings:
                dba.execute(f'ALTER DATABASE "{name}" RESET {setting}')

    yield defaults
    forget_connections()
