"""Django's PostgreSQL backend, with the router's pool and session settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base

from routing.postgres import sessions
from routing.postgres.pools import CONNECTION_DEFAULTS, WAIT_SECONDS, Pool

if TYPE_CHECKING:
    import psycopg

SESSION = {"idle_in_transaction_session_timeout": "5min"}
"""Defaults of every session of Django's; the web adds a limit on each statement."""


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> Pool | None:
        if self.alias == NO_DB_ALIAS:
            return None
        pools: dict[str, Pool] = self._connection_pools  # type: ignore[attr-defined]  # Django's, of the class
        if self.alias not in pools:
            made = Pool(self.get_connection_params(), self._configure_connection, wait_seconds=WAIT_SECONDS)
            pools.setdefault(self.alias, made)  # a thread that was quicker has made another
        return pools[self.alias]

    def get_connection_params(self) -> dict[str, Any]:
        return {**CONNECTION_DEFAULTS, **super().get_connection_params()}

    def _configure_connection(self, connection: psycopg.Connection[Any]) -> bool:
        options = self.settings_dict["OPTIONS"].get("options")
        sessions.configure(connection, sessions.session_settings(options, SESSION))
        return bool(super()._configure_connection(connection))  # type: ignore[misc]  # Django's
