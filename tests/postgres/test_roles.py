"""The roles of the database: the server can write what the code writes, and there is no way around the triggers."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, connections
from psycopg.errors import InsufficientPrivilege

from routing.approval.proposals import apply_or_propose
from routing.audit.acting import Acting, acting
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.operations.charges import Charge, charge
from routing.postgres.trigger_functions import RESTORED_BY_ANOTHER
from routing.registry.models import Domain, Route
from routing.roles import WRITES, excesses
from tests.database_roles import RUNTIME, as_administrator
from tests.keys.planted import database_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[2]

EVENT = next(each.get_pgid(Payment) for each in Payment._meta.triggers if each.name == "write_event")  # type: ignore[attr-defined]  # pgtrigger's option


def logged_in(role: str) -> psycopg.Connection[Any]:
    given = {name: value for name, value in connections["default"].get_connection_params().items() if name in _NAMES}
    return psycopg.connect(**{**given, "user": role}, autocommit=True)


_NAMES = ("host", "port", "dbname", "password")


@pytest.fixture
def runtime(transactional_db) -> Iterator[psycopg.Connection[Any]]:
    with logged_in(RUNTIME) as database:
        yield database


@pytest.fixture
def reader(transactional_db) -> Iterator[psycopg.Connection[Any]]:
    with logged_in("billing_reader") as database:
        yield database


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM routing_payment",
        "TRUNCATE routing_payment",
        "INSERT INTO routing_paymentevent (payment_id, at, to_status) VALUES (gen_random_uuid(), now(), 'succeeded')",
        "UPDATE routing_paymentevent SET to_status = 'succeeded'",
        "UPDATE routing_capusage SET used = 0",
        "INSERT INTO routing_capreservation (payment_id, usage_id, value) VALUES (gen_random_uuid(), 1, 1)",
        "UPDATE routing_auditentry SET actor = 'nobody'",
        "DELETE FROM routing_auditentry",
        "INSERT INTO routing_auditentry SELECT * FROM routing_auditentry",
        "INSERT INTO routing_auditunsealed SELECT id FROM routing_auditentry",
        "DELETE FROM routing_auditseal",
        "TRUNCATE routing_auditentry CASCADE",
        "UPDATE routing_changeitem SET after = '{}'",
        "UPDATE routing_changeapproval SET person = 'somebody'",
        "UPDATE routing_registryhead SET version = 1",
        "TRUNCATE routing_route",
        "DELETE FROM django_migrations",
        "ALTER TABLE routing_payment DISABLE TRIGGER ALL",
        f"DROP TRIGGER {EVENT} ON routing_payment",
        "CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(name) RETURNS boolean LANGUAGE sql AS ''",
        "CREATE TABLE own (id int)",
        "CREATE TEMPORARY TABLE routing_auditentry (id uuid)",
        f"CREATE TRIGGER own BEFORE INSERT ON routing_route EXECUTE FUNCTION {EVENT}()",
        "CREATE RULE own AS ON INSERT TO routing_payment DO INSTEAD NOTHING",
        "CREATE SCHEMA own",
        "CREATE ROLE own",
        "SET session_replication_role = replica",
        "SET ROLE billing_owner",
        "SET SESSION AUTHORIZATION billing_owner",
        "COPY routing_payment TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
    ],
)
def test_the_server_has_no_way_around_the_triggers(runtime, statement):
    with pytest.raises(InsufficientPrivilege):
        runtime.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        (
            "INSERT INTO routing_payment SELECT (jsonb_populate_record(payment, jsonb_build_object("
            "'id', gen_random_uuid(), 'idempotency_key', 'forged', 'created_at', now() - interval '1 hour'))).* "
            "FROM routing_payment AS payment"
        ),
        (
            "INSERT INTO routing_changeapproval (request_id, person, person_id, at, digest) "
            "SELECT id, 'bob', 2, now() - interval '1 hour', '' FROM routing_changerequest"
        ),
        (
            "INSERT INTO routing_changerequest (road, proposed_at, proposed_by, status) "
            "VALUES ('SQL', now() - interval '1 hour', 'bob', 'applied')"
        ),
    ],
    ids=["a payment past its caps", "an approval of one's own change", "a change that was decided"],
)
def test_a_row_of_the_past_is_restored_by_the_owner_alone(runtime, bot, stripe, statement):
    charge(BotId.parse("finance:finance_router_bot"), Charge(amount="10"), idempotency_key="order-1")
    with acting(lambda: Acting("admin", "ann", 1)), as_administrator():
        Domain.objects.update(requires_approval=True)
        apply_or_propose(lambda: Route.objects.update(price_id="price_40_times"))

    with pytest.raises(psycopg.Error) as refused:
        runtime.execute(statement)

    assert refused.value.sqlstate == RESTORED_BY_ANOTHER, refused.value


def test_no_setting_switches_a_trigger_off(runtime, bot):
    before = runtime.execute("SELECT count(*) FROM routing_auditentry").fetchone()
    for setting in ("pgtrigger.ignore", "pgtrigger.schema"):
        runtime.execute("SELECT set_config(%s, '{pgtrigger_audit,pgtrigger_approval}', false)", [setting])
    runtime.execute("SET search_path = pg_temp")

    runtime.execute("UPDATE public.routing_bot SET owner = 'Ann'")

    after = runtime.execute("SELECT count(*) FROM public.routing_auditentry").fetchone()
    assert after == (before[0] + 1,)


def test_those_who_only_read_see_no_secret_and_write_nothing(reader, bot):
    assert reader.execute("SELECT name FROM routing_bot").fetchall() == [("finance_router_bot",)]
    assert reader.execute("SELECT prefix, bots FROM routing_bottoken").fetchall() == []
    for secret in (
        "SELECT digest FROM routing_bottoken",
        "SELECT password FROM auth_user",
        "TABLE django_session",
        "SELECT after FROM routing_changeitem",
    ):
        with pytest.raises(InsufficientPrivilege):
            reader.execute(secret)
    for write in ("UPDATE routing_bot SET owner = ''", "INSERT INTO routing_region (slug) VALUES ('eu')"):
        with pytest.raises(InsufficientPrivilege):
            reader.execute(write)


def test_every_table_that_the_server_writes_is_one_of_the_database(db):
    assert set(WRITES) <= {model._meta.db_table for model in apps.get_models(include_auto_created=True)}


def test_what_a_role_got_by_hand_is_taken_away_again(runtime):
    with as_administrator(), connection.cursor() as cursor:
        cursor.execute(f"GRANT ALL ON routing_payment, routing_auditentry TO {RUNTIME}")
        out = StringIO()
        call_command("create_roles", stdout=out)

    assert out.getvalue().strip() == (
        "billing_owner owns the tables and migrates, billing_runtime serves, billing_reader only reads."
    )
    for statement in ("DELETE FROM routing_payment", "TRUNCATE routing_auditentry CASCADE"):
        with pytest.raises(InsufficientPrivilege):
            runtime.execute(statement)


def test_a_role_that_may_do_too_much_is_named(db):
    with as_administrator(), connection.cursor() as cursor:
        cursor.execute("CREATE ROLE excessive CREATEROLE IN ROLE billing_owner")
        cursor.execute("GRANT TEMPORARY ON DATABASE {} TO excessive".format(connection.settings_dict["NAME"]))
        found = " ".join(excesses("excessive"))
        with pytest.raises(CommandError, match="may do too much:\nexcessive is the owner of the tables"):
            call_command("create_roles", runtime="excessive")

    for words in ("owner of the tables", "administrator", "temporary tables", "may make tables"):
        assert words in found


def test_three_names_are_needed(db):
    with pytest.raises(CommandError, match="three different names"):
        call_command("create_roles", runtime="billing_owner")


def test_without_an_administrators_rights_nothing_is_changed(db):
    with pytest.raises(CommandError, match=r"Nothing was changed\. Run this as an administrator"):
        call_command("create_roles", runtime="another")


def manage(url: str, *arguments: str) -> str:
    environment = {**os.environ, "DATABASE_URL": url}
    command = [sys.executable, "manage.py", *arguments]
    run = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture
def cloud_admin() -> Iterator[str]:
    """Make an administrator as one has on a managed PostgreSQL, where nobody is superuser."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as superuser:
        drop = "DROP ROLE IF EXISTS cloud_runtime, cloud_reader, cloud_owner, cloud_admin"
        superuser.execute(drop)
        superuser.execute("CREATE ROLE cloud_admin LOGIN CREATEROLE")
        yield "cloud_admin"
        superuser.execute(drop)


def test_an_administrator_who_is_no_superuser_hands_a_migrated_database_over(cloud_admin, transactional_db):
    with database_of_its_own("roles_test") as url:
        with psycopg.connect(url, autocommit=True) as superuser:
            superuser.execute(f"ALTER DATABASE roles_test OWNER TO {cloud_admin}")
            superuser.execute(f"GRANT ALL ON SCHEMA public TO {cloud_admin} WITH GRANT OPTION")
        names = ["--owner=cloud_owner", "--runtime=cloud_runtime", "--reader=cloud_reader"]
        by = {role: _as(url, role) for role in (cloud_admin, "cloud_owner", "cloud_runtime")}

        manage(by[cloud_admin], "migrate", "--verbosity=0")
        said = manage(by[cloud_admin], "create_roles", *names)
        assert "Give cloud_owner, cloud_runtime, cloud_reader a password each." in said
        manage(by["cloud_owner"], "migrate", "routing", "0016", "--verbosity=0")
        manage(by["cloud_owner"], "migrate", "--verbosity=0")
        assert "password" not in manage(by["cloud_owner"], "create_roles", *names)
        assert "as the router declares them" in manage(by["cloud_runtime"], "check_database")
        manage(by["cloud_runtime"], "issue_token", "invoicing", "--bot", "*")
        manage(by["cloud_runtime"], "verify_audit")


def _as(url: str, role: str) -> str:
    """Return the URL of the same database, as another role."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{role}@{rest.rpartition('@')[2]}"
