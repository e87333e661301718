"""The roles of the database: the owner of the tables, the runtime role of the server, and one that only reads.

The runtime role writes what the code writes, and nothing else. What follows from a write is written by triggers, which
run as the owner: so the server cannot write a payment's events, the use of a cap or an entry of the audit log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from routing.postgres.queries import execute

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALL = "INSERT, UPDATE, DELETE"

WRITES = {
    "account_emailaddress": "DELETE",  # with its user
    "account_emailconfirmation": "DELETE",
    "auth_group": _ALL,
    "auth_group_permissions": _ALL,
    "auth_user": _ALL,
    "auth_user_groups": _ALL,
    "auth_user_user_permissions": _ALL,
    "django_admin_log": "INSERT, DELETE",
    "django_session": _ALL,
    "mfa_authenticator": _ALL,
    "procrastinate_events": _ALL,
    "procrastinate_jobs": _ALL,
    "procrastinate_periodic_defers": _ALL,
    "procrastinate_workers": _ALL,
    "routing_auditseal": "INSERT",
    "routing_auditunsealed": "DELETE",
    "routing_bot": _ALL,
    "routing_bottoken": _ALL,
    "routing_cap": _ALL,
    "routing_capreservation": "DELETE",  # with its cap
    "routing_capusage": "DELETE",
    "routing_category": _ALL,
    "routing_changeapproval": "INSERT",
    "routing_changeitem": "INSERT, DELETE",
    "routing_changerequest": "INSERT, UPDATE",
    "routing_discrepancy": "INSERT, UPDATE",
    "routing_domain": _ALL,
    "routing_eventcursor": "INSERT, UPDATE",
    "routing_keyrefusal": "INSERT, UPDATE",
    "routing_override": _ALL,
    "routing_pause": _ALL,
    "routing_payment": "INSERT, UPDATE",
    "routing_reconciliationcursor": "INSERT, UPDATE",
    "routing_region": _ALL,
    "routing_requestedrefund": "INSERT, UPDATE",
    "routing_review": _ALL,
    "routing_route": _ALL,
    "routing_signin": "INSERT",
    "routing_staffdomains": _ALL,
    "routing_tokenuse": "INSERT, UPDATE",
    "routing_webhookevent": _ALL,
    "socialaccount_socialaccount": _ALL,
    "socialaccount_socialtoken": "DELETE",
    "usersessions_usersession": _ALL,
}
"""What the runtime role may do with each table beside reading it; with one that is not here it may do nothing else."""

UNREAD: dict[str, tuple[str, ...]] = {
    "auth_user": ("password",),
    "django_session": (),
    "mfa_authenticator": ("data",),
    "usersessions_usersession": ("session_key",),
    "routing_bottoken": ("digest",),
    "routing_changeitem": ("before", "after"),  # of a user or a token, these have the password or the digest
}
"""What those who only read must not see: some columns, or all of a table."""

_OWN_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') ORDER BY relname
"""

_SEQUENCES = """
SELECT sequence.relname FROM pg_class AS sequence
JOIN pg_depend ON pg_depend.objid = sequence.oid AND deptype = 'a'
JOIN pg_class AS of_table ON of_table.oid = refobjid
WHERE sequence.relkind = 'S' AND sequence.relnamespace = current_schema()::regnamespace
    AND of_table.relname = ANY (%s)
"""
"""Those of serial columns. Identity columns need no right to theirs."""

_NOT_THE_OWNERS = """
SELECT 'TABLE', oid::regclass::text FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v') AND relowner <> %(owner)s::regrole
UNION ALL
SELECT 'ROUTINE', oid::regprocedure::text FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND proowner <> %(owner)s::regrole
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype IN ('e', 'i'))
UNION ALL
SELECT 'TYPE', oid::regtype::text FROM pg_type
WHERE typnamespace = current_schema()::regnamespace AND typowner <> %(owner)s::regrole
    AND typtype IN ('e', 'r', 'd')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_type.oid AND deptype = 'e')
"""

_COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = %s AND column_name <> ALL (%s) ORDER BY ordinal_position
"""

_TOO_MUCH = """
SELECT has_database_privilege(%(role)s, current_database(), 'TEMPORARY') AS makes_temporary_tables,
       has_schema_privilege(%(role)s, current_schema(), 'CREATE') AS makes_tables,
       pg_has_role(%(role)s, relowner, 'MEMBER') AS is_owner,
       (SELECT rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = %(role)s)
           AS is_administrator
FROM pg_class WHERE oid = to_regclass('routing_payment')
"""


def create(name: str) -> bool:
    """Create a role that can log in and has no password yet; return whether it was not there."""
    if execute("SELECT oid FROM pg_roles WHERE rolname = %s", [name]):
        return False
    _run("CREATE ROLE {} LOGIN", name)
    return True


def hand_over(owner: str) -> None:
    """Make ``owner`` the owner of everything in the schema, so that it can migrate. Needs an administrator's rights."""
    [(schema, administrator, is_superuser)] = execute(
        "SELECT current_schema(), current_user, rolsuper FROM pg_roles WHERE rolname = current_user"
    )
    _run("GRANT USAGE, CREATE ON SCHEMA {} TO {}", schema, owner)
    if not is_superuser:
        _run("GRANT {} TO {}", owner, administrator)
    for kind, name in execute(_NOT_THE_OWNERS, {"owner": owner}):
        execute(sql.SQL(f"ALTER {kind} {name} OWNER TO {{}}").format(sql.Identifier(owner)))


def grant(runtime: str, reader: str) -> None:
    """Give both roles what they need in the schema, and take away whatever else they have there."""
    [(schema, database)] = execute("SELECT current_schema(), current_database()")
    _run("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC", database)
    _run("REVOKE CREATE ON SCHEMA {} FROM PUBLIC", schema)
    for role in (runtime, reader):
        _run("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}", schema, role)
        _run("REVOKE ALL ON ALL SEQUENCES IN SCHEMA {} FROM {}", schema, role)
        _run("GRANT USAGE ON SCHEMA {} TO {}", schema, role)
    _run("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}", schema, runtime)
    tables = [name for (name,) in execute(_OWN_TABLES)]
    for table in tables:
        if table in WRITES:
            _run(f"GRANT {WRITES[table]} ON {{}} TO {{}}", table, runtime)
        _grant_reading(table, reader)
    for (sequence,) in execute(_SEQUENCES, [list(WRITES)]):
        _run("GRANT USAGE ON SEQUENCE {} TO {}", sequence, runtime)


def excesses(role: str) -> Iterator[str]:
    """Yield a sentence for whatever else lets the role around the triggers."""
    for temporary, creates, owns, administers in execute(_TOO_MUCH, {"role": role}):
        if owns:
            yield f"{role} is the owner of the tables, or a member of it, and may switch off every trigger."
        if administers:
            yield f"{role} is an administrator of the database server."
        if temporary:
            yield f"{role} may make temporary tables: the owner of the database revokes TEMPORARY from PUBLIC."
        if creates:
            yield f"{role} may make tables: the owner of the schema revokes CREATE from PUBLIC."


def current_role() -> str:
    [(name,)] = execute("SELECT current_user")
    return str(name)


def _grant_reading(table: str, reader: str) -> None:
    hidden = UNREAD.get(table)
    if hidden is None:
        _run("GRANT SELECT ON {} TO {}", table, reader)
    elif hidden:
        columns = sql.SQL(", ").join(sql.Identifier(name) for (name,) in execute(_COLUMNS, [table, list(hidden)]))
        execute(sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(columns, sql.Identifier(table), sql.Identifier(reader)))


def _run(statement: str, *names: str) -> None:
    execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
