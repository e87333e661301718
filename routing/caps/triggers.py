"""Holding payments to their caps: SQL for the triggers on the ledger, so that no path goes around a cap.

A payment reserves what it takes of each cap in the statement that writes it, and keeps that reserved for as long as its
outcome is open. When it is settled, the reservation is counted as used, or released. Caps are taken in the order of
their ids everywhere, so that no two statements wait for each other.

What a cap has seen is kept by intervals: one for each hour, day or month, and one for each minute where the cap is on
the last 24 hours, whose sum it is. A new cap, or one that is on something else now, is filled from the ledger when its
transaction commits, while no payment is being written.
"""

from __future__ import annotations

CAP_EXCEEDED = "BR002"
"""SQLSTATE with which the database refuses a payment for which a cap leaves no room."""

CAP_MISSING = "BR003"
"""SQLSTATE with which it refuses a payment in a currency that no cap covers, where one must."""

CREATE_SINCE = """
CREATE FUNCTION routing_cap_since(per text, at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE per WHEN 'charge' THEN NULL
                    WHEN '24h' THEN date_trunc('minute', at - interval '24 hours', 'UTC')
                    ELSE date_trunc(per, at, 'UTC') END
$$
"""
"""When the period that a cap counts at a time began; null for a cap on each charge."""

CREATE_INTERVAL = """
CREATE FUNCTION routing_cap_interval(per text, at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT date_trunc(CASE per WHEN '24h' THEN 'minute' ELSE per END, at, 'UTC')
$$
"""
"""When the interval began under which a payment of a time is counted."""

_IS_LIMITED = """
        (c.domain_id IS NULL OR NEW.domain = (SELECT slug FROM routing_domain WHERE id = c.domain_id))
    AND (c.category_id IS NULL OR NEW.category = (SELECT slug FROM routing_category WHERE id = c.category_id))
    AND (c.bot_id IS NULL OR NEW.bot = (
        SELECT d.slug || ':' || g.slug || ':' || b.name FROM routing_bot AS b
        JOIN routing_domain AS d ON d.id = b.domain_id JOIN routing_category AS g ON g.id = b.category_id
        WHERE b.id = c.bot_id))
    AND (c.token_id IS NULL OR NEW.token_prefix IN (
        SELECT prefix FROM routing_bottoken WHERE c.token_id IN (id, succeeds_id)))
    AND (c.measure = 'refunds') = (NEW.kind = 'refund')
    AND (c.currency = '' OR c.currency = NEW.currency)
    AND NEW.kind <> 'customer' AND NEW.amount_minor IS DISTINCT FROM 0
"""
"""Whether the cap ``c`` limits the payment ``NEW``. One that moves no money is limited by none."""

CAPS_ON_PAYMENT = f"""
    SELECT c.*, CASE WHEN c.bot_id IS NOT NULL THEN 'bot ' || NEW.bot
                     WHEN c.category_id IS NOT NULL THEN 'category ' || NEW.category
                     WHEN c.domain_id IS NOT NULL THEN 'domain ' || NEW.domain
                     WHEN c.token_id IS NOT NULL
                         THEN 'token ' || (SELECT name FROM routing_bottoken WHERE id = c.token_id)
                     ELSE 'everywhere' END AS scope,
           routing_cap_since(c.per, clock_timestamp()) AS since
    FROM routing_cap AS c
    WHERE {_IS_LIMITED}
    ORDER BY c.id
"""  # noqa: S608 (of this module's own texts)
"""The caps on the payment NEW, the scope of each, and when the period began that it counts now."""

_NO_PAYMENT_IS_WRITTEN = "pg_advisory_xact_lock(hashtext('routing_cap'))"
_A_PAYMENT_IS_WRITTEN = "pg_advisory_xact_lock_shared(hashtext('routing_cap'))"
_NOBODY_TAKES_OF_IT = "pg_advisory_xact_lock(hashtext('routing_cap'), cap.id::int)"

CREATE_FILL = f"""
CREATE FUNCTION routing_fill_cap_usage(c routing_cap) RETURNS void LANGUAGE sql AS $$
    WITH counted AS (
        SELECT new.id, new.status, new.settled_at, routing_cap_interval(c.per, new.created_at) AS since,
               CASE WHEN c.measure = 'count' THEN 1 ELSE coalesce(new.amount_minor, 0) END AS value
        FROM routing_payment AS new
        WHERE new.created_at >= routing_cap_since(c.per, clock_timestamp()) AND {_IS_LIMITED}
          AND (new.settled_at IS NULL OR new.status = 'succeeded')
    ), filled AS (
        INSERT INTO routing_capusage (cap_id, since, reserved, used)
        SELECT c.id, since, coalesce(sum(value) FILTER (WHERE settled_at IS NULL), 0),
               coalesce(sum(value) FILTER (WHERE settled_at IS NOT NULL), 0)
        FROM counted GROUP BY since
        ON CONFLICT DO NOTHING
        RETURNING id, since
    )
    INSERT INTO routing_capreservation (payment_id, usage_id, value)
    SELECT counted.id, filled.id, value FROM counted JOIN filled USING (since) WHERE settled_at IS NULL
$$
"""  # noqa: S608 (of this module's own texts)
"""Counts what the ledger has of the cap's present period."""

FILL_USAGE = f"""
IF NEW.per <> 'charge' THEN
    PERFORM {_NO_PAYMENT_IS_WRITTEN};
    PERFORM routing_fill_cap_usage(c) FROM routing_cap AS c WHERE c.id = NEW.id;
END IF;
RETURN NULL;
"""
"""When a transaction commits that has made a cap."""

REFILL_USAGE = f"""
PERFORM {_NO_PAYMENT_IS_WRITTEN};
DELETE FROM routing_capusage WHERE cap_id = NEW.id;
{FILL_USAGE}
"""  # noqa: S608 (of this module's own texts)
"""When a transaction commits that has put a cap on something else."""

REPLACE_USAGE = """
IF EXISTS (
    SELECT FROM routing_capusage
    WHERE (cap_id, since) = (NEW.cap_id, NEW.since) AND used + reserved > NEW.used + NEW.reserved
) THEN
    RAISE EXCEPTION 'What a cap has counted is not taken back.' USING ERRCODE = 'BR007';
END IF;
DELETE FROM routing_capusage WHERE id = NEW.id OR (cap_id, since) = (NEW.cap_id, NEW.since);
RETURN NEW;
"""
"""Before a usage is inserted by no trigger, which only a restore does: it replaces what ``FILL_USAGE`` has made.

That had not seen the whole ledger yet, and so was never more.
"""

REFUSE_BY_HAND = "RAISE EXCEPTION 'Only payments change what a cap has counted.' USING ERRCODE = 'BR007';"

BY_HAND = "pg_trigger_depth() = 0"
"""By a statement of its own, and not by the trigger of a payment or a cap."""

KEEP_USAGE = f"""
IF EXISTS (
    SELECT FROM routing_cap
    WHERE id = OLD.cap_id AND (per IN ('day', 'month') OR OLD.since >= now() - interval '{{kept}}')
) THEN
    {REFUSE_BY_HAND}
END IF;
RETURN NULL;
"""
"""At the commit: a usage goes with its cap, or when no period counts it any more."""

KEEP_RESERVATION = f"""
IF EXISTS (SELECT FROM routing_capusage WHERE id = OLD.usage_id) THEN {REFUSE_BY_HAND} END IF;
RETURN NULL;
"""

RESERVE = f"""
IF NEW.settled_at IS NOT NULL AND NEW.status <> 'succeeded' THEN
    RETURN NULL;
END IF;
PERFORM {_A_PAYMENT_IS_WRITTEN};
FOR cap IN {CAPS_ON_PAYMENT}
LOOP
    taken := CASE WHEN cap.measure = 'count' THEN 1 ELSE NEW.amount_minor END;
    used_before := 0;
    reserved_before := 0;
    IF cap.per = '24h' THEN
        PERFORM {_NOBODY_TAKES_OF_IT};
    END IF;
    IF cap.per <> 'charge' THEN
        INSERT INTO routing_capusage AS u (cap_id, since, reserved, used)
        VALUES (cap.id, routing_cap_interval(cap.per, clock_timestamp()), 0, 0)
        ON CONFLICT (cap_id, since) DO UPDATE SET reserved = u.reserved
        RETURNING id INTO usage_id;
        SELECT sum(u.used), sum(u.reserved) INTO used_before, reserved_before
        FROM routing_capusage AS u WHERE u.cap_id = cap.id AND u.since >= cap.since;
    END IF;
    IF NEW.settled_at IS NOT NULL THEN
        UPDATE routing_capusage SET used = used + coalesce(taken, 0) WHERE id = usage_id;
        CONTINUE;
    END IF;
    room := cap."limit" - used_before - reserved_before;
    IF taken IS NULL OR taken > room THEN
        RAISE EXCEPTION 'cap exceeded' USING ERRCODE = '{CAP_EXCEEDED}', DETAIL = json_build_object(
            'measure', cap.measure, 'per', cap.per, 'scope', cap.scope, 'since', cap.since, 'currency', cap.currency,
            'limit', cap."limit", 'used', used_before, 'reserved', reserved_before, 'left', greatest(room, 0),
            'is_known', taken IS NOT NULL)::text;
    END IF;
    is_covered := is_covered OR cap.measure = 'gross';
    IF cap.per <> 'charge' THEN
        UPDATE routing_capusage SET reserved = reserved + taken WHERE id = usage_id;
        INSERT INTO routing_capreservation (payment_id, usage_id, value) VALUES (NEW.id, usage_id, taken);
    END IF;
END LOOP;
IF NEW.settled_at IS NULL AND NOT is_covered AND NEW.kind NOT IN ('refund', 'customer')
   AND NEW.amount_minor IS DISTINCT FROM 0 AND EXISTS (
    SELECT FROM routing_bot AS b
    JOIN routing_domain AS d ON d.id = b.domain_id JOIN routing_category AS g ON g.id = b.category_id
    WHERE d.slug || ':' || g.slug || ':' || b.name = NEW.bot AND (
        d.requires_cap OR EXISTS (SELECT FROM routing_cap WHERE bot_id = b.id AND measure = 'gross'))
) THEN
    RAISE EXCEPTION 'no cap' USING ERRCODE = '{CAP_MISSING}';
END IF;
RETURN NULL;
"""  # noqa: S608 (of this module's own texts)
"""After a payment is written: reserve what it takes of every cap on it, or refuse the payment.

What was collected before it is written, a renewal, is counted and not refused.
"""

RESERVE_VARIABLES = [
    ("is_covered", "boolean := false"),
    ("cap", "record"),
    ("taken", "bigint"),
    ("used_before", "bigint"),
    ("reserved_before", "bigint"),
    ("room", "bigint"),
    ("usage_id", "bigint"),
]

RELEASE = f"""
PERFORM {_A_PAYMENT_IS_WRITTEN};
FOR reservation IN
    SELECT r.id, r.usage_id, r.value, c.measure FROM routing_capreservation AS r
    JOIN routing_capusage AS u ON u.id = r.usage_id
    JOIN routing_cap AS c ON c.id = u.cap_id
    WHERE r.payment_id = NEW.id
    ORDER BY c.id
LOOP
    UPDATE routing_capusage
    SET reserved = reserved - reservation.value,
        used = used + CASE WHEN NEW.status <> 'succeeded' THEN 0
                           WHEN reservation.measure = 'count' THEN reservation.value
                           ELSE coalesce(NEW.amount_minor, reservation.value) END
    WHERE id = reservation.usage_id;
    DELETE FROM routing_capreservation WHERE id = reservation.id;
END LOOP;
RETURN NULL;
"""  # noqa: S608 (of this module's own texts)
"""After a payment is settled: count what it came to, or release what it reserved."""
