"""What every trigger function of the router has in common."""

from __future__ import annotations

import pgtrigger

CREATE_SWITCH = """
CREATE OR REPLACE FUNCTION "public"._pgtrigger_should_ignore(trigger_name name) RETURNS boolean
LANGUAGE sql IMMUTABLE AS 'SELECT false'
"""

FINISH_TRIGGERS = f"""
{CREATE_SWITCH};

DO $$
DECLARE
    trigger_function regprocedure;
    is_the_routers boolean;
BEGIN
    FOR trigger_function, is_the_routers IN
        SELECT tgfoid::regprocedure, bool_or(tgname LIKE 'pgtrigger\\_%')
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace GROUP BY tgfoid
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', trigger_function, current_schema());
        IF is_the_routers THEN
            EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER', trigger_function);
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', trigger_function);
        END IF;
    END LOOP;
END $$
"""  # noqa: S608 (of this module's own texts)
"""Runs at the end of every migration that makes a trigger.

- django-pgtrigger asks before each trigger whether a setting, which any role may set, switches it off: none does.
- A trigger function runs as its owner, so that a role which may write a payment or a route needs no right to what
  follows from it: the audit log, a payment's events, the use of caps. Nobody can attach it to a table of his own.
- It finds its tables whatever search_path is, which a restore empties, and never a temporary table of the same name.
"""

RESTORED_BY_ANOTHER = "BR009"
"""SQLSTATE with which the database refuses a row of the past from a role that may not restore a back-up."""

_REQUIRE_OWNER = f"""
IF NOT pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER') THEN
    RAISE EXCEPTION 'Only the owner of the tables restores a back-up: this row of % is of the past.', TG_TABLE_NAME
        USING ERRCODE = '{RESTORED_BY_ANOTHER}';
END IF;
RETURN NEW;
"""  # noqa: S608 (of this module's own texts)


def restored_by_the_owner(is_restored: str) -> pgtrigger.Trigger:
    """Return the trigger that takes a row of a back-up, for which ``is_restored`` is true, from the owner alone.

    What such a row was held to was looked at when it was made, and is not again: no cap, and no second person.
    """
    return pgtrigger.Trigger(
        name="restored_by_the_owner",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        condition=pgtrigger.Condition(is_restored),
        func=_REQUIRE_OWNER,
    )
