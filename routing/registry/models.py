"""Who pays what: the registry that finance staff own. Every rule is also a constraint of the database."""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Now
from django.db.models.lookups import IsNull

from routing.approval.triggers import ANY_DOMAIN, guarded, of_bot, of_domain
from routing.audit.triggers import audited, bot_name
from routing.identifiers import DEFAULT_VAULT_FOLDER
from routing.registry.constraints import (
    PERIOD,
    contains_no_secret,
    id_rule,
    key_rules,
    one_value,
    route_rules,
    slug_rule,
    text_rule,
)
from routing.registry.rules import Period

_SLUG_HELP = "1 to 64 lower-case letters, digits, '_' and '-'. Bots use it in their calls: it cannot be changed later."
_UNCHANGED = "Leave empty to keep the route's."

MAX_REASON = 200

BUMP_HEAD = """
INSERT INTO routing_registryhead AS head (id, version, stamp, changed_at)
VALUES (1, 1, gen_random_uuid(), clock_timestamp())
ON CONFLICT (id) DO UPDATE
SET version = head.version + 1, stamp = gen_random_uuid(), changed_at = clock_timestamp();
RETURN NULL;
"""


REPLACE_HEAD = """
DELETE FROM routing_registryhead;
NEW.stamp = gen_random_uuid();
RETURN NEW;
"""
"""For a back-up of the data alone, whose rows come when the triggers have made a head already."""


def _new_version(update: pgtrigger.Operation) -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name="new_registry_version",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert | update | pgtrigger.Delete | pgtrigger.Truncate,
        func=BUMP_HEAD,
    )


def new_version_unless_paused(*columns: str) -> list[pgtrigger.Trigger]:
    """Return the triggers of a table whose rows can be paused: what writes other columns makes a new version.

    A pause makes none, so that it does not wait for those who are making one: the statement that writes a payment reads
    ``is_paused`` itself.
    """
    return [_new_version(pgtrigger.UpdateOf(*columns))]  # type: ignore[no-untyped-call]  # shipped half typed


_IS_PAUSED = "NEW.is_paused"
"""SQL for an update that pauses, which one person may do: to lift the pause takes two."""

_IF_IT_WAS = f"OLD.id IS NOT NULL AND {ANY_DOMAIN}"
"""SQL for what belongs to no domain: to add one changes nothing yet."""

_REGION_NAME = "(SELECT slug FROM routing_region WHERE id = subject.region_id)"
_NAME_OF_BOT = (
    "(SELECT slug FROM routing_domain WHERE id = subject.domain_id) || ':' || "
    "(SELECT slug FROM routing_category WHERE id = subject.category_id) || ':' || subject.name"
)


class VersionedMeta:
    """Marks a registry table: any statement that writes it, from wherever, gives the registry a new version."""

    triggers = [_new_version(pgtrigger.Update)]


class RegistryHead(models.Model):
    """The one row that says which registry is in force.

    ``version`` counts up for people. ``stamp`` is new with every change, and is what processes compare: unlike a
    count it never repeats, not even after the database was restored to an earlier time.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    version = models.BigIntegerField()
    stamp = models.UUIDField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="registryhead_is_one_row")]
        triggers = [
            pgtrigger.Trigger(
                name="replaced_by_a_restore",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("pg_trigger_depth() = 0"),
                func=REPLACE_HEAD,
            )
        ]

    def __str__(self) -> str:
        return f"registry version {self.version}"


class Pause(models.Model):
    """A time in which no bot at all can bill. One without an end is in force now.

    It lies outside the registry's version, so that it takes effect at once, whoever is changing the registry.
    """

    reason = models.CharField(max_length=MAX_REASON, blank=True, help_text="Optional. Bots see it in the error.")
    paused_at = models.DateTimeField("paused", db_default=Now())
    paused_by = models.CharField(max_length=150)
    resumed_at = models.DateTimeField("resumed", null=True)
    resumed_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-paused_at"]
        verbose_name = "pause of all billing"
        verbose_name_plural = "pauses of all billing"
        default_permissions = ("view",)
        permissions = [("pause_everything", "Can pause and resume all billing")]
        triggers = [audited("'all billing'"), guarded(_IF_IT_WAS)]
        constraints = [
            models.UniqueConstraint(
                IsNull(F("resumed_at"), True),
                condition=Q(resumed_at=None),
                name="pause_is_one_at_a_time",
                violation_error_message="All billing is already paused.",
            ),
            models.CheckConstraint(
                condition=Q(resumed_at=None, resumed_by="") | Q(resumed_at__isnull=False) & ~Q(resumed_by=""),
                name="pause_has_who_resumed_it",
            ),
            text_rule("reason", "pause_reason_is_not_a_key"),
        ]

    def __str__(self) -> str:
        return f"pause of all billing since {self.paused_at:%Y-%m-%d %H:%M} UTC"


class Domain(models.Model):
    """A payment namespace: one Stripe account."""

    slug = models.CharField("name", max_length=64, unique=True, help_text=_SLUG_HELP)
    account_id = models.CharField(
        "Stripe account",
        max_length=255,
        unique=True,
        null=True,
        blank=True,
        help_text="The account that the domain's key must belong to, such as acct_1a2B3c. Charges are refused if the "
        "key belongs to another account, and in production while this is empty: confirm_account shows which it is.",
    )
    key_path = models.CharField(
        "Vault path of the key",
        max_length=255,
        blank=True,
        help_text=f"Leave empty for {DEFAULT_VAULT_FOLDER} followed by the domain's name.",
    )
    is_paused = models.BooleanField("paused", default=False, help_text="No bot of this domain can bill.")
    requires_cap = models.BooleanField(
        "every charge needs a cap",
        db_default=False,
        default=False,
        help_text="A charge in a currency that no cap covers is refused.",
    )
    requires_approval = models.BooleanField(
        "changes need approval",
        db_default=False,
        default=False,
        help_text="What moves money in this domain changes only when a second person approves it. One person can "
        "switch this on; to switch it off takes two.",
    )
    created_at = models.DateTimeField("created", db_default=Now(), editable=False)

    class Meta(VersionedMeta):
        ordering = ["slug"]
        triggers = [
            *new_version_unless_paused("slug", "account_id", "key_path", "requires_cap"),
            audited("subject.slug"),
            guarded("OLD.requires_approval", when=_IS_PAUSED, free_then=("is_paused",)),
        ]
        constraints = [
            slug_rule("slug", "domain_slug_is_a_slug"),
            id_rule("account_id", "acct_", "domain_account_id_is_a_stripe_id"),
            models.CheckConstraint(
                condition=Q(key_path__regex="^[A-Za-z0-9/_.-]*$") & contains_no_secret("key_path"),
                name="domain_key_path_is_a_path",
                violation_error_message="The Vault path may have letters, digits and / _ . -, and not the key itself.",
            ),
            *key_rules(),
        ]

    def __str__(self) -> str:
        return self.slug


class Region(models.Model):
    slug = models.CharField("name", max_length=64, unique=True, help_text=_SLUG_HELP)

    class Meta(VersionedMeta):
        ordering = ["slug"]
        triggers = [*VersionedMeta.triggers, audited("subject.slug"), guarded(_IF_IT_WAS)]
        constraints = [slug_rule("slug", "region_slug_is_a_slug")]

    def __str__(self) -> str:
        return self.slug


class Category(models.Model):
    slug = models.CharField("name", max_length=64, unique=True, help_text=_SLUG_HELP)
    is_paused = models.BooleanField("paused", default=False, help_text="No bot of this category can bill.")

    class Meta(VersionedMeta):
        ordering = ["slug"]
        triggers = [
            *new_version_unless_paused("slug"),
            audited("subject.slug"),
            guarded(_IF_IT_WAS, when=_IS_PAUSED, free_then=("is_paused",)),
        ]
        verbose_name = "business category"
        verbose_name_plural = "business categories"
        constraints = [slug_rule("slug", "category_slug_is_a_slug")]

    def __str__(self) -> str:
        return self.slug


class Bot(models.Model):
    """A caller: a name in a category of a domain."""

    domain = models.ForeignKey(Domain, models.PROTECT, related_name="bots")
    category = models.ForeignKey(Category, models.PROTECT, related_name="bots", verbose_name="business category")
    name = models.CharField(max_length=64, help_text=_SLUG_HELP)
    owner = models.CharField(max_length=255, blank=True, help_text="The person or team to ask about this bot.")
    is_paused = models.BooleanField("paused", default=False, help_text="The bot cannot bill.")

    class Meta(VersionedMeta):
        ordering = ["domain__slug", "category__slug", "name"]
        triggers = [
            *new_version_unless_paused("domain_id", "category_id", "name", "owner"),
            audited(_NAME_OF_BOT),
            guarded(of_domain("{row}.domain_id"), free=("owner",), when=_IS_PAUSED, free_then=("is_paused",)),
        ]
        indexes = [models.Index(fields=["id"], name="bot_paused", condition=Q(is_paused=True))]
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "category", "name"],
                name="bot_is_unique",
                violation_error_message="The domain already has a bot with this name in this business category.",
            ),
            slug_rule("name", "bot_name_is_a_slug"),
            text_rule("owner", "bot_owner_is_not_a_key"),
        ]

    def __str__(self) -> str:
        return f"{self.domain}:{self.category}:{self.name}"


IN_FORCE = (Q(valid_from=None) | Q(valid_from__lte=Now())) & (Q(valid_until=None) | Q(valid_until__gt=Now()))
"""Which routes or overrides are in force, by the database's clock. ``Period.holds`` says the same of one of them."""


class ValidityPeriod(models.Model):
    """A half-open period of validity, by the database's clock."""

    valid_from = models.DateTimeField(null=True, blank=True, help_text="Leave empty for no start.")
    valid_until = models.DateTimeField(
        null=True, blank=True, help_text="From this time on it no longer applies. Leave empty for no end."
    )

    class Meta:
        abstract = True

    @property
    def period(self) -> Period:
        return Period(self.valid_from, self.valid_until)


class Route(ValidityPeriod):
    """What a bot bills in a region."""

    bot = models.ForeignKey(Bot, models.CASCADE, related_name="routes")
    region = models.ForeignKey(Region, models.PROTECT, related_name="routes")
    product_id = models.CharField("product", max_length=255, help_text="Stripe ID, such as prod_1a2B3c.")
    price_id = models.CharField("price", max_length=255, help_text="Stripe ID, such as price_1a2B3c.")
    customer_id = models.CharField("customer", max_length=255, help_text="Stripe ID, such as cus_1a2B3c.")
    currency = models.CharField(max_length=3, default="usd", help_text="Three letters, such as usd.")

    class Meta(VersionedMeta):
        ordering = ["bot", "region__slug", F("valid_from").asc(nulls_first=True)]
        indexes = [models.Index(fields=["customer_id"], name="route_by_customer")]
        triggers = [
            *VersionedMeta.triggers,
            audited(f"{bot_name('subject.bot_id')} || ' in ' || {_REGION_NAME}"),
            guarded(of_bot("{row}.bot_id")),
        ]
        constraints = [
            *route_rules("route"),
            ExclusionConstraint(
                name="route_periods_do_not_overlap",
                expressions=[
                    (one_value(F("bot"), "int8range"), RangeOperators.EQUAL),
                    (one_value(F("region"), "int8range"), RangeOperators.EQUAL),
                    (PERIOD, RangeOperators.OVERLAPS),
                ],
                violation_error_message="The bot already has a route in this region for part of this period. "
                "End or edit that route first.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bot} in {self.region}"


class Override(ValidityPeriod):
    """What changes on a bot's route when a caller names a qualifier, such as ``business=enterprise``."""

    bot = models.ForeignKey(Bot, models.CASCADE, related_name="overrides")
    region = models.ForeignKey(
        Region,
        models.PROTECT,
        related_name="overrides",
        null=True,
        blank=True,
        help_text="Leave empty for every region.",
    )
    key = models.CharField("qualifier", max_length=64, help_text="The qualifier's name in the call, such as business.")
    value = models.CharField(max_length=64, help_text="The qualifier's value in the call, such as enterprise.")
    product_id = models.CharField("product", max_length=255, null=True, blank=True, help_text=_UNCHANGED)  # noqa: DJ001 (null: unchanged)
    price_id = models.CharField("price", max_length=255, null=True, blank=True, help_text=_UNCHANGED)  # noqa: DJ001 (null: unchanged)
    customer_id = models.CharField("customer", max_length=255, null=True, blank=True, help_text=_UNCHANGED)  # noqa: DJ001 (null: unchanged)
    currency = models.CharField(max_length=3, null=True, blank=True, help_text=_UNCHANGED)  # noqa: DJ001 (null: unchanged)

    class Meta(VersionedMeta):
        ordering = ["bot", "key", "value", F("region__slug").asc(nulls_first=True)]
        indexes = [models.Index(fields=["customer_id"], name="override_by_customer")]
        triggers = [
            *VersionedMeta.triggers,
            audited(f"{bot_name('subject.bot_id')} || ', ' || subject.key || '=' || subject.value"),
            guarded(of_bot("{row}.bot_id")),
        ]
        constraints = [
            *route_rules("override"),
            slug_rule("key", "override_key_is_a_slug"),
            slug_rule("value", "override_value_is_a_slug"),
            models.CheckConstraint(
                condition=~Q(key="region"),
                name="override_key_is_not_region",
                violation_error_message="Add a route for the region instead: an override cannot choose the region.",
            ),
            models.CheckConstraint(
                condition=Q(product_id__isnull=False)
                | Q(price_id__isnull=False)
                | Q(customer_id__isnull=False)
                | Q(currency__isnull=False),
                name="override_changes_something",
                violation_error_message="An override must change the product, price, customer or currency.",
            ),
            ExclusionConstraint(
                name="override_periods_do_not_overlap",
                expressions=[
                    (one_value(F("bot"), "int8range"), RangeOperators.EQUAL),
                    (one_value(Coalesce(F("region"), Value(0)), "int8range"), RangeOperators.EQUAL),
                    (one_value(F("key"), "routing_textrange"), RangeOperators.EQUAL),
                    (one_value(F("value"), "routing_textrange"), RangeOperators.EQUAL),
                    (PERIOD, RangeOperators.OVERLAPS),
                ],
                violation_error_message="The bot already has an override for this qualifier, value and region for part "
                "of this period. End or edit that override first.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value} for {self.bot} in {self.region or 'every region'}"

    def changes(self) -> dict[str, Any]:
        """Return the fields that the override changes, and to what."""
        return {field: getattr(self, field) for field in ROUTE_FIELDS if getattr(self, field) is not None}


ROUTE_FIELDS = ("product_id", "price_id", "customer_id", "currency")
