"""What every trigger function of the router has in common."""

from __future__ import annotations

SET_SEARCH_PATH = """
DO $$
DECLARE
    trigger_function regprocedure;
BEGIN
    FOR trigger_function IN
        SELECT DISTINCT tgfoid::regprocedure FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path FROM CURRENT', trigger_function);
    END LOOP;
END $$
"""
"""Runs at the end of every migration that makes a trigger.

A restore empties search_path, and tools set it to what they need: a trigger function finds its tables all the same.
"""
