"""The triggers that write the audit log, whoever changes a row and by whatever road."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pgtrigger

from routing.audit.acting import SETTING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WRITE_ENTRY = """
IF TG_OP = 'DELETE' THEN subject := OLD; ELSE subject := NEW; END IF;
IF TG_OP <> 'INSERT' THEN before := {before}; END IF;
IF TG_OP <> 'DELETE' THEN after := {after}; END IF;
IF before IS NOT DISTINCT FROM after THEN RETURN NULL; END IF;
acting := COALESCE(NULLIF(current_setting('{setting}', true), ''), '{{}}')::jsonb;
INSERT INTO routing_auditentry (
    id, at, actor, actor_id, road, request_id, reason, transaction_id, database_role, action, table_name, object_id,
    object_name, before, after
) VALUES (
    gen_random_uuid(), clock_timestamp(),
    COALESCE(NULLIF(acting->>'actor', ''), session_user), (acting->>'actor_id')::bigint,
    COALESCE(acting->>'road', 'SQL'), COALESCE(acting->>'request_id', ''), COALESCE(acting->>'reason', ''),
    pg_current_xact_id()::text, session_user, lower(TG_OP), TG_TABLE_NAME, subject.id,
    COALESCE({name}, ''), before, after
);
RETURN NULL;
"""

QUEUE_ENTRY = "INSERT INTO routing_auditunsealed (entry_id) VALUES (NEW.id); RETURN NULL;"

IS_RESTORED = "NEW.at < transaction_timestamp()"
"""An entry that is older than the transaction comes from a back-up, and so does its place among the unsealed."""


def bot_name(bot_id: str) -> str:
    """Return SQL for the name of a bot, such as ``stripe:finance:invoicer``; ``bot_id`` is SQL too."""
    return (
        "(SELECT domain.slug || ':' || category.slug || ':' || bot.name FROM routing_bot AS bot "  # noqa: S608 (as below)
        "JOIN routing_domain AS domain ON domain.id = bot.domain_id "
        "JOIN routing_category AS category ON category.id = bot.category_id "
        f"WHERE bot.id = {bot_id})"  # of this code's own columns
    )


def audited(name: str, *, masked: Sequence[str] = (), ignored: Sequence[str] = ()) -> pgtrigger.Trigger:
    """Return the trigger that writes each change of a row of its table to the audit log.

    ``name`` is SQL for what people call the row, ``subject``. Of the columns ``masked`` the log shows that they
    changed, and not their values; a change of those ``ignored`` alone is none.
    """
    return pgtrigger.Trigger(
        name="audit",
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
        declare=[("subject", "record"), ("before", "jsonb"), ("after", "jsonb"), ("acting", "jsonb")],
        func=_WRITE_ENTRY.format(
            before=_values("OLD", masked, ignored),
            after=_values("NEW", masked, ignored),
            setting=SETTING,
            name=name,
        ),
    )


def _values(row: str, masked: Sequence[str], ignored: Sequence[str]) -> str:
    values = f"to_jsonb({row})" + "".join(f" - '{column}'" for column in ignored)
    for column in masked:
        mask = f"left(encode(sha256(convert_to({row}.{column}::text, 'UTF8')), 'hex'), 8)"
        values = f"{values} || jsonb_build_object('{column}', 'masked ' || {mask})"
    return values
