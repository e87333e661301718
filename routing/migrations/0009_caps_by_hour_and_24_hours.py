import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from routing.caps import triggers
from routing.postgres.trigger_functions import FINISH_TRIGGERS


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0008_restores"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="cap",
            name="start_usage",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="payment",
            name="reserve_caps",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="payment",
            name="release_caps",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="payment",
            name="never_refund_more_than_was_charged",
        ),
        migrations.AlterField(
            model_name="cap",
            name="per",
            field=models.CharField(
                choices=[
                    ("charge", "Per charge"),
                    ("hour", "Per hour"),
                    ("24h", "In any 24 hours"),
                    ("day", "Per day (UTC)"),
                    ("month", "Per month (UTC)"),
                ],
                max_length=8,
                verbose_name="period",
            ),
        ),
        migrations.AlterField(
            model_name="capusage",
            name="since",
            field=models.DateTimeField(),
        ),
        migrations.RunSQL("DROP FUNCTION routing_lock_cap_usage(routing_cap, date, uuid)", migrations.RunSQL.noop),
        migrations.RunSQL(triggers.CREATE_SINCE, "DROP FUNCTION routing_cap_since(text, timestamptz)"),
        migrations.RunSQL(triggers.CREATE_INTERVAL, "DROP FUNCTION routing_cap_interval(text, timestamptz)"),
        # a later migration adds a column that it reads; nothing calls it before
        migrations.RunSQL("SET LOCAL check_function_bodies = off", migrations.RunSQL.noop),
        migrations.RunSQL(triggers.CREATE_FILL, "DROP FUNCTION routing_fill_cap_usage(routing_cap)"),
        pgtrigger.migrations.AddTrigger(
            model_name="cap",
            trigger=pgtrigger.compiler.Trigger(
                name="fill_usage",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    constraint="CONSTRAINT",
                    func="\nIF NEW.per <> 'charge' THEN\n    PERFORM pg_advisory_xact_lock(hashtext('routing_cap'));\n    PERFORM routing_fill_cap_usage(c) FROM routing_cap AS c WHERE c.id = NEW.id;\nEND IF;\nRETURN NULL;\n",
                    hash="d6607f65914b5c55da5d6d7b614c9da08c8a3413",
                    operation="INSERT",
                    pgid="pgtrigger_fill_usage_073bd",
                    table="routing_cap",
                    timing="DEFERRABLE INITIALLY DEFERRED",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="cap",
            trigger=pgtrigger.compiler.Trigger(
                name="refill_usage",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."bot_id" IS DISTINCT FROM (NEW."bot_id") OR OLD."category_id" IS DISTINCT FROM (NEW."category_id") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."domain_id" IS DISTINCT FROM (NEW."domain_id") OR OLD."measure" IS DISTINCT FROM (NEW."measure") OR OLD."per" IS DISTINCT FROM (NEW."per"))',
                    constraint="CONSTRAINT",
                    func="\nPERFORM pg_advisory_xact_lock(hashtext('routing_cap'));\nDELETE FROM routing_capusage WHERE cap_id = NEW.id;\n\nIF NEW.per <> 'charge' THEN\n    PERFORM pg_advisory_xact_lock(hashtext('routing_cap'));\n    PERFORM routing_fill_cap_usage(c) FROM routing_cap AS c WHERE c.id = NEW.id;\nEND IF;\nRETURN NULL;\n\n",
                    hash="df4b53fcfdacc8fae23d32173e9dc285638654e4",
                    operation="UPDATE",
                    pgid="pgtrigger_refill_usage_5e0b7",
                    table="routing_cap",
                    timing="DEFERRABLE INITIALLY DEFERRED",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="reserve_caps",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NOT (NEW.created_at < transaction_timestamp()))",
                    declare="DECLARE is_covered boolean := false; cap record; taken bigint; used_before bigint; reserved_before bigint; room bigint; usage_id bigint;",
                    func="\nIF NEW.settled_at IS NOT NULL AND NEW.status <> 'succeeded' THEN\n    RETURN NULL;\nEND IF;\nPERFORM pg_advisory_xact_lock_shared(hashtext('routing_cap'));\nFOR cap IN \n    SELECT c.*, CASE WHEN c.bot_id IS NOT NULL THEN 'bot ' || NEW.bot\n                     WHEN c.category_id IS NOT NULL THEN 'category ' || NEW.category\n                     WHEN c.domain_id IS NOT NULL THEN 'domain ' || NEW.domain\n                     ELSE 'everywhere' END AS scope,\n           routing_cap_since(c.per, clock_timestamp()) AS since\n    FROM routing_cap AS c\n    WHERE \n        (c.domain_id IS NULL OR NEW.domain = (SELECT slug FROM routing_domain WHERE id = c.domain_id))\n    AND (c.category_id IS NULL OR NEW.category = (SELECT slug FROM routing_category WHERE id = c.category_id))\n    AND (c.bot_id IS NULL OR NEW.bot = (\n        SELECT d.slug || ':' || g.slug || ':' || b.name FROM routing_bot AS b\n        JOIN routing_domain AS d ON d.id = b.domain_id JOIN routing_category AS g ON g.id = b.category_id\n        WHERE b.id = c.bot_id))\n    AND (c.measure = 'refunds') = (NEW.kind = 'refund')\n    AND (c.currency = '' OR c.currency = NEW.currency)\n    AND NEW.kind <> 'customer' AND NEW.amount_minor IS DISTINCT FROM 0\n\n    ORDER BY c.id\n\nLOOP\n    taken := CASE WHEN cap.measure = 'count' THEN 1 ELSE NEW.amount_minor END;\n    used_before := 0;\n    reserved_before := 0;\n    IF cap.per = '24h' THEN\n        PERFORM pg_advisory_xact_lock(hashtext('routing_cap'), cap.id::int);\n    END IF;\n    IF cap.per <> 'charge' THEN\n        INSERT INTO routing_capusage AS u (cap_id, since, reserved, used)\n        VALUES (cap.id, routing_cap_interval(cap.per, clock_timestamp()), 0, 0)\n        ON CONFLICT (cap_id, since) DO UPDATE SET reserved = u.reserved\n        RETURNING id INTO usage_id;\n        SELECT sum(u.used), sum(u.reserved) INTO used_before, reserved_before\n        FROM routing_capusage AS u WHERE u.cap_id = cap.id AND u.since >= cap.since;\n    END IF;\n    IF NEW.settled_at IS NOT NULL THEN\n        UPDATE routing_capusage SET used = used + coalesce(taken, 0) WHERE id = usage_id;\n        CONTINUE;\n    END IF;\n    room := cap.\"limit\" - used_before - reserved_before;\n    IF taken IS NULL OR taken > room THEN\n        RAISE EXCEPTION 'cap exceeded' USING ERRCODE = 'BR002', DETAIL = json_build_object(\n            'measure', cap.measure, 'per', cap.per, 'scope', cap.scope, 'since', cap.since, 'currency', cap.currency,\n            'limit', cap.\"limit\", 'used', used_before, 'reserved', reserved_before, 'left', greatest(room, 0),\n            'is_known', taken IS NOT NULL)::text;\n    END IF;\n    is_covered := is_covered OR cap.measure = 'gross';\n    IF cap.per <> 'charge' THEN\n        UPDATE routing_capusage SET reserved = reserved + taken WHERE id = usage_id;\n        INSERT INTO routing_capreservation (payment_id, usage_id, value) VALUES (NEW.id, usage_id, taken);\n    END IF;\nEND LOOP;\nIF NEW.settled_at IS NULL AND NOT is_covered AND NEW.kind NOT IN ('refund', 'customer')\n   AND NEW.amount_minor IS DISTINCT FROM 0 AND EXISTS (\n    SELECT FROM routing_bot AS b\n    JOIN routing_domain AS d ON d.id = b.domain_id JOIN routing_category AS g ON g.id = b.category_id\n    WHERE d.slug || ':' || g.slug || ':' || b.name = NEW.bot AND (\n        d.requires_cap OR EXISTS (SELECT FROM routing_cap WHERE bot_id = b.id AND measure = 'gross'))\n) THEN\n    RAISE EXCEPTION 'no cap' USING ERRCODE = 'BR003';\nEND IF;\nRETURN NULL;\n",
                    hash="5162b4c98ad425b29f4602b1caf8a0db31bccbda",
                    operation="INSERT",
                    pgid="pgtrigger_reserve_caps_f5b78",
                    table="routing_payment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="release_caps",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (NEW."settled_at" IS NOT NULL AND OLD."settled_at" IS NULL)',
                    declare="DECLARE reservation record;",
                    func="\nPERFORM pg_advisory_xact_lock_shared(hashtext('routing_cap'));\nFOR reservation IN\n    SELECT r.id, r.usage_id, r.value, c.measure FROM routing_capreservation AS r\n    JOIN routing_capusage AS u ON u.id = r.usage_id\n    JOIN routing_cap AS c ON c.id = u.cap_id\n    WHERE r.payment_id = NEW.id\n    ORDER BY c.id\nLOOP\n    UPDATE routing_capusage\n    SET reserved = reserved - reservation.value,\n        used = used + CASE WHEN NEW.status <> 'succeeded' THEN 0\n                           WHEN reservation.measure = 'count' THEN reservation.value\n                           ELSE coalesce(NEW.amount_minor, reservation.value) END\n    WHERE id = reservation.usage_id;\n    DELETE FROM routing_capreservation WHERE id = reservation.id;\nEND LOOP;\nRETURN NULL;\n",
                    hash="a81f6e68a916d82ac527e0827e369d2c96084608",
                    operation='UPDATE OF "status"',
                    pgid="pgtrigger_release_caps_98b5c",
                    table="routing_payment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="never_refund_more_than_was_charged",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.\"kind\" = 'refund')",
                    declare="DECLARE charged bigint; refunded bigint;",
                    func="\nSELECT amount_minor INTO charged FROM routing_payment WHERE id = NEW.refund_of_id FOR NO KEY UPDATE;\nSELECT sum(amount_minor) INTO refunded FROM routing_payment\nWHERE refund_of_id = NEW.refund_of_id AND status NOT IN ('declined', 'rejected', 'canceled') AND NOT is_reversed;\nIF charged IS NULL OR refunded > charged THEN\n    RAISE EXCEPTION 'refund too large' USING\n        ERRCODE = 'BR001', DETAIL = (coalesce(charged, 0) - refunded + NEW.amount_minor)::text;\nEND IF;\nRETURN NULL;\n",
                    hash="18f6fe67688901d2ca794bffa6814b08e617d414",
                    operation="INSERT",
                    pgid="pgtrigger_never_refund_more_than_was_charged_f0cc3",
                    table="routing_payment",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AlterConstraint(
            model_name="cap",
            name="cap_counts_over_time",
            constraint=models.CheckConstraint(
                condition=models.Q(("measure", "count"), ("per", "charge"), _negated=True),
                name="cap_counts_over_time",
                violation_error_message="A number of charges can be limited only over a time, not per charge.",
            ),
        ),
        migrations.RunSQL(FINISH_TRIGGERS, migrations.RunSQL.noop),
    ]
