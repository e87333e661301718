import django.db.models.deletion
import django.db.models.functions.comparison
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import routing.currencies

_LOCK_CAP_USAGE = """
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


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0003_ledger"),
    ]

    operations = [
        migrations.CreateModel(
            name="Cap",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "measure",
                    models.CharField(
                        choices=[
                            ("gross", "Amount charged"),
                            ("count", "Number of charges"),
                            ("refunds", "Amount refunded"),
                        ],
                        max_length=8,
                        verbose_name="limit on",
                    ),
                ),
                (
                    "per",
                    models.CharField(
                        choices=[("charge", "Per charge"), ("day", "Per day (UTC)"), ("month", "Per month (UTC)")],
                        max_length=8,
                        verbose_name="period",
                    ),
                ),
                (
                    "currency",
                    models.CharField(blank=True, help_text="Leave empty for a number of charges.", max_length=3),
                ),
                ("limit", models.BigIntegerField(help_text="Minor units of the currency, or the number of charges.")),
                (
                    "bot",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="caps",
                        to="routing.bot",
                    ),
                ),
                (
                    "category",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="caps",
                        to="routing.category",
                        verbose_name="business category",
                    ),
                ),
                (
                    "domain",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="caps",
                        to="routing.domain",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="CapUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateField()),
                ("reserved", models.BigIntegerField(default=0)),
                ("used", models.BigIntegerField(default=0)),
                (
                    "cap",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="usages", to="routing.cap"
                    ),
                ),
            ],
            options={
                "ordering": ["-since"],
            },
        ),
        migrations.CreateModel(
            name="CapReservation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("value", models.BigIntegerField()),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reservations", to="routing.payment"
                    ),
                ),
                (
                    "usage",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="reservations", to="routing.capusage"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="cap",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("category", None), ("domain", None)),
                    models.Q(("bot", None), ("domain", None)),
                    models.Q(("bot", None), ("category", None)),
                    _connector="OR",
                ),
                name="cap_is_on_one_thing",
                violation_error_message="Choose only one of bot, business category and domain, or none of them.",
            ),
        ),
        migrations.AddConstraint(
            model_name="cap",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("currency", ""), ("measure", "count")),
                    models.Q(models.Q(("measure", "count"), _negated=True), routing.currencies.IsCurrency("currency")),
                    _connector="OR",
                ),
                name="cap_names_its_currency",
                violation_error_message="Choose a currency for an amount, and none for a number of charges.",
            ),
        ),
        migrations.AddConstraint(
            model_name="cap",
            constraint=models.CheckConstraint(
                condition=models.Q(("measure", "count"), ("per", "charge"), _negated=True),
                name="cap_counts_over_time",
                violation_error_message="A number of charges can be limited only per day or per month.",
            ),
        ),
        migrations.AddConstraint(
            model_name="cap",
            constraint=models.CheckConstraint(
                condition=models.Q(("limit__gte", 0)),
                name="cap_limit_is_not_negative",
                violation_error_message="The limit cannot be negative.",
            ),
        ),
        migrations.AddConstraint(
            model_name="cap",
            constraint=models.UniqueConstraint(
                django.db.models.functions.comparison.Coalesce("domain", 0),
                django.db.models.functions.comparison.Coalesce("category", 0),
                django.db.models.functions.comparison.Coalesce("bot", 0),
                models.F("measure"),
                models.F("per"),
                models.F("currency"),
                name="cap_is_unique",
                violation_error_message="This cap already exists. Edit the existing one.",
            ),
        ),
        migrations.RunSQL(
            sql=_LOCK_CAP_USAGE,
            reverse_sql="DROP FUNCTION routing_lock_cap_usage(routing_cap, date, uuid)",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="cap",
            trigger=pgtrigger.compiler.Trigger(
                name="start_usage",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nIF NEW.per <> 'charge' THEN\n    PERFORM routing_lock_cap_usage(NEW, date_trunc(NEW.per, clock_timestamp() AT TIME ZONE 'UTC')::date, NULL);\nEND IF;\nRETURN NULL;\n",
                    hash="359442d161e2ee81ee5f8e0baecd650414b0e5f1",
                    operation="INSERT",
                    pgid="pgtrigger_start_usage_2190d",
                    table="routing_cap",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="capusage",
            constraint=models.UniqueConstraint(fields=("cap", "since"), name="capusage_is_one_per_period"),
        ),
        migrations.AddConstraint(
            model_name="capusage",
            constraint=models.CheckConstraint(
                condition=models.Q(("reserved__gte", 0), ("used__gte", 0)), name="capusage_is_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="capreservation",
            constraint=models.UniqueConstraint(fields=("payment", "usage"), name="capreservation_is_one_per_payment"),
        ),
    ]
