"""The ledger: one row for every call that changes something at Stripe, written before the call is made."""

from __future__ import annotations

import uuid

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from routing.caps import triggers as caps
from routing.money import to_text
from routing.payments.kinds import KINDS, Kind
from routing.payments.ledger.releases import LEAST_RELEASE, RELEASE
from routing.payments.states import LEGAL_STEPS, Status
from routing.postgres.trigger_functions import restored_by_the_owner

_IS_RESTORED = "(NEW.created_at < transaction_timestamp())"
"""A payment that is older than the transaction comes from a back-up, and so do its events and what it took of caps."""

_WRITE_EVENT = f"""
IF TG_OP = 'UPDATE' AND OLD.status = NEW.status OR TG_OP = 'INSERT' AND {_IS_RESTORED} THEN
    RETURN NULL;
END IF;
INSERT INTO routing_paymentevent (payment_id, at, from_status, to_status, error, request_id)
VALUES (NEW.id, clock_timestamp(), CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status, NEW.error,
        NEW.stripe_request_id);
RETURN NULL;
"""  # noqa: S608 (of this module's own texts)


REFUND_TOO_LARGE = "BR001"
"""SQLSTATE with which the database refuses a refund of more than is left."""

_LIMIT_REFUNDS = f"""
SELECT amount_minor INTO charged FROM routing_payment WHERE id = NEW.refund_of_id FOR NO KEY UPDATE;
SELECT sum(amount_minor) INTO refunded FROM routing_payment
WHERE refund_of_id = NEW.refund_of_id AND status NOT IN ('declined', 'rejected', 'canceled') AND NOT is_reversed;
IF charged IS NULL OR refunded > charged THEN
    RAISE EXCEPTION 'refund too large' USING
        ERRCODE = '{REFUND_TOO_LARGE}', DETAIL = (coalesce(charged, 0) - refunded + NEW.amount_minor)::text;
END IF;
RETURN NULL;
"""  # noqa: S608 (of this module's own texts)


OLDER_RELEASE = "BR004"
"""SQLSTATE with which the database refuses a payment of a server that runs a release which may not charge any more."""

_COUNT_REFUND = """
UPDATE routing_payment SET amount_refunded_minor = refunded.total
FROM (SELECT sum(amount_minor) AS total FROM routing_payment
      WHERE refund_of_id = NEW.refund_of_id AND status = 'succeeded' AND NOT is_reversed) AS refunded
WHERE id = NEW.refund_of_id AND amount_refunded_minor < refunded.total;
RETURN NULL;
"""
"""What was refunded elsewhere is read from Stripe, and is never less."""


_CHANGES_WHAT_IS_KNOWN = """
OLD.account_id <> '' AND OLD.account_id <> NEW.account_id
OR OLD.settled_at IS NOT NULL AND (
    OLD.settled_at IS DISTINCT FROM NEW.settled_at
    OR OLD.amount_minor IS DISTINCT FROM NEW.amount_minor
    OR OLD.account_id <> NEW.account_id
)
"""

PAST_DUE = ("past_due", "unpaid")
"""Stripe's statuses of a subscription whose renewal could not be collected."""


class Payment(models.Model):
    """What a bot requested, what was sent, and its outcome as far as it is known.

    Bot, route and domain are kept as text, not as references: the record stays true when the registry changes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = models.CharField("type", max_length=16, choices=Kind)
    status = models.CharField(max_length=16, choices=Status)
    bot = models.CharField(max_length=194)
    domain = models.CharField(max_length=64)
    category = models.CharField("business category", max_length=64)

    token_prefix = models.CharField("token", max_length=12, db_default="", help_text="Of the bot token that was used.")
    idempotency_key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(help_text="Version and SHA-256 of what the bot requested.")

    amount_minor = models.BigIntegerField(null=True, help_text="In minor units of the currency, as at Stripe.")
    currency = models.CharField(max_length=3, blank=True)
    quantity = models.BigIntegerField(null=True)
    description = models.TextField(blank=True)
    metadata = models.JSONField(default=dict)

    region = models.CharField(max_length=64)
    product_id = models.CharField("product", max_length=255)
    price_id = models.CharField("price", max_length=255)
    customer_id = models.CharField("customer", max_length=255, blank=True)
    overrides = models.JSONField("qualifiers", default=dict)
    registry_version = models.BigIntegerField()

    release = models.SmallIntegerField(
        default=RELEASE, db_default=0, editable=False, help_text="Of the router that wrote the payment."
    )
    request = models.JSONField(help_text="The frozen request bodies by step, and the API version.")
    lease_token = models.UUIDField(null=True, help_text="Identifies the one sender that may settle the payment.")
    lease_until = models.DateTimeField(null=True)

    sent_at = models.DateTimeField("last sent", null=True, help_text="When the calls were last sent to Stripe.")
    attempts = models.IntegerField(default=0, help_text="How often recovery has looked up the payment.")
    next_attempt_at = models.DateTimeField(null=True, help_text="When recovery looks up the payment next.")
    searches = models.JSONField(default=list, help_text="When recovery searched at Stripe and found nothing.")

    account_id = models.CharField("Stripe account", max_length=255, blank=True)
    payment_intent_id = models.CharField("payment intent", max_length=255, blank=True)
    charge_id = models.CharField("charge", max_length=255, blank=True)
    invoice_id = models.CharField("invoice", max_length=255, blank=True)
    stripe_request_id = models.CharField("Stripe request ID", max_length=255, blank=True)
    object_id = models.CharField(
        "Stripe ID", max_length=255, blank=True, help_text="Of the customer, subscription, refund or checkout session."
    )
    refund_of = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="refunds", help_text="The payment that is refunded."
    )
    renewal_of = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="renewals",
        help_text="The payment that began the subscription.",
    )
    subscription_status = models.CharField(
        max_length=32, blank=True, db_default="", help_text="Of the subscription that the payment began, at Stripe."
    )
    result = models.JSONField(null=True, help_text="The object that Stripe created, unless it is a charge.")
    error = models.JSONField(null=True)

    amount_refunded_minor = models.BigIntegerField(
        "refunded", db_default=0, help_text="Of a charge, wherever it was refunded; in minor units."
    )
    is_reversed = models.BooleanField(
        "reversed", db_default=False, help_text="The refund failed after it had succeeded: it can be made again."
    )
    is_disputed = models.BooleanField("disputed", db_default=False, help_text="The customer has disputed the charge.")

    created_at = models.DateTimeField("created", db_default=Now())
    settled_at = models.DateTimeField("completed", null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [
            ("refund_payment", "Can refund payments"),
            ("view_customer_contact", "Can see customers' email addresses and phone numbers"),
        ]
        indexes = [
            models.Index(fields=["bot", "-created_at", "-id"], name="payment_by_bot"),
            models.Index(fields=["-created_at", "-id"], name="payment_by_time"),
            models.Index(fields=["payment_intent_id"], name="payment_by_intent", condition=~Q(payment_intent_id="")),
            models.Index(fields=["charge_id"], name="payment_by_stripe_charge", condition=~Q(charge_id="")),
            models.Index(fields=["invoice_id"], name="payment_by_invoice", condition=~Q(invoice_id="")),
            models.Index(fields=["object_id"], name="payment_by_object", condition=~Q(object_id="")),
            models.Index(
                fields=["subscription_status"],
                name="payment_subscription_past_due",
                condition=Q(subscription_status__in=PAST_DUE),
            ),
            models.Index(fields=["renewal_of"], name="payment_by_renewed", condition=Q(renewal_of__isnull=False)),
            BrinIndex(fields=["settled_at"], name="payment_by_settlement", autosummarize=True),
            models.Index(fields=["next_attempt_at"], name="payment_open", condition=Q(settled_at__isnull=True)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "invoice_id"],
                condition=Q(kind=Kind.RENEWAL),
                name="payment_renewal_is_one_per_invoice",
            ),
            models.UniqueConstraint(fields=["bot", "idempotency_key"], name="payment_is_one_per_bot_and_key"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="payment_amount_is_not_negative"),
            models.CheckConstraint(
                condition=~Q(kind__in=[Kind.CHARGE, Kind.REFUND]) | Q(amount_minor__gt=0),
                name="payment_charge_has_an_amount",
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="payment_status_is_known"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="payment_kind_is_known"),
        ]
        triggers = [
            pgtrigger.FSM(
                name="legal_steps",
                field="status",
                transitions=[(old.value, new.value) for old, steps in LEGAL_STEPS.items() for new in steps],
            ),
            pgtrigger.ReadOnly(
                name="identity_is_fixed",
                fields=[
                    "id",
                    "kind",
                    "bot",
                    "domain",
                    "category",
                    "token_prefix",
                    "idempotency_key",
                    "fingerprint",
                    "region",
                    "product_id",
                    "price_id",
                    "customer_id",
                    "currency",
                    "overrides",
                    "registry_version",
                    "release",
                    "description",
                    "metadata",
                    "quantity",
                    "refund_of",
                    "renewal_of",
                    "created_at",
                ],
            ),
            pgtrigger.Trigger(
                name="settled_is_fixed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(_CHANGES_WHAT_IS_KNOWN),
                func="RAISE EXCEPTION 'The account, and what is settled, does not change.' USING ERRCODE = 'BR008';",
            ),
            restored_by_the_owner(_IS_RESTORED),
            pgtrigger.Trigger(
                name="refuse_older_releases",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition(f"NEW.release < {LEAST_RELEASE} AND NOT {_IS_RESTORED}"),
                func=f"RAISE EXCEPTION 'older release' USING ERRCODE = '{OLDER_RELEASE}';",
            ),
            pgtrigger.Trigger(
                name="reserve_caps",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition(f"NOT {_IS_RESTORED}"),
                declare=caps.RESERVE_VARIABLES,
                func=caps.RESERVE,
            ),
            pgtrigger.Trigger(
                name="release_caps",
                when=pgtrigger.After,
                operation=pgtrigger.UpdateOf("status"),  # type: ignore[no-untyped-call]  # shipped half typed
                condition=pgtrigger.Q(old__settled_at__isnull=True, new__settled_at__isnull=False),
                declare=[("reservation", "record")],
                func=caps.RELEASE,
            ),
            pgtrigger.Trigger(
                name="never_refund_more_than_was_charged",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Q(new__kind="refund"),
                declare=[("charged", "bigint"), ("refunded", "bigint")],
                func=_LIMIT_REFUNDS,
            ),
            pgtrigger.Trigger(
                name="count_refund",
                when=pgtrigger.After,
                operation=pgtrigger.UpdateOf("status"),  # type: ignore[no-untyped-call]  # shipped half typed
                condition=pgtrigger.Q(new__kind="refund", new__status="succeeded"),
                func=_COUNT_REFUND,
            ),
            pgtrigger.Protect(name="kept_for_ever", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="write_event",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("status"),  # type: ignore[no-untyped-call]  # shipped half typed
                func=_WRITE_EVENT,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display().capitalize()} {self.id}"

    @property
    def stripe_id(self) -> str:
        """The id of the object that the payment made at Stripe; empty while it is not known."""
        return str(getattr(self, KINDS[self.kind].type.id_column))

    @property
    def names(self) -> frozenset[str]:
        """Every id by which a bot can name the payment: the router's own, and those of its objects at Stripe."""
        ids = (str(self.id), self.payment_intent_id, self.charge_id, self.invoice_id, self.object_id)
        return frozenset(filter(None, ids))

    @property
    def amount_refunded(self) -> str:
        """The decimal string in the currency's own units."""
        return to_text(self.amount_refunded_minor, self.currency)

    @property
    def amount(self) -> str | None:
        """The decimal string in the currency's own units, or None while it is not known."""
        return None if self.amount_minor is None else to_text(self.amount_minor, self.currency)


class PaymentEvent(models.Model):
    """A change of a payment's status. Written by the database itself, and never changed."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="events")
    at = models.DateTimeField()
    from_status = models.CharField("from", max_length=16, choices=Status, null=True)  # noqa: DJ001 (null: there was none)
    to_status = models.CharField("to", max_length=16, choices=Status)
    error = models.JSONField(null=True)
    request_id = models.CharField("Stripe request ID", max_length=255, blank=True)

    class Meta:
        ordering = ["at", "id"]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.from_status or 'new'} to {self.to_status}"
