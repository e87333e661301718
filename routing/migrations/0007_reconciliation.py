from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0006_webhooks"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReconciliationCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("domain", models.CharField(max_length=64, unique=True)),
                (
                    "starts_at",
                    models.DateTimeField(
                        help_text="Objects that Stripe already had by then are older than the router, and not reported.",
                        verbose_name="starts at",
                    ),
                ),
                ("payments_until", models.DateTimeField(verbose_name="payments compared until")),
                ("balance_until", models.DateTimeField(verbose_name="balance transactions compared until")),
            ],
        ),
    ]
