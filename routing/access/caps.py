"""How much bots may move: caps by charge, day or month, held and counted by the database itself.

A cap is reserved in the statement that writes a payment, held for as long as its outcome is open, and released or
counted when it is settled. The triggers on the payment do all three, so that no path goes around them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import psycopg
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from routing.errors import DatabaseUnavailable
from routing.money import CURRENCIES, to_text
from routing.postgres import connection

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

logger = logging.getLogger(__name__)

CAP_EXCEEDED = "BR002"
"""SQLSTATE with which the database refuses a payment that a cap does not leave room for."""


class Measure(models.TextChoices):
    GROSS = "gross", "amount charged"
    COUNT = "count", "number of charges"
    REFUNDS = "refunds", "amount given back"


class Per(models.TextChoices):
    CHARGE = "charge", "each time"
    DAY = "day", "a day (UTC)"
    MONTH = "month", "a month (UTC)"


class Cap(models.Model):
    """A limit on one bot, one category, one domain, or everywhere. Currencies are never added together."""

    domain = models.ForeignKey("routing.Domain", models.CASCADE, null=True, blank=True, related_name="caps")
    category = models.ForeignKey("routing.Category", models.CASCADE, null=True, blank=True, related_name="caps")
    bot = models.ForeignKey("routing.Bot", models.CASCADE, null=True, blank=True, related_name="caps")
    measure = models.CharField("what is limited", max_length=8, choices=Measure)
    per = models.CharField("for", max_length=8, choices=Per)
    currency = models.CharField(max_length=3, blank=True, help_text="Empty for a number of charges.")
    limit = models.BigIntegerField(help_text="Minor units of the currency, or the number of charges.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(domain=None, category=None) | Q(domain=None, bot=None) | Q(category=None, bot=None),
                name="cap_is_on_one_thing",
                violation_error_message="Choose a bot, a business category or a domain, or none for everywhere.",
            ),
            models.CheckConstraint(
                condition=Q(measure=Measure.COUNT, currency="")
                | ~Q(measure=Measure.COUNT) & Q(currency__in=CURRENCIES),
                name="cap_names_its_currency",
                violation_error_message="Give a currency for an amount, and none for a number of charges.",
            ),
            models.CheckConstraint(
                condition=~Q(measure=Measure.COUNT, per=Per.CHARGE),
                name="cap_counts_over_time",
                violation_error_message="A number of charges is limited for a day or a month.",
            ),
            models.CheckConstraint(
                condition=Q(limit__gte=0),
                name="cap_limit_is_not_negative",
                violation_error_message="The limit cannot be below zero.",
            ),
            models.UniqueConstraint(
                Coalesce("domain", 0),
                Coalesce("category", 0),
                Coalesce("bot", 0),
                "measure",
                "per",
                "currency",
                name="cap_is_unique",
                violation_error_message="There is such a cap already. Change that one.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_measure_display()} {self.get_per_display()}, {self.scope}: {self.limit_text}"

    @property
    def scope(self) -> str:
        if self.bot:
            return f"bot {self.bot}"
        if self.category:
            return f"category {self.category}"
        return f"domain {self.domain}" if self.domain else "everywhere"

    @property
    def limit_text(self) -> str:
        return amount_text(self.limit, self.currency)


def amount_text(value: int, currency: str) -> str:
    """Return a count, or an amount with its currency, as people write it."""
    return f"{to_text(value, currency)} {currency.upper()}" if currency else str(value)


class CapUsage(models.Model):
    """What a cap has seen in one day or month. ``held`` is reserved by payments whose outcome is open."""

    cap = models.ForeignKey(Cap, models.CASCADE, related_name="usages")
    since = models.DateField()
    held = models.BigIntegerField(default=0)
    used = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-since"]
        constraints = [
            models.UniqueConstraint(fields=["cap", "since"], name="capusage_is_one_per_period"),
            models.CheckConstraint(condition=Q(held__gte=0, used__gte=0), name="capusage_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.cap} since {self.since}"


class CapHold(models.Model):
    """What a payment holds of a cap until it is settled."""

    payment = models.ForeignKey("routing.Payment", models.PROTECT, related_name="holds")
    usage = models.ForeignKey(CapUsage, models.CASCADE, related_name="holds")
    value = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["payment", "usage"], name="caphold_is_one_per_payment")]

    def __str__(self) -> str:
        return f"{self.value} held by {self.payment_id}"


# Caps are taken in the order of their ids everywhere, so that no two statements wait for each other.

_ON_THE_PAYMENT = """
    SELECT c.*, CASE WHEN c.bot_id IS NOT NULL THEN 'bot ' || NEW.bot
                     WHEN c.category_id IS NOT NULL THEN 'category ' || NEW.category
                     WHEN c.domain_id IS NOT NULL THEN 'domain ' || NEW.domain
                     ELSE 'everywhere' END AS scope,
           CASE WHEN c.per <> 'charge' THEN date_trunc(c.per, clock_timestamp() AT TIME ZONE 'UTC')::date END AS since
    FROM routing_cap AS c
    LEFT JOIN routing_domain AS d ON d.id = c.domain_id
    LEFT JOIN routing_category AS g ON g.id = c.category_id
    LEFT JOIN routing_bot AS b ON b.id = c.bot_id
    LEFT JOIN routing_domain AS bd ON bd.id = b.domain_id
    LEFT JOIN routing_category AS bg ON bg.id = b.category_id
    WHERE (c.domain_id IS NULL OR d.slug = NEW.domain)
      AND (c.category_id IS NULL OR g.slug = NEW.category)
      AND (c.bot_id IS NULL OR bd.slug || ':' || bg.slug || ':' || b.name = NEW.bot)
      AND (c.measure = 'refunds') = (NEW.kind = 'refund')
      AND (c.currency = '' OR c.currency = NEW.currency)
      AND NEW.kind <> 'customer'
    ORDER BY c.id
"""
"""The caps that are on the payment NEW, what each is on, and the day or month that it counts now."""

HOLD = f"""
FOR cap IN {_ON_THE_PAYMENT}
LOOP
    taken := CASE WHEN cap.measure = 'count' THEN 1 ELSE NEW.amount_minor END;
    room := cap."limit";
    IF cap.per <> 'charge' THEN
        INSERT INTO routing_capusage AS u (cap_id, since, held, used) VALUES (cap.id, cap.since, 0, 0)
        ON CONFLICT (cap_id, since) DO UPDATE SET held = u.held
        RETURNING u.id, cap."limit" - u.held - u.used INTO usage_id, room;
    END IF;
    IF taken IS NULL OR taken > room THEN
        RAISE EXCEPTION 'cap exceeded' USING ERRCODE = '{CAP_EXCEEDED}', DETAIL = json_build_object(
            'measure', cap.measure, 'per', cap.per, 'scope', cap.scope, 'since', cap.since, 'currency', cap.currency,
            'limit', cap."limit", 'left', greatest(room, 0), 'is_known', taken IS NOT NULL)::text;
    END IF;
    IF cap.per <> 'charge' THEN
        UPDATE routing_capusage SET held = held + taken WHERE id = usage_id;
        INSERT INTO routing_caphold (payment_id, usage_id, value) VALUES (NEW.id, usage_id, taken);
    END IF;
END LOOP;
RETURN NULL;
"""  # noqa: S608 (of this module's own texts)
"""After a payment is written: hold what it takes of every cap that is on it, or refuse the payment.

``ON CONFLICT DO UPDATE`` locks the usage, so what is read of it stays so until the statement commits.
"""

HOLD_VARIABLES = [("cap", "record"), ("taken", "bigint"), ("room", "bigint"), ("usage_id", "bigint")]

RELEASE = """
FOR hold IN
    SELECT h.id, h.usage_id, h.value, c.measure FROM routing_caphold AS h
    JOIN routing_capusage AS u ON u.id = h.usage_id
    JOIN routing_cap AS c ON c.id = u.cap_id
    WHERE h.payment_id = NEW.id
    ORDER BY c.id
LOOP
    UPDATE routing_capusage
    SET held = held - hold.value,
        used = used + CASE WHEN NEW.status <> 'succeeded' THEN 0
                           WHEN hold.measure = 'count' THEN hold.value
                           ELSE coalesce(NEW.amount_minor, hold.value) END
    WHERE id = hold.usage_id;
    DELETE FROM routing_caphold WHERE id = hold.id;
END LOOP;
RETURN NULL;
"""
"""After a payment is settled: count what it came to, or give back what it held."""

_LEFT = f"""
SELECT cap.measure, cap.per, cap.scope, cap.since::text, cap.currency, cap."limit",
       greatest(cap."limit" - coalesce(usage.held + usage.used, 0), 0) AS left
FROM routing_payment AS new
CROSS JOIN LATERAL ({_ON_THE_PAYMENT}) AS cap
LEFT JOIN routing_capusage AS usage ON usage.cap_id = cap.id AND usage.since = cap.since
WHERE new.id = %(payment)s
ORDER BY cap.id
"""  # noqa: S608 (of this module's own texts)


def left_for(payment: UUID) -> list[dict[str, Any]] | None:
    """Return the caps that are on a payment and what is left of each now; None where the database cannot tell.

    It never raises for a database that is away: the payment has been made, and that is what its bot is to be told.
    """
    try:
        with connection() as database:
            return [document(cap) for cap in database.execute(_LEFT, {"payment": payment}).fetchall()]
    except (DatabaseUnavailable, psycopg.Error):
        logger.exception("What is left of the caps on payment %s could not be read.", payment)
        return None


def document(cap: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cap as bots read it. ``since`` is the day or month's first date, and None for a cap on each charge."""
    words = {name: cap[name] for name in ("measure", "per", "scope", "since")}
    return words | {name: amount_text(cap[name], cap["currency"]) for name in ("limit", "left")}
