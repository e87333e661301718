import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from routing.postgres.trigger_functions import FINISH_TRIGGERS


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0009_caps_by_hour_and_24_hours"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="bot",
            name="new_registry_version",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="category",
            name="new_registry_version",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="domain",
            name="new_registry_version",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="payment",
            name="identity_is_fixed",
        ),
        migrations.AddField(
            model_name="payment",
            name="release",
            field=models.SmallIntegerField(
                db_default=0, default=1, editable=False, help_text="Of the router that wrote the payment."
            ),
        ),
        migrations.AddIndex(
            model_name="bot",
            index=models.Index(condition=models.Q(("is_paused", True)), fields=["id"], name="bot_paused"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bot",
            trigger=pgtrigger.compiler.Trigger(
                name="new_registry_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO routing_registryhead AS head (id, version, stamp, changed_at)\nVALUES (1, 1, gen_random_uuid(), clock_timestamp())\nON CONFLICT (id) DO UPDATE\nSET version = head.version + 1, stamp = gen_random_uuid(), changed_at = clock_timestamp();\nRETURN NULL;\n",
                    hash="16bcb3dc922f07081270ff7b031b360bca8f337a",
                    level="STATEMENT",
                    operation='INSERT OR UPDATE OF "domain_id", "category_id", "name", "owner" OR DELETE OR TRUNCATE',
                    pgid="pgtrigger_new_registry_version_a1f4f",
                    table="routing_bot",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="category",
            trigger=pgtrigger.compiler.Trigger(
                name="new_registry_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO routing_registryhead AS head (id, version, stamp, changed_at)\nVALUES (1, 1, gen_random_uuid(), clock_timestamp())\nON CONFLICT (id) DO UPDATE\nSET version = head.version + 1, stamp = gen_random_uuid(), changed_at = clock_timestamp();\nRETURN NULL;\n",
                    hash="d5885de4c85e9f3d4056ff4845c22750a17cd198",
                    level="STATEMENT",
                    operation='INSERT OR UPDATE OF "slug" OR DELETE OR TRUNCATE',
                    pgid="pgtrigger_new_registry_version_930d1",
                    table="routing_category",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="domain",
            trigger=pgtrigger.compiler.Trigger(
                name="new_registry_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO routing_registryhead AS head (id, version, stamp, changed_at)\nVALUES (1, 1, gen_random_uuid(), clock_timestamp())\nON CONFLICT (id) DO UPDATE\nSET version = head.version + 1, stamp = gen_random_uuid(), changed_at = clock_timestamp();\nRETURN NULL;\n",
                    hash="4a28b1646649057f0a99cb75be3484c014496caf",
                    level="STATEMENT",
                    operation='INSERT OR UPDATE OF "slug", "account_id", "key_path", "requires_cap" OR DELETE OR TRUNCATE',
                    pgid="pgtrigger_new_registry_version_b8ce4",
                    table="routing_domain",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="identity_is_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."bot" IS DISTINCT FROM (NEW."bot") OR OLD."domain" IS DISTINCT FROM (NEW."domain") OR OLD."category" IS DISTINCT FROM (NEW."category") OR OLD."token_prefix" IS DISTINCT FROM (NEW."token_prefix") OR OLD."idempotency_key" IS DISTINCT FROM (NEW."idempotency_key") OR OLD."fingerprint" IS DISTINCT FROM (NEW."fingerprint") OR OLD."region" IS DISTINCT FROM (NEW."region") OR OLD."product_id" IS DISTINCT FROM (NEW."product_id") OR OLD."price_id" IS DISTINCT FROM (NEW."price_id") OR OLD."customer_id" IS DISTINCT FROM (NEW."customer_id") OR OLD."overrides" IS DISTINCT FROM (NEW."overrides") OR OLD."registry_version" IS DISTINCT FROM (NEW."registry_version") OR OLD."release" IS DISTINCT FROM (NEW."release") OR OLD."description" IS DISTINCT FROM (NEW."description") OR OLD."metadata" IS DISTINCT FROM (NEW."metadata") OR OLD."quantity" IS DISTINCT FROM (NEW."quantity") OR OLD."refund_of_id" IS DISTINCT FROM (NEW."refund_of_id") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="3a34681032a6bff67a4982a487ad393ac31a592b",
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
                name="refuse_older_releases",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.release < 1 AND NOT (NEW.created_at < transaction_timestamp()))",
                    func="RAISE EXCEPTION 'older release' USING ERRCODE = 'BR004';",
                    hash="d21c2c61d4c43e46377da01186f3ab8b1418c24b",
                    operation="INSERT",
                    pgid="pgtrigger_refuse_older_releases_cda20",
                    table="routing_payment",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(FINISH_TRIGGERS, migrations.RunSQL.noop),
    ]
