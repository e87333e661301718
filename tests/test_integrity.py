"""A database in which somebody switched off what holds the promises: it is said what, and nothing is served from it."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from routing import integrity
from routing.payments.ledger.models import Payment
from tests.database_roles import as_administrator

pytestmark = pytest.mark.django_db


def names_of(model: type, trigger: str) -> str:
    return next(each.get_pgid(model) for each in model._meta.triggers if each.name == trigger)


RESERVE = names_of(Payment, "reserve_caps")
EVENT = names_of(Payment, "write_event")
FIXED = names_of(Payment, "settled_is_fixed")

DAMAGES = {
    "a trigger that is dropped": (
        f"DROP TRIGGER {RESERVE} ON routing_payment",
        "The trigger reserve_caps of routing_payment is missing.",
    ),
    "a trigger that is switched off": (
        f"ALTER TABLE routing_payment DISABLE TRIGGER {RESERVE}",
        "The trigger reserve_caps of routing_payment is switched off.",
    ),
    "a trigger that only a replica runs": (
        f"ALTER TABLE routing_payment ENABLE REPLICA TRIGGER {RESERVE}",
        "The trigger reserve_caps of routing_payment is switched off.",
    ),
    "every trigger of a table": (
        "ALTER TABLE routing_auditentry DISABLE TRIGGER USER",
        "The trigger append_only of routing_auditentry is switched off.",
    ),
    "another function of the same name": (
        f"CREATE OR REPLACE FUNCTION {RESERVE}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "The trigger reserve_caps of routing_payment is not as the router made it.",
    ),
    "another function": (
        (
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
            f"CREATE OR REPLACE TRIGGER {EVENT} AFTER INSERT OR UPDATE OF status ON routing_payment "
            "FOR EACH ROW EXECUTE FUNCTION nothing()"
        ),
        "The trigger write_event of routing_payment is not as the router made it.",
    ),
    "a check that checks nothing": (
        (
            "ALTER TABLE routing_cap DROP CONSTRAINT cap_limit_is_not_negative; "
            "ALTER TABLE routing_cap ADD CONSTRAINT cap_limit_is_not_negative CHECK (true)"
        ),
        "The constraint cap_limit_is_not_negative is not as the router made it.",
    ),
    "another condition": (
        (
            f"CREATE OR REPLACE TRIGGER {FIXED} BEFORE UPDATE ON routing_payment "
            f"FOR EACH ROW WHEN (false) EXECUTE FUNCTION {FIXED}()"
        ),
        "The trigger settled_is_fixed of routing_payment is not as the router made it.",
    ),
    "fewer operations": (
        f"CREATE OR REPLACE TRIGGER {EVENT} AFTER INSERT ON routing_payment FOR EACH ROW EXECUTE FUNCTION {EVENT}()",
        "The trigger write_event of routing_payment is not as the router made it.",
    ),
    "a function that finds tables by the session's path": (
        f"ALTER FUNCTION {RESERVE}() RESET search_path",
        "The trigger reserve_caps of routing_payment is not as the router made it.",
    ),
    "a trigger that is not the router's": (
        (
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
            "CREATE TRIGGER zeroes BEFORE INSERT ON routing_payment FOR EACH ROW EXECUTE FUNCTION nothing()"
        ),
        "The trigger zeroes of routing_payment is not the router's.",
    ),
    "a rule": (
        "CREATE RULE unseen AS ON INSERT TO routing_auditentry DO INSTEAD NOTHING",
        "The rule unseen of routing_auditentry is not the router's.",
    ),
    "the switch of every trigger": (
        (
            'CREATE OR REPLACE FUNCTION "public"._pgtrigger_should_ignore(trigger_name name) RETURNS boolean '
            "LANGUAGE sql AS 'SELECT true'"
        ),
        "The function _pgtrigger_should_ignore is not as the router made it.",
    ),
    "a function of the caps": (
        (
            "CREATE OR REPLACE FUNCTION routing_cap_since(per text, at timestamptz) RETURNS timestamptz "
            "LANGUAGE sql AS 'SELECT now()'"
        ),
        "The function routing_cap_since is not as the router made it.",
    ),
    "a currency more": (
        (
            "CREATE OR REPLACE FUNCTION routing_is_currency(code text) RETURNS boolean LANGUAGE sql IMMUTABLE "
            "RETURN code = ANY ('{USD,XXX}'::text[])"
        ),
        "The function routing_is_currency is not as the router made it.",
    ),
    "the one payment per key": (
        "ALTER TABLE routing_payment DROP CONSTRAINT payment_is_one_per_bot_and_key",
        "The constraint payment_is_one_per_bot_and_key is missing.",
    ),
    "a unique index": (
        "DROP INDEX payment_renewal_is_one_per_invoice",
        "The constraint payment_renewal_is_one_per_invoice is missing.",
    ),
    "a migration that has not run": (
        "DELETE FROM django_migrations WHERE app = 'routing' AND name = '0016_failed_refunds_are_not_counted'",
        "The database has not been migrated: run manage.py migrate. It lacks 0016_failed_refunds_are_not_counted.",
    ),
}


def execute(statement: str) -> None:
    with as_administrator(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def production(settings, monkeypatch):
    settings.IS_SANDBOX = False
    monkeypatch.setattr(integrity, "_is_whole", False)
    monkeypatch.setattr(integrity, "_last_look", -integrity._AGAIN_SECONDS)


def test_a_migrated_database_is_as_the_code_declares_it():
    assert list(integrity.differences()) == []
    out = StringIO()
    call_command("check_database", stdout=out)
    assert "every trigger, function and constraint" in out.getvalue()


@pytest.mark.parametrize(("statement", "sentence"), DAMAGES.values(), ids=DAMAGES.keys())
def test_whatever_was_changed_is_named(statement, sentence):
    execute(statement)

    assert sentence in list(integrity.differences())
    with pytest.raises(CommandError, match="restore what is missing"):
        call_command("check_database")


def test_the_definitions_of_a_newer_release_are_not_judged_and_its_missing_triggers_are():
    execute("INSERT INTO django_migrations (app, name, applied) VALUES ('routing', '9999_later', now())")
    execute("ALTER TABLE routing_payment DROP CONSTRAINT payment_is_one_per_bot_and_key")
    execute(f"CREATE OR REPLACE FUNCTION {RESERVE}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    assert list(integrity.differences()) == []

    execute(f"ALTER TABLE routing_payment DISABLE TRIGGER {EVENT}")
    assert list(integrity.differences()) == ["The trigger write_event of routing_payment is switched off."]


def test_production_serves_nothing_from_a_changed_database(production, caplog, monkeypatch):
    execute(f"ALTER TABLE routing_payment DISABLE TRIGGER {RESERVE}")

    response = Client().post("/api/v1/charges", {}, content_type="application/json")
    assert response.status_code == 503
    assert response.json()["code"] == "database_unavailable"
    assert integrity.REFUSAL in response.json()["detail"]
    assert Client().get("/admin/login/").status_code == 503
    assert Client().get("/readyz").json()["reason"] == integrity.REFUSAL
    assert "reserve_caps of routing_payment is switched off" in caplog.text
    with pytest.raises(CommandError, match="check_database"):
        call_command("serve", port=0)

    execute(f"ALTER TABLE routing_payment ENABLE TRIGGER {RESERVE}")
    monkeypatch.setattr(integrity, "_last_look", -integrity._AGAIN_SECONDS)
    assert Client().post("/api/v1/charges", {}, content_type="application/json").status_code == 401
    assert Client().get("/readyz").json()["status"] == "ready"


def test_a_sandbox_serves_and_says_nothing():
    execute(f"ALTER TABLE routing_payment DISABLE TRIGGER {RESERVE}")

    assert Client().get("/readyz").json()["status"] == "ready"
