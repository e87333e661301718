import django.contrib.postgres.constraints
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.lookups
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import routing.currencies


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.RunSQL(
            sql='CREATE TYPE routing_textrange AS RANGE (subtype = text, collation = "C")',
            reverse_sql="DROP TYPE routing_textrange",
        ),
        migrations.RunSQL(
            sql=routing.currencies.CREATE_FUNCTION, reverse_sql="DROP FUNCTION routing_is_currency(text)"
        ),
        migrations.CreateModel(
            name="Domain",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "slug",
                    models.CharField(
                        help_text="1 to 64 lower-case letters, digits, '_' and '-'. Bots use it in their calls: it cannot be changed later.",
                        max_length=64,
                        unique=True,
                        verbose_name="name",
                    ),
                ),
                (
                    "account_id",
                    models.CharField(
                        blank=True,
                        help_text="The account that the domain's key must belong to, such as acct_1a2B3c. Charges are refused if the key belongs to another account. Leave empty to skip the check.",
                        max_length=255,
                        null=True,
                        unique=True,
                        verbose_name="Stripe account",
                    ),
                ),
                (
                    "key_path",
                    models.CharField(
                        blank=True,
                        help_text="Leave empty for secret/data/stripe/ followed by the domain's name.",
                        max_length=255,
                        verbose_name="Vault path of the key",
                    ),
                ),
                (
                    "is_paused",
                    models.BooleanField(
                        default=False, help_text="No bot of this domain can bill.", verbose_name="paused"
                    ),
                ),
                (
                    "requires_cap",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="A charge in a currency that no cap covers is refused.",
                        verbose_name="every charge needs a cap",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="created"
                    ),
                ),
            ],
            options={
                "ordering": ["slug"],
            },
        ),
        migrations.CreateModel(
            name="Override",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from", models.DateTimeField(blank=True, help_text="Leave empty for no start.", null=True)),
                (
                    "valid_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="From this time on it no longer applies. Leave empty for no end.",
                        null=True,
                    ),
                ),
                (
                    "key",
                    models.CharField(
                        help_text="The qualifier's name in the call, such as business.",
                        max_length=64,
                        verbose_name="qualifier",
                    ),
                ),
                (
                    "value",
                    models.CharField(help_text="The qualifier's value in the call, such as enterprise.", max_length=64),
                ),
                (
                    "product_id",
                    models.CharField(
                        blank=True,
                        help_text="Leave empty to keep the route's.",
                        max_length=255,
                        null=True,
                        verbose_name="product",
                    ),
                ),
                (
                    "price_id",
                    models.CharField(
                        blank=True,
                        help_text="Leave empty to keep the route's.",
                        max_length=255,
                        null=True,
                        verbose_name="price",
                    ),
                ),
                (
                    "customer_id",
                    models.CharField(
                        blank=True,
                        help_text="Leave empty to keep the route's.",
                        max_length=255,
                        null=True,
                        verbose_name="customer",
                    ),
                ),
                (
                    "currency",
                    models.CharField(blank=True, help_text="Leave empty to keep the route's.", max_length=3, null=True),
                ),
            ],
            options={
                "ordering": ["bot", "key", "value", models.OrderBy(models.F("region__slug"), nulls_first=True)],
            },
        ),
        migrations.CreateModel(
            name="Pause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "reason",
                    models.CharField(blank=True, help_text="Optional. Bots see it in the error.", max_length=200),
                ),
                (
                    "paused_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="paused"),
                ),
                ("paused_by", models.CharField(max_length=150)),
                ("resumed_at", models.DateTimeField(null=True, verbose_name="resumed")),
                ("resumed_by", models.CharField(blank=True, max_length=150)),
            ],
            options={
                "verbose_name": "pause of all billing",
                "verbose_name_plural": "pauses of all billing",
                "ordering": ["-paused_at"],
                "permissions": [("pause_everything", "Can pause and resume all billing")],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Region",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "slug",
                    models.CharField(
                        help_text="1 to 64 lower-case letters, digits, '_' and '-'. Bots use it in their calls: it cannot be changed later.",
                        max_length=64,
                        unique=True,
                        verbose_name="name",
                    ),
                ),
            ],
            options={
                "ordering": ["slug"],
            },
        ),
        migrations.CreateModel(
            name="RegistryHead",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("version", models.BigIntegerField()),
                ("stamp", models.UUIDField()),
                ("changed_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Route",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from", models.DateTimeField(blank=True, help_text="Leave empty for no start.", null=True)),
                (
                    "valid_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="From this time on it no longer applies. Leave empty for no end.",
                        null=True,
                    ),
                ),
                (
                    "product_id",
                    models.CharField(
                        help_text="Stripe ID, such as prod_1a2B3c.", max_length=255, verbose_name="product"
                    ),
                ),
                (
                    "price_id",
                    models.CharField(
                        help_text="Stripe ID, such as price_1a2B3c.", max_length=255, verbose_name="price"
                    ),
                ),
                (
                    "customer_id",
                    models.CharField(
                        help_text="Stripe ID, such as cus_1a2B3c.", max_length=255, verbose_name="customer"
                    ),
                ),
                ("currency", models.CharField(default="usd", help_text="Three letters, such as usd.", max_length=3)),
            ],
            options={
                "ordering": ["bot", "region__slug", models.OrderBy(models.F("valid_from"), nulls_first=True)],
            },
        ),
        migrations.CreateModel(
            name="Category",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "slug",
                    models.CharField(
                        help_text="1 to 64 lower-case letters, digits, '_' and '-'. Bots use it in their calls: it cannot be changed later.",
                        max_length=64,
                        unique=True,
                        verbose_name="name",
                    ),
                ),
                (
                    "is_paused",
                    models.BooleanField(
                        default=False, help_text="No bot of this category can bill.", verbose_name="paused"
                    ),
                ),
            ],
            options={
                "verbose_name": "business category",
                "verbose_name_plural": "business categories",
                "ordering": ["slug"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("slug__regex", "^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$"),
                            models.Q(
                                (
                                    "slug__regex",
                                    "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                                ),
                                _negated=True,
                            ),
                        ),
                        name="category_slug_is_a_slug",
                        violation_error_message="The slug may have 1 to 64 lower-case letters, digits, '_' and '-', and no key.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Bot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="1 to 64 lower-case letters, digits, '_' and '-'. Bots use it in their calls: it cannot be changed later.",
                        max_length=64,
                    ),
                ),
                (
                    "owner",
                    models.CharField(blank=True, help_text="The person or team to ask about this bot.", max_length=255),
                ),
                (
                    "is_paused",
                    models.BooleanField(default=False, help_text="The bot cannot bill.", verbose_name="paused"),
                ),
                (
                    "category",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bots",
                        to="routing.category",
                        verbose_name="business category",
                    ),
                ),
            ],
            options={
                "ordering": ["domain__slug", "category__slug", "name"],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="category",
            trigger=pgtrigger.compiler.Trigger(
                name="new_registry_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO routing_registryhead AS head (id, version, stamp, changed_at)\nVALUES (1, 1, gen_random_uuid(), clock_timestamp())\nON CONFLICT (id) DO UPDATE\nSET version = head.version + 1, stamp = gen_random_uuid(), changed_at = clock_timestamp();\nRETURN NULL;\n",
                    hash="12ae443c7af596403f1893f4dc02dd8b6ed3fdf3",
                    level="STATEMENT",
                    operation="INSERT OR UPDATE OR DELETE OR TRUNCATE",
                    pgid="pgtrigger_new_registry_version_930d1",
                    table="routing_category",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="domain",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("slug__regex", "^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$"),
                    models.Q(
                        (
                            "slug__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="domain_slug_is_a_slug",
                violation_error_message="The slug may have 1 to 64 lower-case letters, digits, '_' and '-', and no key.",
            ),
        ),
        migrations.AddConstraint(
            model_name="domain",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("account_id__regex", "^acct_[A-Za-z0-9_]+$"),
                    models.Q(
                        (
                            "account_id__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="domain_account_id_is_a_stripe_id",
                violation_error_message="The account must be a Stripe ID, such as acct_1a2B3c.",
            ),
        ),
        migrations.AddConstraint(
            model_name="domain",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("key_path__regex", "^[A-Za-z0-9/_.-]*$"),
                    models.Q(
                        (
                            "key_path__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="domain_key_path_is_a_path",
                violation_error_message="The Vault path may have letters, digits and / _ . -, and not the key itself.",
            ),
        ),
        migrations.AddField(
            model_name="bot",
            name="domain",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="bots", to="routing.domain"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="domain",
            trigger=pgtrigger.compiler.Trigger(
                name="new_registry_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO routing_registryhead AS head (id, version, stamp, changed_at)\nVALUES (1, 1, gen_random_uuid(), clock_timestamp())\nON CONFLICT (id) DO UPDATE\nSET version = head.version + 1, stamp = gen_random_uuid(), changed_at = clock_timestamp();\nRETURN NULL;\n",
                    hash="f58727763b45fd32179c9b0f35c36581743c6348",
                    level="STATEMENT",
                    operation="INSERT OR UPDATE OR DELETE OR TRUNCATE",
                    pgid="pgtrigger_new_registry_version_b8ce4",
                    table="routing_domain",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="override",
            name="bot",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="overrides", to="routing.bot"
            ),
        ),
        migrations.AddConstraint(
            model_name="pause",
            constraint=models.UniqueConstraint(
                django.db.models.lookups.IsNull(models.F("resumed_at"), True),
                condition=models.Q(("resumed_at", None)),
                name="pause_is_one_at_a_time",
                violation_error_message="All billing is already paused.",
            ),
        ),
        migrations.AddConstraint(
            model_name="pause",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("resumed_at", None), ("resumed_by", "")),
                    models.Q(("resumed_at__isnull", False), models.Q(("resumed_by", ""), _negated=True)),
                    _connector="OR",
                ),
                name="pause_has_who_resumed_it",
            ),
        ),
        migrations.AddConstraint(
            model_name="pause",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "reason__regex",
                        "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                    ),
                    _negated=True,
                ),
                name="pause_reason_is_not_a_key",
                violation_error_message="Do not enter a key here. Keys are stored only in Vault.",
            ),
        ),
        migrations.AddConstraint(
            model_name="region",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("slug__regex", "^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$"),
                    models.Q(
                        (
                            "slug__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="region_slug_is_a_slug",
                violation_error_message="The slug may have 1 to 64 lower-case letters, digits, '_' and '-', and no key.",
            ),
        ),
        migrations.AddField(
            model_name="override",
            name="region",
            field=models.ForeignKey(
                blank=True,
                help_text="Leave empty for every region.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="overrides",
                to="routing.region",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="region",
            trigger=pgtrigger.compiler.Trigger(
                name="new_registry_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO routing_registryhead AS head (id, version, stamp, changed_at)\nVALUES (1, 1, gen_random_uuid(), clock_timestamp())\nON CONFLICT (id) DO UPDATE\nSET version = head.version + 1, stamp = gen_random_uuid(), changed_at = clock_timestamp();\nRETURN NULL;\n",
                    hash="e08474404e39e1bafbca44c4d76710643e4b162c",
                    level="STATEMENT",
                    operation="INSERT OR UPDATE OR DELETE OR TRUNCATE",
                    pgid="pgtrigger_new_registry_version_0d8a8",
                    table="routing_region",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="registryhead",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="registryhead_is_one_row"),
        ),
        migrations.AddField(
            model_name="route",
            name="bot",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="routes", to="routing.bot"
            ),
        ),
        migrations.AddField(
            model_name="route",
            name="region",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="routes", to="routing.region"
            ),
        ),
        migrations.AddConstraint(
            model_name="bot",
            constraint=models.UniqueConstraint(
                fields=("domain", "category", "name"),
                name="bot_is_unique",
                violation_error_message="The domain already has a bot with this name in this business category.",
            ),
        ),
        migrations.AddConstraint(
            model_name="bot",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("name__regex", "^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$"),
                    models.Q(
                        (
                            "name__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="bot_name_is_a_slug",
                violation_error_message="The name may have 1 to 64 lower-case letters, digits, '_' and '-', and no key.",
            ),
        ),
        migrations.AddConstraint(
            model_name="bot",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "owner__regex",
                        "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                    ),
                    _negated=True,
                ),
                name="bot_owner_is_not_a_key",
                violation_error_message="Do not enter a key here. Keys are stored only in Vault.",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bot",
            trigger=pgtrigger.compiler.Trigger(
                name="new_registry_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO routing_registryhead AS head (id, version, stamp, changed_at)\nVALUES (1, 1, gen_random_uuid(), clock_timestamp())\nON CONFLICT (id) DO UPDATE\nSET version = head.version + 1, stamp = gen_random_uuid(), changed_at = clock_timestamp();\nRETURN NULL;\n",
                    hash="c6828eae3d931b1a68cb237d6f4b25827f65ef0c",
                    level="STATEMENT",
                    operation="INSERT OR UPDATE OR DELETE OR TRUNCATE",
                    pgid="pgtrigger_new_registry_version_a1f4f",
                    table="routing_bot",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="override",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("product_id__regex", "^prod_[A-Za-z0-9_]+$"),
                    models.Q(
                        (
                            "product_id__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="override_product_id_is_a_stripe_id",
                violation_error_message="The product must be a Stripe ID, such as prod_1a2B3c.",
            ),
        ),
        migrations.AddConstraint(
            model_name="override",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("price_id__regex", "^price_[A-Za-z0-9_]+$"),
                    models.Q(
                        (
                            "price_id__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="override_price_id_is_a_stripe_id",
                violation_error_message="The price must be a Stripe ID, such as price_1a2B3c.",
            ),
        ),
        migrations.AddConstraint(
            model_name="override",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("customer_id__regex", "^cus_[A-Za-z0-9_]+$"),
                    models.Q(
                        (
                            "customer_id__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="override_customer_id_is_a_stripe_id",
                violation_error_message="The customer must be a Stripe ID, such as cus_1a2B3c.",
            ),
        ),
        migrations.AddConstraint(
            model_name="override",
            constraint=models.CheckConstraint(
                condition=routing.currencies.IsCurrency("currency"),
                name="override_currency_is_supported",
                violation_error_message="The currency must be a three-letter code that Stripe supports, such as usd.",
            ),
        ),
        migrations.AddConstraint(
            model_name="override",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_from__isnull", True),
                    ("valid_until__isnull", True),
                    ("valid_from__lt", models.F("valid_until")),
                    _connector="OR",
                ),
                name="override_period_is_not_empty",
                violation_error_message="The end of the period must be after its start.",
            ),
        ),
        migrations.AddConstraint(
            model_name="override",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("key__regex", "^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$"),
                    models.Q(
                        (
                            "key__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="override_key_is_a_slug",
                violation_error_message="The key may have 1 to 64 lower-case letters, digits, '_' and '-', and no key.",
            ),
        ),
        migrations.AddConstraint(
            model_name="override",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("value__regex", "^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$"),
                    models.Q(
                        (
                            "value__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="override_value_is_a_slug",
                violation_error_message="The value may have 1 to 64 lower-case letters, digits, '_' and '-', and no key.",
            ),
        ),
        migrations.AddConstraint(
            model_name="override",
            constraint=models.CheckConstraint(
                condition=models.Q(("key", "region"), _negated=True),
                name="override_key_is_not_region",
                violation_error_message="Add a route for the region instead: an override cannot choose the region.",
            ),
        ),
        migrations.AddConstraint(
            model_name="override",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("product_id__isnull", False),
                    ("price_id__isnull", False),
                    ("customer_id__isnull", False),
                    ("currency__isnull", False),
                    _connector="OR",
                ),
                name="override_changes_something",
                violation_error_message="An override must change the product, price, customer or currency.",
            ),
        ),
        migrations.AddConstraint(
            model_name="override",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    (models.Func(models.F("bot"), models.F("bot"), models.Value("[]"), function="int8range"), "="),
                    (
                        models.Func(
                            django.db.models.functions.comparison.Coalesce(models.F("region"), models.Value(0)),
                            django.db.models.functions.comparison.Coalesce(models.F("region"), models.Value(0)),
                            models.Value("[]"),
                            function="int8range",
                        ),
                        "=",
                    ),
                    (
                        models.Func(models.F("key"), models.F("key"), models.Value("[]"), function="routing_textrange"),
                        "=",
                    ),
                    (
                        models.Func(
                            models.F("value"), models.F("value"), models.Value("[]"), function="routing_textrange"
                        ),
                        "=",
                    ),
                    (
                        models.Func(
                            models.F("valid_from"), models.F("valid_until"), models.Value("[)"), function="tstzrange"
                        ),
                        "&&",
                    ),
                ],
                name="override_periods_do_not_overlap",
                violation_error_message="The bot already has an override for this qualifier, value and region for part of this period. End or edit that override first.",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="override",
            trigger=pgtrigger.compiler.Trigger(
                name="new_registry_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO routing_registryhead AS head (id, version, stamp, changed_at)\nVALUES (1, 1, gen_random_uuid(), clock_timestamp())\nON CONFLICT (id) DO UPDATE\nSET version = head.version + 1, stamp = gen_random_uuid(), changed_at = clock_timestamp();\nRETURN NULL;\n",
                    hash="356625d3685942d783d1cc58b4bc0247d97fbf93",
                    level="STATEMENT",
                    operation="INSERT OR UPDATE OR DELETE OR TRUNCATE",
                    pgid="pgtrigger_new_registry_version_5979e",
                    table="routing_override",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="route",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("product_id__regex", "^prod_[A-Za-z0-9_]+$"),
                    models.Q(
                        (
                            "product_id__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="route_product_id_is_a_stripe_id",
                violation_error_message="The product must be a Stripe ID, such as prod_1a2B3c.",
            ),
        ),
        migrations.AddConstraint(
            model_name="route",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("price_id__regex", "^price_[A-Za-z0-9_]+$"),
                    models.Q(
                        (
                            "price_id__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="route_price_id_is_a_stripe_id",
                violation_error_message="The price must be a Stripe ID, such as price_1a2B3c.",
            ),
        ),
        migrations.AddConstraint(
            model_name="route",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("customer_id__regex", "^cus_[A-Za-z0-9_]+$"),
                    models.Q(
                        (
                            "customer_id__regex",
                            "(?i)(?:(?<![a-z0-9])|(?<=\\\\[nrt])|(?<=%[0-9a-f]{2}))(?:[rs]k_live_|pk_live_|[rsp]k_(?:org_)?test_|[rsp]k_org_(?:live_)?|whsec_|hv[bsr]\\.|brt_|[bsr]\\.(?=[a-z0-9]{24}))",
                        ),
                        _negated=True,
                    ),
                ),
                name="route_customer_id_is_a_stripe_id",
                violation_error_message="The customer must be a Stripe ID, such as cus_1a2B3c.",
            ),
        ),
        migrations.AddConstraint(
            model_name="route",
            constraint=models.CheckConstraint(
                condition=routing.currencies.IsCurrency("currency"),
                name="route_currency_is_supported",
                violation_error_message="The currency must be a three-letter code that Stripe supports, such as usd.",
            ),
        ),
        migrations.AddConstraint(
            model_name="route",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_from__isnull", True),
                    ("valid_until__isnull", True),
                    ("valid_from__lt", models.F("valid_until")),
                    _connector="OR",
                ),
                name="route_period_is_not_empty",
                violation_error_message="The end of the period must be after its start.",
            ),
        ),
        migrations.AddConstraint(
            model_name="route",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    (models.Func(models.F("bot"), models.F("bot"), models.Value("[]"), function="int8range"), "="),
                    (
                        models.Func(models.F("region"), models.F("region"), models.Value("[]"), function="int8range"),
                        "=",
                    ),
                    (
                        models.Func(
                            models.F("valid_from"), models.F("valid_until"), models.Value("[)"), function="tstzrange"
                        ),
                        "&&",
                    ),
                ],
                name="route_periods_do_not_overlap",
                violation_error_message="The bot already has a route in this region for part of this period. End or edit that route first.",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="route",
            trigger=pgtrigger.compiler.Trigger(
                name="new_registry_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO routing_registryhead AS head (id, version, stamp, changed_at)\nVALUES (1, 1, gen_random_uuid(), clock_timestamp())\nON CONFLICT (id) DO UPDATE\nSET version = head.version + 1, stamp = gen_random_uuid(), changed_at = clock_timestamp();\nRETURN NULL;\n",
                    hash="d216a9f4d17af3e513f84c8ce439de31731cf2ce",
                    level="STATEMENT",
                    operation="INSERT OR UPDATE OR DELETE OR TRUNCATE",
                    pgid="pgtrigger_new_registry_version_6cd81",
                    table="routing_route",
                    when="AFTER",
                ),
            ),
        ),
        # the domain and the region that a call may leave out
        migrations.RunSQL(
            sql="""
            INSERT INTO routing_domain (slug, key_path, is_paused) VALUES ('stripe', '', false);
            INSERT INTO routing_region (slug) VALUES ('default');
            """,
            reverse_sql="""
            DELETE FROM routing_region WHERE slug = 'default';
            DELETE FROM routing_domain WHERE slug = 'stripe';
            """,
        ),
    ]
