"""A back-up restored, also without the schema, and a tool with a search_path of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from billing_router.postgres_programs import find_programs
from routing.caps.models import Cap
from tests.keys.planted import database_of_its_own

_ROOT = Path(__file__).resolve().parents[2]

_MADE_BY_MIGRATE = ("django_migrations", "django_content_type", "auth_permission")

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(%s)"

_WITHOUT_SEARCH_PATH = """
SELECT proname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE NOT tgisinternal AND pronamespace = 'public'::regnamespace AND prosrc <> ''
  AND NOT EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE setting LIKE 'search_path=%')
"""


def program(name: str, *arguments: str, text: str | None = None) -> str:
    command = [os.fspath(find_programs().bin / name), *arguments]
    ended = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def source(caller, bot, stripe, dba):
    """Give the test database, with a charge and an open one in it, as libpq's words."""
    Cap.objects.create(bot=bot, measure="gross", per="month", currency="usd", limit=2500)
    assert caller.charge("order-1").status_code == 201
    stripe.control.fault("reset_after", path="/v1/payment_intents")
    assert caller.charge("order-2").json()["status"] == "unknown"
    return f"host={dba.info.host} port={dba.info.port} user={dba.info.user} dbname={dba.info.dbname}"


def ledger(url):
    tables = ("routing_payment", "routing_paymentevent", "routing_capusage", "routing_capreservation")
    with psycopg.connect(url) as database:
        return [
            database.execute(
                sql.SQL("SELECT to_jsonb(t) FROM {} AS t ORDER BY t.id").format(sql.Identifier(table))
            ).fetchall()
            for table in tables
        ]


def test_a_whole_back_up_is_restored(source):
    with database_of_its_own("restored_whole") as url:
        program("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, text=program("pg_dump", source))

        assert ledger(url) == ledger(source)


@pytest.mark.parametrize("flags", [(), ("--disable-triggers",)], ids=["triggers", "no triggers"])
def test_a_back_up_of_the_data_alone_is_restored_into_a_migrated_database(source, flags):
    left_out = [f"--exclude-table={table}" for table in (*_MADE_BY_MIGRATE, "procrastinate_*")]  # jobs are no record
    dump = program("pg_dump", "--data-only", *flags, *left_out, source)
    with database_of_its_own("restored_data") as url:
        environment = {**os.environ, "DATABASE_URL": url}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=_ROOT, env=environment, check=True)
        with psycopg.connect(url, autocommit=True) as database:
            names = [name for (name,) in database.execute(_TABLES, [list(_MADE_BY_MIGRATE)])]
            database.execute("SET session_replication_role = replica")
            database.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(map(sql.Identifier, names))))

        program("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, text=dump)

        assert ledger(url) == ledger(source)


def test_a_tool_with_an_empty_search_path_writes_the_registry(bot, dba):
    dba.execute("SELECT set_config('search_path', '', false)")
    version = "SELECT version FROM public.routing_registryhead"
    before = dba.execute(version).fetchone()

    dba.execute("UPDATE public.routing_bot SET owner = owner")

    assert dba.execute(version).fetchone() > before


def test_every_trigger_function_says_where_its_tables_are(dba):
    assert dba.execute(_WITHOUT_SEARCH_PATH).fetchall() == []
