import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations

from routing.postgres.trigger_functions import FINISH_TRIGGERS


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0007_reconciliation"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name="registryhead",
            trigger=pgtrigger.compiler.Trigger(
                name="replaced_by_a_restore",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (pg_trigger_depth() = 0)",
                    func="\nDELETE FROM routing_registryhead;\nNEW.stamp = gen_random_uuid();\nRETURN NEW;\n",
                    hash="48425b19091703fa865de240ea431ef9f921e124",
                    operation="INSERT",
                    pgid="pgtrigger_replaced_by_a_restore_d5911",
                    table="routing_registryhead",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="capusage",
            trigger=pgtrigger.compiler.Trigger(
                name="replaced_by_a_restore",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (pg_trigger_depth() = 0)",
                    func="\nDELETE FROM routing_capusage WHERE id = NEW.id OR (cap_id, since) = (NEW.cap_id, NEW.since);\nRETURN NEW;\n",
                    hash="8baae1d42af2d4ea5703166c6aa89951ce0670a5",
                    operation="INSERT",
                    pgid="pgtrigger_replaced_by_a_restore_3f29a",
                    table="routing_capusage",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(FINISH_TRIGGERS, reverse_sql=migrations.RunSQL.noop),
    ]
