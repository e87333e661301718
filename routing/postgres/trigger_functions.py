"""What every trigger function of the router has in common."""

from __future__ import annotations

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
