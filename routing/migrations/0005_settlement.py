import uuid

import django.db.models.deletion
import django.db.models.fields.json
import django.db.models.functions.comparison
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0004_caps"),
    ]

    operations = [
        migrations.CreateModel(
            name="Discrepancy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("bypass", "Made outside the router"),
                            ("missing", "Missing at Stripe"),
                            ("different", "Details differ"),
                            ("contradicted", "Status differs"),
                            ("disputed", "Disputed"),
                        ],
                        max_length=16,
                        verbose_name="type",
                    ),
                ),
                ("domain", models.CharField(max_length=64)),
                ("stripe_id", models.CharField(blank=True, max_length=255, verbose_name="Stripe ID")),
                ("details", models.JSONField(default=dict, help_text="The values in the ledger and at Stripe.")),
                (
                    "found_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="found"),
                ),
                ("cleared_at", models.DateTimeField(blank=True, null=True, verbose_name="cleared")),
                ("cleared_by", models.CharField(blank=True, max_length=150)),
                ("remark", models.TextField(blank=True, help_text="How it was cleared.", verbose_name="resolution")),
                (
                    "payment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="discrepancies",
                        to="routing.payment",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "discrepancies",
                "ordering": ["-found_at"],
                "indexes": [
                    models.Index(
                        django.db.models.fields.json.KeyTextTransform(
                            "payment_id", django.db.models.fields.json.KeyTextTransform("stripe", "details")
                        ),
                        condition=models.Q(("kind", "bypass")),
                        name="discrepancy_by_lost_payment",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("kind"),
                        models.F("domain"),
                        models.F("stripe_id"),
                        django.db.models.functions.comparison.Coalesce(
                            "payment",
                            models.Value(
                                uuid.UUID("00000000-0000-0000-0000-000000000000"), output_field=models.UUIDField()
                            ),
                        ),
                        name="discrepancy_is_reported_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("payment", None), ("stripe_id", ""), _negated=True),
                        name="discrepancy_is_about_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cleared_at__isnull", True), models.Q(("remark", ""), _negated=True), _connector="OR"
                        ),
                        name="discrepancy_is_cleared_with_a_remark",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "verdict",
                    models.CharField(
                        choices=[("succeeded", "Succeeded"), ("declined", "Declined"), ("canceled", "Canceled")],
                        max_length=16,
                        verbose_name="outcome",
                    ),
                ),
                (
                    "stripe_id",
                    models.CharField(
                        blank=True,
                        help_text="Of the charge or payment that was found at Stripe.",
                        max_length=255,
                        verbose_name="Stripe ID",
                    ),
                ),
                ("reason", models.TextField(verbose_name="evidence")),
                ("proposed_by", models.CharField(max_length=150)),
                ("proposed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("confirmed_by", models.CharField(blank=True, max_length=150)),
                ("confirmed_at", models.DateTimeField(null=True)),
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="review", to="routing.payment"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="review_has_a_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("confirmed_by", models.F("proposed_by")), _negated=True),
                        name="review_takes_two_people",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("verdict", "succeeded"), _negated=True),
                            models.Q(("stripe_id", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="review_of_success_names_the_charge",
                    ),
                ],
            },
        ),
    ]
