"""What every trigger function of the router has in common."""

from __future__ import annotations

IS_OF_AUDIT_LOG = "pgtrigger_audit"
"""What the names of the triggers that write the audit log begin with."""

CREATE_SWITCH = """
CREATE OR REPLACE FUNCTION "public"._pgtrigger_should_ignore(trigger_name name) RETURNS boolean
LANGUAGE sql IMMUTABLE AS 'SELECT false'
"""

FINISH_TRIGGERS = f"""
{CREATE_SWITCH};

DO $$
DECLARE
    trigger_function regprocedure;
    is_of_audit_log boolean;
BEGIN
    FOR trigger_function, is_of_audit_log IN
        SELECT tgfoid::regprocedure, bool_or(tgname LIKE '{IS_OF_AUDIT_LOG}%')
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace GROUP BY tgfoid
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path FROM CURRENT', trigger_function);
        IF is_of_audit_log THEN EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER', trigger_function); END IF;
    END LOOP;
END $$
"""  # noqa: S608 (of this module's own texts)
"""Runs at the end of every migration that makes a trigger.

- django-pgtrigger asks before each trigger whether a setting, which any role may set, switches it off: none does.
- A restore empties search_path, and tools set it to what they need: a trigger function finds its tables all the same.
- The audit log is written as its owner, so that a role which may change a row needs no right to the log itself.
"""
