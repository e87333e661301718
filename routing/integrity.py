"""Whether the database still has what holds the promises: the triggers, functions and constraints of the code.

Whoever owns the tables can drop these or switch them off. Each is compared with its declaration, word for word;
PostgreSQL writes conditions in its own way, so spaces, parentheses, quotes and casts are left out of the comparison.
"""

from __future__ import annotations

import logging
import math
import re
import time
from typing import TYPE_CHECKING, Any

import pgtrigger
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, models
from django.db.migrations.loader import MigrationLoader

from routing import currencies, postgres
from routing.caps import triggers as caps
from routing.postgres.trigger_functions import CREATE_SWITCH

if TYPE_CHECKING:
    from collections.abc import Iterator

_FUNCTIONS = {
    "routing_is_currency": currencies.CREATE_FUNCTION,
    "routing_cap_since": caps.CREATE_SINCE,
    "routing_cap_interval": caps.CREATE_INTERVAL,
    "routing_fill_cap_usage": caps.CREATE_FILL,
    "_pgtrigger_should_ignore": CREATE_SWITCH,
}
"""What the triggers and constraints call."""

REFUSAL = "The router's database is not as the router made it, so nothing is served from it. Its operators must look."

logger = logging.getLogger(__name__)

_AGAIN_SECONDS = 5.0
"""After which a database that was found changed is looked at again."""

_BODY = re.compile(r"AS \$\$(.*?)\$\$|AS '(.*)'|(RETURN .*)", re.DOTALL)

_LEFT_OUT = re.compile(
    r"::(?:text|character varying|varchar|integer|timestamp with time zone)(?:\(\d+\))?(?:\[\])?|[\s\"()]"
)

_ESCAPED = re.compile(r"\bE'((?:[^']|'')*)'")
"""A string with its backslashes doubled."""

_ANY = re.compile(r"=anyarray\[(.*?)\]")
"""``IN`` as PostgreSQL writes it."""

_TRIGGERS = """
SELECT tgrelid::regclass::text AS table_name, tgname AS name, tgenabled::text AS enabled,
       pg_get_triggerdef(pg_trigger.oid) AS definition, prosrc AS body, prosecdef AS runs_as_owner,
       proconfig = ARRAY[format('search_path=%%I, pg_temp', current_schema())] AS has_search_path
FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE NOT tgisinternal AND tgrelid = ANY (
    SELECT to_regclass(quote_ident(name)) FROM unnest(%(tables)s::text[]) AS name
)
"""

_RULES = """
SELECT tablename AS table_name, rulename AS name FROM pg_rules
WHERE schemaname = current_schema() AND tablename = ANY (%(tables)s) ORDER BY 1, 2
"""

_FUNCTION_BODIES = """
SELECT proname AS name, COALESCE(pg_get_function_sqlbody(oid), prosrc) AS body FROM pg_proc
WHERE proname = ANY (%(names)s)
"""

_CONSTRAINTS = """
SELECT conname AS name, CASE WHEN contype = 'c' THEN pg_get_constraintdef(oid) END AS definition
FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND convalidated
UNION
SELECT indexrelid::regclass::name, NULL FROM pg_index
WHERE indisunique AND indisvalid AND indrelid = ANY (
    SELECT to_regclass(quote_ident(name)) FROM unnest(%(tables)s::text[]) AS name
)
"""


def differences() -> Iterator[str]:
    """Yield a sentence for each trigger, function and constraint that is missing, switched off or not as declared.

    Where a newer release has migrated the database, its definitions are not this code's to judge: what is missing or
    switched off is still told.
    """
    known, applied = _migrations()
    if missing := sorted(known - applied):
        yield f"The database has not been migrated: run manage.py migrate. It lacks {', '.join(missing)}."
        return
    is_as_declared = applied <= known
    yield from _differing_triggers(is_as_declared=is_as_declared)
    yield from _differing_functions(is_as_declared=is_as_declared)
    if is_as_declared:
        yield from _differing_constraints()


_is_whole = False
_last_look = -math.inf


def may_serve() -> bool:
    """Say whether this process may serve from its database; once it may, it is not asked again.

    A sandbox may. So may a server whose database does not answer: what it does then fails by itself.
    """
    global _is_whole, _last_look
    if _is_whole or settings.IS_SANDBOX:
        return True
    if time.monotonic() - _last_look < _AGAIN_SECONDS:
        return False
    try:
        found = list(differences())
    except DatabaseError:
        return True
    finally:
        postgres.release_django_connection()
    _is_whole, _last_look = not found, time.monotonic()
    if found:
        logger.critical("%s\n%s", REFUSAL, "\n".join(found))
    return _is_whole


def _differing_triggers(*, is_as_declared: bool) -> Iterator[str]:
    standing = {(row["table_name"], row["name"]): row for row in _rows(_TRIGGERS, tables=_tables())}
    for model, trigger in pgtrigger.registered():
        table = model._meta.db_table  # noqa: SLF001 (Django's documented interface of models)
        row = standing.pop((table, trigger.get_pgid(model)), None)
        if row is None:
            yield f"The trigger {trigger.name} of {table} is missing."
        elif row["enabled"] not in ("O", "A"):
            yield f"The trigger {trigger.name} of {table} is switched off."
        elif is_as_declared and not _is_declared(model, trigger, row):
            yield f"The trigger {trigger.name} of {table} is not as the router made it."
    if is_as_declared:
        yield from (f"The trigger {name} of {table} is not the router's." for table, name in sorted(standing))
        for row in _rows(_RULES, tables=_tables()):
            yield f"The rule {row['name']} of {row['table_name']} is not the router's."


def _is_declared(model: models.Model, trigger: pgtrigger.Trigger, row: dict[str, Any]) -> bool:
    own = str(trigger.compile(model).install_sql).partition(f"FUNCTION {row['name']}()")[2]
    return (
        _normal(row["definition"]) == _normal(_definition(model, trigger))
        and row["body"].split() == _body(own).split()
        and row["has_search_path"] is True
        and row["runs_as_owner"] is True
    )


def _definition(model: models.Model, trigger: pgtrigger.Trigger) -> str:
    """Return the declaration in the order in which PostgreSQL gives it."""
    name, level = trigger.get_pgid(model), str(trigger.level)
    constraint = "CONSTRAINT " if trigger.timing else ""
    timing = f"DEFERRABLE INITIALLY {trigger.timing} " if trigger.timing else ""
    given = {str(operation).split()[0]: str(operation) for operation in trigger.operation or ()}
    operations = " OR ".join(given[each] for each in ("INSERT", "DELETE", "UPDATE", "TRUNCATE") if each in given)
    return (
        f"CREATE {constraint}TRIGGER {name} {trigger.when} {operations} "
        f"ON {model._meta.db_table} {timing}FOR EACH {level} {trigger.render_condition(model)} "  # noqa: SLF001 (as above)
        f"EXECUTE FUNCTION {name}()"
    )


def _differing_functions(*, is_as_declared: bool) -> Iterator[str]:
    standing = {row["name"]: row["body"] for row in _rows(_FUNCTION_BODIES, names=list(_FUNCTIONS))}
    for name, declaration in _FUNCTIONS.items():
        if name not in standing:
            yield f"The function {name} is missing."
        elif is_as_declared and _normal(standing[name]) != _normal(_body(declaration)):
            yield f"The function {name} is not as the router made it."


def _body(declaration: str) -> str:
    match = _BODY.search(declaration)
    return next(filter(None, match.groups())) if match else ""


def _differing_constraints() -> Iterator[str]:
    """Compare what a check checks; of other constraints, that they are there."""
    standing = {row["name"]: row["definition"] for row in _rows(_CONSTRAINTS, tables=_tables())}
    editor = connection.schema_editor(collect_sql=True)
    for model in apps.get_app_config("routing").get_models():
        for constraint in model._meta.constraints:  # noqa: SLF001 (as above)
            name = constraint.name
            if name not in standing:
                yield f"The constraint {name} is missing."
            elif isinstance(constraint, models.CheckConstraint):
                declared = str(constraint.constraint_sql(model, editor)).partition(" CHECK ")[2]
                if _normal(str(standing[name]).removeprefix("CHECK ")) != _normal(declared):
                    yield f"The constraint {name} is not as the router made it."


def _tables() -> list[str]:
    """Return the router's own tables, and those of others that it guards."""
    own = {model._meta.db_table for model in apps.get_app_config("routing").get_models()}  # noqa: SLF001 (as above)
    return sorted(own | {model._meta.db_table for model, _ in pgtrigger.registered()})  # noqa: SLF001 (as above)


def _normal(definition: str) -> str:
    plain = re.sub(r"\b\w+\.(?=routing_|auth_|mfa_|pgtrigger_)", "", definition)
    plain = _ESCAPED.sub(lambda string: string[0][1:].replace("\\\\", "\\"), plain)
    return _ANY.sub(r"in\1", _LEFT_OUT.sub("", plain).lower()).removesuffix(";")


def _migrations() -> tuple[set[str], set[str]]:
    """Return the names of the migrations that this code has, and of those that the database has had."""
    loader = MigrationLoader(connection)
    sides = (loader.disk_migrations or {}, loader.applied_migrations or {})
    known, applied = ({name for label, name in side if label == "routing"} for side in sides)
    return known, applied


def _rows(statement: str, **values: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
