"""Holding payments to their caps: SQL for the triggers on the ledger, so that no path goes around a cap.

A payment reserves what it takes of each cap in the statement that writes it, and keeps that reserved for as long as its
outcome is open. When it is settled, the reservation is counted as used, or released. Caps are taken in the order of
their ids everywhere, so that no two statements wait for each other.
"""

from __future__ import annotations

CAP_EXCEEDED = "BR002"
"""SQLSTATE with which the database refuses a payment for which a cap leaves no room."""

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

RESERVE = f"""
FOR cap IN {CAPS_ON_PAYMENT}
LOOP
    taken := CASE WHEN cap.measure = 'count' THEN 1 ELSE NEW.amount_minor END;
    room := cap."limit";
    IF cap.per <> 'charge' THEN
        INSERT INTO routing_capusage AS u (cap_id, since, reserved, used) VALUES (cap.id, cap.since, 0, 0)
        ON CONFLICT (cap_id, since) DO UPDATE SET reserved = u.reserved
        RETURNING u.id, cap."limit" - u.reserved - u.used INTO usage_id, room;
    END IF;
    IF taken IS NULL OR taken > room THEN
        RAISE EXCEPTION 'cap exceeded' USING ERRCODE = '{CAP_EXCEEDED}', DETAIL = json_build_object(
            'measure', cap.measure, 'per', cap.per, 'scope', cap.scope, 'since', cap.since, 'currency', cap.currency,
            'limit', cap."limit", 'left', greatest(room, 0), 'is_known', taken IS NOT NULL)::text;
    END IF;
    IF cap.per <> 'charge' THEN
        UPDATE routing_capusage SET reserved = reserved + taken WHERE id = usage_id;
        INSERT INTO routing_capreservation (payment_id, usage_id, value) VALUES (NEW.id, usage_id, taken);
    END IF;
END LOOP;
RETURN NULL;
"""  # noqa: S608 (of this module's own texts)
"""After a payment is written: reserve what it takes of every cap on it, or refuse the payment.

``ON CONFLICT DO UPDATE`` locks the usage, so what is read of it stays so until the statement commits.
"""

RESERVE_VARIABLES = [("cap", "record"), ("taken", "bigint"), ("room", "bigint"), ("usage_id", "bigint")]

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
