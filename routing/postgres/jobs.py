"""The connections of the jobs' worker: made by procrastinate, with the same parameters and settings as Django's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connections
from procrastinate import PsycopgConnector
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.utils import connector_params

from routing.postgres import sessions

if TYPE_CHECKING:
    import psycopg
    from procrastinate import App


class Connector(DjangoConnector):
    def get_worker_connector(self) -> PsycopgConnector:
        options = connections[self.alias].settings_dict["OPTIONS"].get("options")
        settings = sessions.session_settings(options, {})

        async def configure(connection: psycopg.AsyncConnection[object]) -> None:
            await sessions.configure_async(connection, settings)

        return PsycopgConnector(kwargs=connector_params(self.alias), configure=configure)


def use_connector(app: App) -> None:
    app.connector = app.job_manager.connector = Connector()
