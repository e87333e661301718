"""Whatever the defaults of the database are, the router's sessions are as the code needs them."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections, transaction
from procrastinate.contrib.django import app

from routing import postgres
from routing.caps.models import Cap
from routing.postgres.sessions import session_settings
from tests.postgres.conftest import BOT, forget_connections

SETTINGS = {
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "search_path": '"$user", public',
    "transaction_isolation": "read committed",
    "client_encoding": "UTF8",
}
ODD = {
    "datestyle": "'German, DMY'",
    "intervalstyle": "'sql_standard'",
    "timezone": "'America/St_Johns'",
    "bytea_output": "'escape'",
    "default_transaction_isolation": "'serializable'",
    "search_path": "''",
    "statement_timeout": "'2s'",
    "lock_timeout": "'1s'",
}


def shown_by_hot_statements():
    with postgres.connection() as database:
        return {name: database.execute(f"SHOW {name}").fetchone().popitem()[1] for name in SETTINGS}


def shown_by_django():
    with connection.cursor() as cursor:
        return {name: shown(cursor, name) for name in SETTINGS}


def shown_by_django_in_a_transaction():
    with transaction.atomic():
        return shown_by_django()


def shown(cursor, name):
    cursor.execute(f"SELECT current_setting('{name}')")
    return cursor.fetchone()[0]


def shown_by_the_jobs_worker():
    async def ask():
        with app.replace_connector(app.connector.get_worker_connector()):
            async with app.open_async():
                one = app.connector.execute_query_one_async
                return {name: (await one(f"SELECT current_setting('{name}') AS it"))["it"] for name in SETTINGS}

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "show",
    [shown_by_hot_statements, shown_by_django, shown_by_django_in_a_transaction, shown_by_the_jobs_worker],
)
def test_a_session_has_the_settings_that_the_code_needs(database_defaults, show):
    with database_defaults(**ODD):
        assert show() == SETTINGS


@pytest.mark.parametrize(
    "odd",
    [ODD, {"search_path": "pg_catalog, public"}, {"default_transaction_isolation": "'repeatable read'"}],
    ids=["everything odd", "another schema first", "repeatable read"],
)
def test_odd_defaults_of_the_database_change_nothing(caller, stripe, database_defaults, odd):
    with database_defaults(**odd):
        charge = caller.charge()
        listed = caller.send("GET", "/charges")
        resolved = caller.send("POST", "/routes/resolve", {"bot": BOT})
        refund = caller.send("POST", "/refunds", {"bot": BOT, "payment": charge.json()["id"]}, key="refund-1")
        forget_connections()

    assert [response.status_code for response in (charge, listed, resolved, refund)] == [201, 200, 200, 201]
    assert abs(datetime.fromisoformat(charge.json()["created_at"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_strict_isolation_of_the_database_lets_as_many_charges_through_as_the_cap(
    caller, bot, stripe, database_defaults
):
    Cap.objects.create(bot=bot, measure="gross", per="day", currency="usd", limit=5000)

    def charge(number):
        try:
            return caller.charge(f"order-{number}").status_code
        finally:
            connection.close()

    with database_defaults(default_transaction_isolation="'serializable'"), ThreadPoolExecutor(12) as threads:
        statuses = list(threads.map(charge, range(12)))
        forget_connections()

    assert sorted(statuses) == [201] * 5 + [422] * 7


def test_the_url_says_where_the_tables_are(monkeypatch, dba, transactional_db):
    options = connections.settings["default"]["OPTIONS"]
    forget_connections()
    monkeypatch.setitem(options, "options", "-c search_path=elsewhere,public -c work_mem=5MB")
    try:
        with postgres.connection() as database:
            hot = database.execute("SELECT current_setting('search_path') AS path").fetchone()["path"]
        with connection.cursor() as cursor:
            assert [shown(cursor, "search_path"), hot] == ["elsewhere,public"] * 2
            assert shown(cursor, "work_mem") == "5MB"
    finally:
        forget_connections()


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ("-c search_path=billing", "billing"),
        ("-csearch_path=billing", "billing"),
        ("--search-path=billing", "billing"),
        (r"-c geqo=off -c search_path=a,\ b", "a, b"),
        ("-c geqo=off", '"$user", public'),
        (None, '"$user", public'),
    ],
)
def test_the_options_of_the_url_are_read_as_the_server_reads_them(options, path):
    assert session_settings(options, {})["search_path"] == path


def test_the_options_of_the_url_may_change_a_timeout_but_nothing_that_the_code_needs():
    settings = session_settings("-c lock_timeout=1s -c DateStyle=German", {"lock_timeout": "10s"})

    assert (settings["lock_timeout"], settings["DateStyle"]) == ("1s", "ISO, MDY")
