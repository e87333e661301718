"""Everything that DATABASE_URL says reaches every connection."""

from __future__ import annotations

from django.db import connections
from procrastinate.contrib.django.utils import connector_params

from billing_router.database import database_settings
from billing_router.postgresql.base import DatabaseWrapper
from routing import postgres

_URL = (
    "postgresql://router:p%40ss%23@db1.example.com:5433,db2.example.com:5434/billing"
    "?options=-c%20search_path%3Dbilling&sslmode=verify-full&sslcert=/tls/client.crt&sslkey=/tls/client.key"
    "&sslrootcert=/tls/ca.crt&connect_timeout=9&application_name=router&keepalives_idle=60"
)
_GIVEN = {
    "user": "router",
    "password": "p@ss#",
    "host": "db1.example.com,db2.example.com",
    "port": "5433,5434",
    "dbname": "billing",
    "options": "-c search_path=billing",
    "sslmode": "verify-full",
    "sslcert": "/tls/client.crt",
    "sslkey": "/tls/client.key",
    "sslrootcert": "/tls/ca.crt",
    "connect_timeout": "9",
    "application_name": "router",
    "keepalives_idle": "60",
    "target_session_attrs": "read-write",
    "client_encoding": "UTF8",
}


def test_every_connection_has_what_the_url_says(monkeypatch):
    settings = connections.configure_settings({"default": database_settings(_URL)})["default"]
    monkeypatch.setattr(connections["default"], "settings_dict", settings)

    hot, jobs = dict(postgres._parameters()), connector_params("default")
    django = DatabaseWrapper(settings).get_connection_params()

    for parameters in (hot, django, jobs):
        assert parameters.items() >= _GIVEN.items()
        assert parameters["tcp_user_timeout"] == 15_000


def test_of_several_servers_the_url_may_choose_otherwise():
    settings = database_settings("postgresql://router@db1,db2/billing?target_session_attrs=primary")

    assert settings["OPTIONS"]["target_session_attrs"] == "primary"


def test_a_single_server_is_used_whatever_it_can_do():
    assert "target_session_attrs" not in database_settings("postgresql://router@db1/billing")["OPTIONS"]
