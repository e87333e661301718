from django.db import migrations

from routing.postgres.trigger_functions import FINISH_TRIGGERS


class Migration(migrations.Migration):
    dependencies = [("routing", "0016_failed_refunds_are_not_counted")]

    operations = [migrations.RunSQL(FINISH_TRIGGERS, migrations.RunSQL.noop)]
