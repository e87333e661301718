"""Holding payments to their caps: SQL for the triggers on the ledger, so that no path goes around a cap.

A payment reserves what it takes of each cap in the statement that writes it, and keeps that reserved for as long as its
outcome is open. When it is settled, the reservation is counted as used, or released. Caps are taken in the order of
their ids everywhere, so that no two statements wait for each other.

A cap counts its day or month from the beginning, whenever it was made: the first statement that needs its usage fills
it from the ledger.
"""

from __future__ import annotations

CAP_EXCEEDED = "BR002"
"""SQLSTATE with which the database refuses a payment for which a cap leaves no room."""

CAP_MISSING = "BR003"
"""SQLSTATE with which it refuses a payment in a currency that no cap covers, where one must."""

CAPS_ON_PAYMENT = """
    SELECT c.*, CASE WHEN c.bot_id IS NOT NULL THEN 'bot ' || NEW.bot
                     WHEN c.category_id IS NOT NULL THEN 'category ' || NEW.category
                     WHEN c.domain_id IS NOT NULL THEN 'domain ' || NEW.domain
                     ELSE 'everywhere' END AS scope,
           CASE WHEN c.per <> 'charge' THEN date_trunc(c.per, clock_timestamp() AT TIME ZONE 'UTC')::date END AS since
    FROM routing_cap AS c
    LEFT JOIN routing_domain AS d ON d.id = c.domain_id
    LEFT JOIN routing_category AS g ON g.id = c.category_id
    LEFT JOIN routing_bot AS b ON b.id = c.bot_id
    LEFT JOIN routing_domain AS bd ON bd.id = b.domain_id
    LEFT JOIN routing_category AS bg ON bg.id = b.category_id
    WHERE (c.domain_id IS NULL OR d.slug = NEW.domain)
      AND (c.category_id IS NULL OR g.slug = NEW.category)
      AND (c.bot_id IS NULL OR bd.slug || ':' || bg.slug || ':' || b.name = NEW.bot)
      AND (c.measure = 'refunds') = (NEW.kind = 'refund')
      AND (c.currency = '' OR c.currency = NEW.currency)
      AND NEW.kind <> 'customer'
    ORDER BY c.id
"""
"""The caps on the payment NEW, the scope of each, and the day or month that it counts now."""

CREATE_FUNCTION = """
CREATE OR REPLACE FUNCTION routing_lock_cap_usage(cap routing_cap, beginning date, newest uuid)
RETURNS routing_capusage LANGUAGE plpgsql AS $$
DECLARE
    usage routing_capusage;
    is_new boolean;
BEGIN
    INSERT INTO routing_capusage AS u (cap_id, since, reserved, used) VALUES (cap.id, beginning, 0, 0)
    ON CONFLICT (cap_id, since) DO UPDATE SET reserved = u.reserved
    RETURNING u.id, u.cap_id, u.since, u.reserved, u.used, u.xmax = 0
    INTO usage.id, usage.cap_id, usage.since, usage.reserved, usage.used, is_new;
    IF NOT is_new THEN
        RETURN usage;
    END IF;
    WITH counted AS (
        SELECT p.id, p.status, p.settled_at, CASE WHEN cap.measure = 'count' THEN 1 ELSE p.amount_minor END AS value
        FROM routing_payment AS p
        WHERE p.created_at >= beginning::timestamp AT TIME ZONE 'UTC' AND p.id IS DISTINCT FROM newest
          AND (cap.domain_id IS NULL OR p.domain = (SELECT slug FROM routing_domain WHERE id = cap.domain_id))
          AND (cap.category_id IS NULL OR p.category = (SELECT slug FROM routing_category WHERE id = cap.category_id))
          AND (cap.bot_id IS NULL OR p.bot = (
              SELECT d.slug || ':' || g.slug || ':' || b.name FROM routing_bot AS b
              JOIN routing_domain AS d ON d.id = b.domain_id JOIN routing_category AS g ON g.id = b.category_id
              WHERE b.id = cap.bot_id))
          AND (cap.measure = 'refunds') = (p.kind = 'refund')
          AND (cap.currency = '' OR p.currency = cap.currency)
          AND p.kind <> 'customer'
    ), held AS (
        INSERT INTO routing_capreservation (payment_id, usage_id, value)
        SELECT id, usage.id, coalesce(value, 0) FROM counted WHERE settled_at IS NULL
        RETURNING value
    )
    UPDATE routing_capusage AS u
    SET reserved = coalesce((SELECT sum(value) FROM held), 0),
        used = coalesce((SELECT sum(value) FROM counted WHERE status = 'succeeded'), 0)
    WHERE u.id = usage.id
    RETURNING u.* INTO usage;
    RETURN usage;
END $$
"""
"""Locks a cap's usage until the statement commits, so that what is read of it stays so; fills it when it is new."""

START_USAGE = """
IF NEW.per <> 'charge' THEN
    PERFORM routing_lock_cap_usage(NEW, date_trunc(NEW.per, clock_timestamp() AT TIME ZONE 'UTC')::date, NULL);
END IF;
RETURN NULL;
"""
"""After a cap is made: show what was used since its day or month began."""

REPLACE_USAGE = """
DELETE FROM routing_capusage WHERE id = NEW.id OR (cap_id, since) = (NEW.cap_id, NEW.since);
RETURN NEW;
"""
"""Before a usage is inserted by no trigger, which only a restore does: it replaces what ``START_USAGE`` has made."""

RESERVE = f"""
FOR cap IN {CAPS_ON_PAYMENT}
LOOP
    taken := CASE WHEN cap.measure = 'count' THEN 1 ELSE NEW.amount_minor END;
    room := cap."limit";
    IF cap.per <> 'charge' THEN
        SELECT u.id, cap."limit" - u.reserved - u.used INTO usage_id, room
        FROM routing_cap AS c, routing_lock_cap_usage(c, cap.since, NEW.id) AS u WHERE c.id = cap.id;
    END IF;
    IF taken IS NULL OR taken > room THEN
        RAISE EXCEPTION 'cap exceeded' USING ERRCODE = '{CAP_EXCEEDED}', DETAIL = json_build_object(
            'measure', cap.measure, 'per', cap.per, 'scope', cap.scope, 'since', cap.since, 'currency', cap.currency,
            'limit', cap."limit", 'left', greatest(room, 0), 'is_known', taken IS NOT NULL)::text;
    END IF;
    is_covered := is_covered OR cap.measure = 'gross';
    IF cap.per <> 'charge' THEN
        UPDATE routing_capusage SET reserved = reserved + taken WHERE id = usage_id;
        INSERT INTO routing_capreservation (payment_id, usage_id, value) VALUES (NEW.id, usage_id, taken);
    END IF;
END LOOP;
IF NOT is_covered AND NEW.kind NOT IN ('refund', 'customer') AND EXISTS (
    SELECT FROM routing_bot AS b
    JOIN routing_domain AS d ON d.id = b.domain_id JOIN routing_category AS g ON g.id = b.category_id
    WHERE d.slug || ':' || g.slug || ':' || b.name = NEW.bot AND (
        d.requires_cap OR EXISTS (SELECT FROM routing_cap WHERE bot_id = b.id AND measure = 'gross'))
) THEN
    RAISE EXCEPTION 'no cap' USING ERRCODE = '{CAP_MISSING}';
END IF;
RETURN NULL;
"""  # noqa: S608 (of this module's own texts)
"""After a payment is written: reserve what it takes of every cap on it, or refuse the payment."""

RESERVE_VARIABLES = [
    ("is_covered", "boolean := false"),
    ("cap", "record"),
    ("taken", "bigint"),
    ("room", "bigint"),
    ("usage_id", "bigint"),
]

RELEASE = """
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
"""
"""After a payment is settled: count what it came to, or release what it reserved."""
