"""The triggers that refuse a change which nobody has approved, and those that keep a proposal as it was approved.

No setting switches them off. They ask for the change request that this very transaction applies.
"""

from __future__ import annotations

import pgtrigger

NEEDS_APPROVAL = "BR005"
"""SQLSTATE with which the database refuses a change that another person must approve."""

ANY_DOMAIN = "EXISTS (SELECT FROM routing_domain WHERE requires_approval)"
"""SQL for whether anything at all needs approval: for what is not of one domain."""


LEFT_OUT = {"auth_user": ("last_login",)}
"""By table: the columns that no change has. Signing in, for one, would make what is proposed for a user out of date."""


def of_domain(domain_id: str) -> str:
    """Return SQL for whether a domain's changes need approval."""
    return f"EXISTS (SELECT FROM routing_domain WHERE id = {domain_id} AND requires_approval)"


def of_bot(bot_id: str) -> str:
    """Return SQL for whether a bot's changes need approval."""
    return (
        "EXISTS (SELECT FROM routing_bot AS bot JOIN routing_domain AS domain ON domain.id = bot.domain_id "
        f"WHERE bot.id = {bot_id} AND domain.requires_approval)"
    )


def of_bots(bots: str) -> str:
    """Return SQL for whether a token's bots include one whose domain's changes need approval."""
    return f"""EXISTS (
    SELECT FROM routing_domain AS domain WHERE requires_approval AND (
        '*' = ANY({bots})
        OR EXISTS (SELECT FROM unnest({bots}) AS bot WHERE split_part(bot, ':', 1) = domain.slug)
    )
)"""  # noqa: S608 (own columns)


def of_token(token_id: str) -> str:
    """Return SQL for whether a token speaks for a bot whose domain's changes need approval."""
    return f"EXISTS (SELECT FROM routing_bottoken AS token WHERE token.id = {token_id} AND {of_bots('token.bots')})"


_REQUIRE_APPROVAL = """
IF TG_OP <> 'INSERT' THEN was := to_jsonb(OLD){left_out}; END IF;
IF TG_OP <> 'DELETE' THEN shall_be := to_jsonb(NEW){left_out}; END IF;
IF TG_OP = 'UPDATE' THEN
    free := ARRAY[{free}]::text[];
    IF {when} THEN free := free || ARRAY[{free_then}]::text[]; END IF;
    IF was - free = shall_be - free THEN RETURN NULL; END IF;
END IF;
needed := false;
IF TG_OP <> 'INSERT' THEN needed := COALESCE({old}, false); END IF;
IF TG_OP <> 'DELETE' AND NOT needed THEN needed := COALESCE({new}, false); END IF;
IF NOT needed THEN RETURN NULL; END IF;
PERFORM FROM routing_changeitem AS item JOIN routing_changerequest AS request ON request.id = item.request_id
WHERE request.applied_in = pg_current_xact_id()::text AND item.table_name = TG_TABLE_NAME
    AND item.object_id = COALESCE(shall_be, was)->>'id'
    AND item.before IS NOT DISTINCT FROM was AND item.after IS NOT DISTINCT FROM shall_be;
IF FOUND THEN RETURN NULL; END IF;
RAISE EXCEPTION 'This change of % needs the approval of another person.', TG_TABLE_NAME USING ERRCODE = '{sqlstate}';
"""

CHECK_APPROVAL = """
PERFORM FROM routing_changerequest WHERE id = NEW.request_id AND status = 'open' FOR UPDATE;
IF NOT FOUND THEN RAISE EXCEPTION 'Only an open change can be approved.' USING ERRCODE = 'BR006'; END IF;
PERFORM FROM routing_changerequest WHERE id = NEW.request_id
    AND (proposed_by_id IS NOT DISTINCT FROM NEW.person_id OR proposed_by = NEW.person);
IF FOUND THEN RAISE EXCEPTION 'Nobody approves his own change.' USING ERRCODE = 'BR006'; END IF;
NEW.digest := ({digest});
RETURN NEW;
"""

KEEP_ITEMS = """
IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
SELECT status = 'open' AS is_open, applied_in = pg_current_xact_id()::text AS is_being_applied INTO request
FROM routing_changerequest WHERE id = changed.request_id FOR UPDATE;
IF NOT request.is_open AND (request.is_being_applied OR TG_OP <> 'INSERT') THEN
    RAISE EXCEPTION 'Only an open change can be edited.' USING ERRCODE = 'BR006';
END IF;
IF request.is_open THEN DELETE FROM routing_changeapproval WHERE request_id = changed.request_id; END IF;
RETURN changed;
"""
"""An item of a change that was decided long ago comes from a back-up; its approval's digest tells if it does not."""

BEGIN_OPEN = """
NEW.applied_in := '';
IF NEW.status <> 'open' AND NEW.proposed_at >= transaction_timestamp() THEN
    RAISE EXCEPTION 'A change begins open.' USING ERRCODE = 'BR006';
END IF;
RETURN NEW;
"""
"""One that was decided long ago comes from a back-up, and can be applied no more."""

APPLY = """
PERFORM FROM routing_changeapproval WHERE request_id = NEW.id AND digest = ({digest});
IF NOT FOUND THEN RAISE EXCEPTION 'Nobody has approved this change.' USING ERRCODE = 'BR006'; END IF;
NEW.applied_in := pg_current_xact_id()::text;
RETURN NEW;
"""


def digest_of(request_id: str) -> str:
    """Return SQL for the digest of a change request's items, which an approval is for."""
    return f"""
        SELECT encode(sha256(convert_to(COALESCE(jsonb_agg(to_jsonb(item) ORDER BY id), '[]')::text, 'UTF8')), 'hex')
        FROM routing_changeitem AS item WHERE item.request_id = {request_id}
    """  # noqa: S608 (own columns)


def guarded(
    needed: str,
    *,
    free: tuple[str, ...] = (),
    when: str = "false",
    free_then: tuple[str, ...] = (),
    table: str = "",
) -> pgtrigger.Trigger:
    """Return the trigger that refuses a change of its table at the commit unless another person has approved it.

    ``needed`` is SQL for whether a row, ``{row}``, needs approval. The columns ``free`` never do; ``free_then`` need
    none where ``when`` is true of an update. ``table`` is named for one with columns that are ``LEFT_OUT``. It is asked
    at the commit, so that a change can be tried, to be proposed.
    """
    return pgtrigger.Trigger(
        name="approval",
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
        timing=pgtrigger.Deferred,
        declare=[("was", "jsonb"), ("shall_be", "jsonb"), ("free", "text[]"), ("needed", "boolean")],
        func=_REQUIRE_APPROVAL.format(
            left_out="".join(f" - '{column}'" for column in LEFT_OUT.get(table, ())),
            free=_texts(free),
            when=when,
            free_then=_texts(free_then),
            old=needed.format(row="OLD"),
            new=needed.format(row="NEW"),
            sqlstate=NEEDS_APPROVAL,
        ),
    )


def _texts(columns: tuple[str, ...]) -> str:
    return ", ".join(f"'{column}'" for column in columns)
