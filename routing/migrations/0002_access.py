import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0001_registry"),
    ]

    operations = [
        migrations.CreateModel(
            name="BotToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="What the token is for.", max_length=255)),
                (
                    "prefix",
                    models.CharField(help_text="The first characters of the token.", max_length=12, unique=True),
                ),
                ("digest", models.BinaryField(help_text="HMAC-SHA-256 of the token.")),
                (
                    "bots",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=194),
                        help_text="The bots that may use it; * is every bot.",
                        size=None,
                    ),
                ),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("charge", "charge"),
                                ("refund", "refund"),
                                ("customer", "create customers"),
                                ("balance", "read balance"),
                                ("subscription", "create and cancel subscriptions"),
                                ("checkout", "create checkout sessions"),
                                ("read", "read payments and routes"),
                                ("routes:write", "register routes and overrides"),
                            ],
                            max_length=32,
                        ),
                        size=None,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="created"),
                ),
                ("revoked_at", models.DateTimeField(blank=True, null=True, verbose_name="revoked")),
            ],
            options={
                "ordering": ["-created_at"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("bots__len__gt", 0)), name="bottoken_has_a_bot"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "scopes__contained_by",
                                [
                                    "charge",
                                    "refund",
                                    "customer",
                                    "balance",
                                    "subscription",
                                    "checkout",
                                    "read",
                                    "routes:write",
                                ],
                            )
                        ),
                        name="bottoken_scopes_are_known",
                    ),
                ],
            },
        ),
    ]
