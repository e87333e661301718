"""Caps: how much bots may move a charge or over a time, and how much of that is reserved and used."""

from __future__ import annotations

from datetime import timedelta
from functools import reduce
from operator import or_

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Now

from routing.approval.triggers import ANY_DOMAIN, guarded, of_bot, of_domain, of_token
from routing.audit.triggers import audited, bot_name
from routing.caps import triggers
from routing.currencies import IsCurrency
from routing.money import to_text

_KEPT = timedelta(days=7)
"""How long what an hour or a minute has seen can be looked up."""

_COUNTED = timedelta(days=2)
"""A usage by the hour or the minute that is older is counted by no cap any more."""

_NAME = f"""subject.measure || ' per ' || subject.per || COALESCE(
    ', bot ' || {bot_name("subject.bot_id")},
    ', category ' || (SELECT slug FROM routing_category WHERE id = subject.category_id),
    ', domain ' || (SELECT slug FROM routing_domain WHERE id = subject.domain_id),
    ', token ' || (SELECT name FROM routing_bottoken WHERE id = subject.token_id),
    ', everywhere'
)"""  # noqa: S608 (of this code's own columns)
"""SQL for what people call a cap."""


_SUBJECTS = ("domain", "category", "bot", "token")

_ON_AT_MOST_ONE = reduce(or_, (Q(**{other: None for other in _SUBJECTS if other != subject}) for subject in _SUBJECTS))


class Measure(models.TextChoices):
    GROSS = "gross", "Amount charged"
    COUNT = "count", "Number of charges"
    REFUNDS = "refunds", "Amount refunded"


class Per(models.TextChoices):
    CHARGE = "charge", "Per charge"
    HOUR = "hour", "Per hour"
    LAST_24_HOURS = "24h", "In any 24 hours"
    DAY = "day", "Per day (UTC)"
    MONTH = "month", "Per month (UTC)"


class Since(models.Func):
    """When the period that a cap of a ``per`` counts at a time began: ``Since("per", Now())``."""

    function = "routing_cap_since"
    arity = 2
    output_field = models.DateTimeField()


class Cap(models.Model):
    """A limit on one bot, category, domain or token, or everywhere. Currencies are never added together."""

    domain = models.ForeignKey("routing.Domain", models.CASCADE, null=True, blank=True, related_name="caps")
    category = models.ForeignKey(
        "routing.Category",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="caps",
        verbose_name="business category",
    )
    bot = models.ForeignKey("routing.Bot", models.CASCADE, null=True, blank=True, related_name="caps")
    token = models.ForeignKey(
        "routing.BotToken",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="caps",
        limit_choices_to={"succeeds": None},
        verbose_name="bot token",
        help_text="With those that replace it when it is rotated.",
    )
    measure = models.CharField("limit on", max_length=8, choices=Measure)
    per = models.CharField("period", max_length=8, choices=Per)
    currency = models.CharField(max_length=3, blank=True, help_text="Leave empty for a number of charges.")
    limit = models.BigIntegerField(help_text="Minor units of the currency, or the number of charges.")

    class Meta:
        ordering = ["id"]
        triggers = [
            pgtrigger.Trigger(
                name="fill_usage",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                func=triggers.FILL_USAGE,
            ),
            pgtrigger.Trigger(
                name="refill_usage",
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("domain", "category", "bot", "token", "measure", "per", "currency"),
                timing=pgtrigger.Deferred,
                func=triggers.REFILL_USAGE,
            ),
            audited(_NAME),
            guarded(
                f"CASE WHEN {{row}}.bot_id IS NOT NULL THEN {of_bot('{row}.bot_id')} "
                f"WHEN {{row}}.domain_id IS NOT NULL THEN {of_domain('{row}.domain_id')} "
                f"WHEN {{row}}.token_id IS NOT NULL THEN {of_token('{row}.token_id')} ELSE {ANY_DOMAIN} END"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=_ON_AT_MOST_ONE,
                name="cap_is_on_one_thing",
                violation_error_message="Choose only one of bot, business category, domain and token, or none of them.",
            ),
            models.CheckConstraint(
                condition=Q(measure=Measure.COUNT, currency="") | ~Q(measure=Measure.COUNT) & Q(IsCurrency("currency")),
                name="cap_names_its_currency",
                violation_error_message="Choose a currency for an amount, and none for a number of charges.",
            ),
            models.CheckConstraint(
                condition=~Q(measure=Measure.COUNT, per=Per.CHARGE),
                name="cap_counts_over_time",
                violation_error_message="A number of charges can be limited only over a time, not per charge.",
            ),
            models.CheckConstraint(
                condition=Q(limit__gte=0),
                name="cap_limit_is_not_negative",
                violation_error_message="The limit cannot be negative.",
            ),
            models.UniqueConstraint(
                Coalesce("domain", 0),
                Coalesce("category", 0),
                Coalesce("bot", 0),
                Coalesce("token", 0),
                "measure",
                "per",
                "currency",
                name="cap_is_unique",
                violation_error_message="This cap already exists. Edit the existing one.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_measure_display()} per {self.per}, {self.scope}: {self.limit_text}"

    @property
    def scope(self) -> str:
        if self.bot:
            return f"bot {self.bot}"
        if self.category:
            return f"category {self.category}"
        if self.domain:
            return f"domain {self.domain}"
        return f"token {self.token.name}" if self.token else "everywhere"

    @property
    def limit_text(self) -> str:
        return amount_text(self.limit, self.currency)


def amount_text(value: int, currency: str) -> str:
    """Return a count, or an amount with its currency, as people write it."""
    return f"{to_text(value, currency)} {currency.upper()}" if currency else str(value)


def _changed_by_payments_alone() -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name="changed_by_payments_alone",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        condition=pgtrigger.Condition(triggers.BY_HAND),
        func=triggers.REFUSE_BY_HAND,
    )


class CapUsage(models.Model):
    """What a cap has seen in one interval of its time. ``reserved`` is for payments whose outcome is still open."""

    cap = models.ForeignKey(Cap, models.CASCADE, related_name="usages")
    since = models.DateTimeField()
    reserved = models.BigIntegerField(default=0)
    used = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-since"]
        triggers = [
            pgtrigger.Trigger(
                name="replaced_by_a_restore",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition(triggers.BY_HAND),
                func=triggers.REPLACE_USAGE,
            ),
            _changed_by_payments_alone(),
            pgtrigger.Trigger(
                name="goes_with_its_cap",
                when=pgtrigger.After,
                operation=pgtrigger.Delete,
                timing=pgtrigger.Deferred,
                condition=pgtrigger.Condition(triggers.BY_HAND),
                func=triggers.KEEP_USAGE.format(kept=f"{_COUNTED.days} days"),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["cap", "since"], name="capusage_is_one_per_period"),
            models.CheckConstraint(condition=Q(reserved__gte=0, used__gte=0), name="capusage_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.cap} since {self.since}"


def delete_old_usages() -> None:
    """Delete what caps by the hour and minute have seen that no period counts any more, and no open payment holds."""
    short = CapUsage.objects.filter(cap__per__in=[Per.HOUR, Per.LAST_24_HOURS], reservations=None)
    short.filter(since__lt=Now() - _KEPT).delete()


class CapReservation(models.Model):
    """What a payment reserves of a cap until it is settled."""

    payment = models.ForeignKey("routing.Payment", models.PROTECT, related_name="reservations")
    usage = models.ForeignKey(CapUsage, models.CASCADE, related_name="reservations")
    value = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["payment", "usage"], name="capreservation_is_one_per_payment")]
        triggers = [
            _changed_by_payments_alone(),
            pgtrigger.Trigger(
                name="goes_with_its_usage",
                when=pgtrigger.After,
                operation=pgtrigger.Delete,
                timing=pgtrigger.Deferred,
                condition=pgtrigger.Condition(triggers.BY_HAND),
                func=triggers.KEEP_RESERVATION,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value} reserved by {self.payment_id}"
