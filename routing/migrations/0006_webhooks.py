import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0005_settlement"),
    ]

    operations = [
        migrations.CreateModel(
            name="EventCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("domain", models.CharField(max_length=64, unique=True)),
                (
                    "seen_until",
                    models.DateTimeField(
                        help_text="The creation time of the newest event that was read, by Stripe's clock."
                    ),
                ),
                (
                    "backfilled_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="last backfilled"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="WebhookEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("domain", models.CharField(max_length=64)),
                ("event_id", models.CharField(max_length=255, verbose_name="event ID")),
                ("type", models.CharField(max_length=255)),
                ("created", models.DateTimeField(verbose_name="created at Stripe")),
                ("object_type", models.CharField(blank=True, max_length=255, verbose_name="object type")),
                ("object_id", models.CharField(blank=True, max_length=255, verbose_name="object ID")),
                ("source", models.CharField(choices=[("webhook", "Webhook"), ("backfill", "Backfill")], max_length=16)),
                (
                    "received_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="received"),
                ),
                (
                    "attempts",
                    models.IntegerField(default=0, help_text="How often the router tried to apply the event."),
                ),
                (
                    "next_attempt_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="When the router tries next. A worker that claims the event postpones this.",
                    ),
                ),
                ("applied_at", models.DateTimeField(null=True, verbose_name="applied")),
                ("finding", models.CharField(blank=True, max_length=255, verbose_name="result")),
                ("last_error", models.TextField(blank=True, help_text="Why the last attempt failed.")),
            ],
            options={
                "ordering": ["-received_at", "-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("applied_at__isnull", True)),
                        fields=["next_attempt_at"],
                        name="webhook_event_due",
                    ),
                    models.Index(fields=["-received_at", "-id"], name="webhook_event_by_time"),
                    models.Index(fields=["object_id"], name="webhook_event_by_object"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("domain", "event_id"), name="webhook_event_is_stored_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("applied_at__isnull", True), models.Q(("finding", ""), _negated=True), _connector="OR"
                        ),
                        name="webhook_event_is_applied_with_a_finding",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("source__in", ["webhook", "backfill"])),
                        name="webhook_event_source_is_known",
                    ),
                ],
            },
        ),
    ]
