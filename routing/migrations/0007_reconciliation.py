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
                        help_text="What Stripe had before is from the time before the router, and is not a bypass.",
                        verbose_name="begins",
                    ),
                ),
                ("payments_until", models.DateTimeField(verbose_name="payments compared until")),
                ("balance_until", models.DateTimeField(verbose_name="balance transactions compared until")),
            ],
        ),
    ]
