import uuid

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0002_access"),
    ]

    operations = [
        migrations.CreateModel(
            name="Payment",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("charge", "charge"),
                            ("invoice", "invoice"),
                            ("customer", "new customer"),
                            ("subscription", "new subscription"),
                            ("refund", "refund"),
                            ("checkout", "checkout session"),
                        ],
                        max_length=16,
                        verbose_name="type",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("received", "Not processed"),
                            ("sent", "Sent"),
                            ("succeeded", "Succeeded"),
                            ("declined", "Declined"),
                            ("rejected", "Rejected"),
                            ("canceled", "Canceled"),
                            ("requires_action", "Requires action"),
                            ("processing", "Processing"),
                            ("unknown", "Unknown"),
                            ("needs_review", "Needs review"),
                        ],
                        max_length=16,
                    ),
                ),
                ("bot", models.CharField(max_length=194)),
                ("domain", models.CharField(max_length=64)),
                ("category", models.CharField(max_length=64, verbose_name="business category")),
                (
                    "token_prefix",
                    models.CharField(
                        db_default="", help_text="Of the bot token that was used.", max_length=12, verbose_name="token"
                    ),
                ),
                ("idempotency_key", models.CharField(max_length=255)),
                ("fingerprint", models.BinaryField(help_text="Version and SHA-256 of what the bot requested.")),
                (
                    "amount_minor",
                    models.BigIntegerField(help_text="In minor units of the currency, as at Stripe.", null=True),
                ),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("quantity", models.BigIntegerField(null=True)),
                ("description", models.TextField(blank=True)),
                ("metadata", models.JSONField(default=dict)),
                ("region", models.CharField(max_length=64)),
                ("product_id", models.CharField(max_length=255, verbose_name="product")),
                ("price_id", models.CharField(max_length=255, verbose_name="price")),
                ("customer_id", models.CharField(blank=True, max_length=255, verbose_name="customer")),
                ("overrides", models.JSONField(default=dict, verbose_name="qualifiers")),
                ("registry_version", models.BigIntegerField()),
                ("request", models.JSONField(help_text="The frozen request bodies by step, and the API version.")),
                (
                    "lease_token",
                    models.UUIDField(help_text="Identifies the one sender that may settle the payment.", null=True),
                ),
                ("lease_until", models.DateTimeField(null=True)),
                (
                    "sent_at",
                    models.DateTimeField(
                        help_text="When the calls were last sent to Stripe.", null=True, verbose_name="last sent"
                    ),
                ),
                ("attempts", models.IntegerField(default=0, help_text="How often recovery has looked up the payment.")),
                (
                    "next_attempt_at",
                    models.DateTimeField(help_text="When recovery looks up the payment next.", null=True),
                ),
                (
                    "searches",
                    models.JSONField(default=list, help_text="When recovery searched at Stripe and found nothing."),
                ),
                ("account_id", models.CharField(blank=True, max_length=255, verbose_name="Stripe account")),
                ("payment_intent_id", models.CharField(blank=True, max_length=255, verbose_name="payment intent")),
                ("charge_id", models.CharField(blank=True, max_length=255, verbose_name="charge")),
                ("invoice_id", models.CharField(blank=True, max_length=255, verbose_name="invoice")),
                ("stripe_request_id", models.CharField(blank=True, max_length=255, verbose_name="Stripe request ID")),
                (
                    "object_id",
                    models.CharField(
                        blank=True,
                        help_text="Of the customer, subscription, refund or checkout session.",
                        max_length=255,
                        verbose_name="Stripe ID",
                    ),
                ),
                (
                    "result",
                    models.JSONField(help_text="The object that Stripe created, unless it is a charge.", null=True),
                ),
                ("error", models.JSONField(null=True)),
                (
                    "amount_refunded_minor",
                    models.BigIntegerField(
                        db_default=0,
                        help_text="Of a charge, wherever it was refunded; in minor units.",
                        verbose_name="refunded",
                    ),
                ),
                (
                    "is_reversed",
                    models.BooleanField(
                        db_default=False,
                        help_text="The refund failed after it had succeeded: it can be made again.",
                        verbose_name="reversed",
                    ),
                ),
                (
                    "is_disputed",
                    models.BooleanField(
                        db_default=False, help_text="The customer has disputed the charge.", verbose_name="disputed"
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="created"),
                ),
                ("settled_at", models.DateTimeField(null=True, verbose_name="completed")),
                (
                    "refund_of",
                    models.ForeignKey(
                        help_text="The payment that is refunded.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="routing.payment",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="PaymentEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                (
                    "from_status",
                    models.CharField(
                        choices=[
                            ("received", "Not processed"),
                            ("sent", "Sent"),
                            ("succeeded", "Succeeded"),
                            ("declined", "Declined"),
                            ("rejected", "Rejected"),
                            ("canceled", "Canceled"),
                            ("requires_action", "Requires action"),
                            ("processing", "Processing"),
                            ("unknown", "Unknown"),
                            ("needs_review", "Needs review"),
                        ],
                        max_length=16,
                        null=True,
                        verbose_name="from",
                    ),
                ),
                (
                    "to_status",
                    models.CharField(
                        choices=[
                            ("received", "Not processed"),
                            ("sent", "Sent"),
                            ("succeeded", "Succeeded"),
                            ("declined", "Declined"),
                            ("rejected", "Rejected"),
                            ("canceled", "Canceled"),
                            ("requires_action", "Requires action"),
                            ("processing", "Processing"),
                            ("unknown", "Unknown"),
                            ("needs_review", "Needs review"),
                        ],
                        max_length=16,
                        verbose_name="to",
                    ),
                ),
                ("error", models.JSONField(null=True)),
                ("request_id", models.CharField(blank=True, max_length=255, verbose_name="Stripe request ID")),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="events", to="routing.payment"
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["bot", "-created_at", "-id"], name="payment_by_bot"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["-created_at", "-id"], name="payment_by_time"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("payment_intent_id", ""), _negated=True),
                fields=["payment_intent_id"],
                name="payment_by_intent",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("charge_id", ""), _negated=True),
                fields=["charge_id"],
                name="payment_by_stripe_charge",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("invoice_id", ""), _negated=True), fields=["invoice_id"], name="payment_by_invoice"
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("object_id", ""), _negated=True), fields=["object_id"], name="payment_by_object"
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["settled_at"], name="payment_by_settlement"
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("settled_at__isnull", True)), fields=["next_attempt_at"], name="payment_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                fields=("bot", "idempotency_key"), name="payment_is_one_per_bot_and_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gte", 0)), name="payment_amount_is_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind__in", ["charge", "refund"]), _negated=True),
                    ("amount_minor__gt", 0),
                    _connector="OR",
                ),
                name="payment_charge_has_an_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        [
                            "received",
                            "sent",
                            "succeeded",
                            "declined",
                            "rejected",
                            "canceled",
                            "requires_action",
                            "processing",
                            "unknown",
                            "needs_review",
                        ],
                    )
                ),
                name="payment_status_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["charge", "invoice", "customer", "subscription", "refund", "checkout"])
                ),
                name="payment_kind_is_known",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="legal_steps",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{received:sent,received:unknown,received:succeeded,received:declined,received:rejected,received:canceled,received:requires_action,received:processing,received:needs_review,sent:received,sent:unknown,sent:succeeded,sent:declined,sent:rejected,sent:canceled,sent:requires_action,sent:processing,sent:needs_review,unknown:succeeded,unknown:declined,unknown:rejected,unknown:canceled,unknown:requires_action,unknown:processing,unknown:needs_review,requires_action:processing,requires_action:succeeded,requires_action:declined,requires_action:canceled,requires_action:needs_review,processing:requires_action,processing:succeeded,processing:declined,processing:canceled,processing:needs_review,needs_review:succeeded,needs_review:declined,needs_review:rejected,needs_review:canceled}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="16fda24347b08856bdbfeb0a7e116ecbe5ee72d7",
                    operation="UPDATE",
                    pgid="pgtrigger_legal_steps_dcf5e",
                    table="routing_payment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="identity_is_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."bot" IS DISTINCT FROM (NEW."bot") OR OLD."domain" IS DISTINCT FROM (NEW."domain") OR OLD."category" IS DISTINCT FROM (NEW."category") OR OLD."token_prefix" IS DISTINCT FROM (NEW."token_prefix") OR OLD."idempotency_key" IS DISTINCT FROM (NEW."idempotency_key") OR OLD."fingerprint" IS DISTINCT FROM (NEW."fingerprint") OR OLD."region" IS DISTINCT FROM (NEW."region") OR OLD."product_id" IS DISTINCT FROM (NEW."product_id") OR OLD."price_id" IS DISTINCT FROM (NEW."price_id") OR OLD."customer_id" IS DISTINCT FROM (NEW."customer_id") OR OLD."overrides" IS DISTINCT FROM (NEW."overrides") OR OLD."registry_version" IS DISTINCT FROM (NEW."registry_version") OR OLD."description" IS DISTINCT FROM (NEW."description") OR OLD."metadata" IS DISTINCT FROM (NEW."metadata") OR OLD."quantity" IS DISTINCT FROM (NEW."quantity") OR OLD."refund_of_id" IS DISTINCT FROM (NEW."refund_of_id") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="a433bf78e7aef0aa03a3029b8def0d5d2549eb2e",
                    operation="UPDATE",
                    pgid="pgtrigger_identity_is_fixed_a70c7",
                    table="routing_payment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="reserve_caps",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NOT (NEW.created_at < transaction_timestamp()))",
                    declare="DECLARE is_covered boolean := false; cap record; taken bigint; room bigint; usage_id bigint;",
                    func="\nFOR cap IN \n    SELECT c.*, CASE WHEN c.bot_id IS NOT NULL THEN 'bot ' || NEW.bot\n                     WHEN c.category_id IS NOT NULL THEN 'category ' || NEW.category\n                     WHEN c.domain_id IS NOT NULL THEN 'domain ' || NEW.domain\n                     ELSE 'everywhere' END AS scope,\n           CASE WHEN c.per <> 'charge' THEN date_trunc(c.per, clock_timestamp() AT TIME ZONE 'UTC')::date END AS since\n    FROM routing_cap AS c\n    LEFT JOIN routing_domain AS d ON d.id = c.domain_id\n    LEFT JOIN routing_category AS g ON g.id = c.category_id\n    LEFT JOIN routing_bot AS b ON b.id = c.bot_id\n    LEFT JOIN routing_domain AS bd ON bd.id = b.domain_id\n    LEFT JOIN routing_category AS bg ON bg.id = b.category_id\n    WHERE (c.domain_id IS NULL OR d.slug = NEW.domain)\n      AND (c.category_id IS NULL OR g.slug = NEW.category)\n      AND (c.bot_id IS NULL OR bd.slug || ':' || bg.slug || ':' || b.name = NEW.bot)\n      AND (c.measure = 'refunds') = (NEW.kind = 'refund')\n      AND (c.currency = '' OR c.currency = NEW.currency)\n      AND NEW.kind <> 'customer'\n    ORDER BY c.id\n\nLOOP\n    taken := CASE WHEN cap.measure = 'count' THEN 1 ELSE NEW.amount_minor END;\n    room := cap.\"limit\";\n    IF cap.per <> 'charge' THEN\n        SELECT u.id, cap.\"limit\" - u.reserved - u.used INTO usage_id, room\n        FROM routing_cap AS c, routing_lock_cap_usage(c, cap.since, NEW.id) AS u WHERE c.id = cap.id;\n    END IF;\n    IF taken IS NULL OR taken > room THEN\n        RAISE EXCEPTION 'cap exceeded' USING ERRCODE = 'BR002', DETAIL = json_build_object(\n            'measure', cap.measure, 'per', cap.per, 'scope', cap.scope, 'since', cap.since, 'currency', cap.currency,\n            'limit', cap.\"limit\", 'left', greatest(room, 0), 'is_known', taken IS NOT NULL)::text;\n    END IF;\n    is_covered := is_covered OR cap.measure = 'gross';\n    IF cap.per <> 'charge' THEN\n        UPDATE routing_capusage SET reserved = reserved + taken WHERE id = usage_id;\n        INSERT INTO routing_capreservation (payment_id, usage_id, value) VALUES (NEW.id, usage_id, taken);\n    END IF;\nEND LOOP;\nIF NOT is_covered AND NEW.kind NOT IN ('refund', 'customer') AND EXISTS (\n    SELECT FROM routing_bot AS b\n    JOIN routing_domain AS d ON d.id = b.domain_id JOIN routing_category AS g ON g.id = b.category_id\n    WHERE d.slug || ':' || g.slug || ':' || b.name = NEW.bot AND (\n        d.requires_cap OR EXISTS (SELECT FROM routing_cap WHERE bot_id = b.id AND measure = 'gross'))\n) THEN\n    RAISE EXCEPTION 'no cap' USING ERRCODE = 'BR003';\nEND IF;\nRETURN NULL;\n",
                    hash="7876a98825f04f3f783f5eb5958c16aaca630267",
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
                    func="\nFOR reservation IN\n    SELECT r.id, r.usage_id, r.value, c.measure FROM routing_capreservation AS r\n    JOIN routing_capusage AS u ON u.id = r.usage_id\n    JOIN routing_cap AS c ON c.id = u.cap_id\n    WHERE r.payment_id = NEW.id\n    ORDER BY c.id\nLOOP\n    UPDATE routing_capusage\n    SET reserved = reserved - reservation.value,\n        used = used + CASE WHEN NEW.status <> 'succeeded' THEN 0\n                           WHEN reservation.measure = 'count' THEN reservation.value\n                           ELSE coalesce(NEW.amount_minor, reservation.value) END\n    WHERE id = reservation.usage_id;\n    DELETE FROM routing_capreservation WHERE id = reservation.id;\nEND LOOP;\nRETURN NULL;\n",
                    hash="cfdbab1355c861a61eb9b8f7f7b8eb288e0792db",
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
                    func="\nSELECT amount_minor INTO charged FROM routing_payment WHERE id = NEW.refund_of_id FOR UPDATE;\nSELECT sum(amount_minor) INTO refunded FROM routing_payment\nWHERE refund_of_id = NEW.refund_of_id AND status NOT IN ('declined', 'rejected', 'canceled') AND NOT is_reversed;\nIF charged IS NULL OR refunded > charged THEN\n    RAISE EXCEPTION 'refund too large' USING\n        ERRCODE = 'BR001', DETAIL = (coalesce(charged, 0) - refunded + NEW.amount_minor)::text;\nEND IF;\nRETURN NULL;\n",
                    hash="f94323de9218fe3bad97e47c340e29ba95263609",
                    operation="INSERT",
                    pgid="pgtrigger_never_refund_more_than_was_charged_f0cc3",
                    table="routing_payment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="count_refund",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.\"kind\" = 'refund' AND NEW.\"status\" = 'succeeded')",
                    func="\nUPDATE routing_payment SET amount_refunded_minor = refunded.total\nFROM (SELECT sum(amount_minor) AS total FROM routing_payment\n      WHERE refund_of_id = NEW.refund_of_id AND status = 'succeeded') AS refunded\nWHERE id = NEW.refund_of_id AND amount_refunded_minor < refunded.total;\nRETURN NULL;\n",
                    hash="fe5db78821532a4cd845812dc715e21f518e77f6",
                    operation='UPDATE OF "status"',
                    pgid="pgtrigger_count_refund_c0906",
                    table="routing_payment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="kept_for_ever",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="919d61344dcd8e327cccb52858a56da1716fbade",
                    operation="DELETE",
                    pgid="pgtrigger_kept_for_ever_80cfb",
                    table="routing_payment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="write_event",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nIF TG_OP = 'UPDATE' AND OLD.status = NEW.status OR TG_OP = 'INSERT' AND (NEW.created_at < transaction_timestamp()) THEN\n    RETURN NULL;\nEND IF;\nINSERT INTO routing_paymentevent (payment_id, at, from_status, to_status, error, request_id)\nVALUES (NEW.id, clock_timestamp(), CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status, NEW.error,\n        NEW.stripe_request_id);\nRETURN NULL;\n",
                    hash="e7fc2c16e9cf7218e6d4ba198d42e7718ad57455",
                    operation='INSERT OR UPDATE OF "status"',
                    pgid="pgtrigger_write_event_3842f",
                    table="routing_payment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="paymentevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="3b64c0c084ac8253088a80ced0dc11122c5646d2",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_bde96",
                    table="routing_paymentevent",
                    when="BEFORE",
                ),
            ),
        ),
    ]
