"""Who may come in: the tokens with which bots authenticate, the sign-ins of people, and the domains they work in.

Only a keyed digest of a token is stored; the token itself is shown once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from routing.approval.triggers import ANY_DOMAIN, guarded, of_bots
from routing.audit.triggers import audited

if TYPE_CHECKING:
    from collections.abc import Collection


class Scope(models.TextChoices):
    CHARGE = "charge", "charge"
    REFUND = "refund", "refund"
    CUSTOMER = "customer", "create customers"
    BALANCE = "balance", "read balance"
    SUBSCRIPTION = "subscription", "create and cancel subscriptions"
    CHECKOUT = "checkout", "create checkout sessions"
    READ = "read", "read payments and routes"
    ROUTES_WRITE = "routes:write", "register routes and overrides"


EVERY_QUALIFIER = "*"

_ENDS_IT_SOONER = (
    "OLD.revoked_at IS NULL AND (NEW.expires_at IS NOT DISTINCT FROM OLD.expires_at "
    "OR NEW.expires_at < COALESCE(OLD.expires_at, 'infinity'))"
)
"""SQL for a change that at most revokes a token, or lets it expire sooner: for that nobody is asked."""


class BotToken(models.Model):
    name = models.CharField(max_length=255, help_text="What the token is for.")
    prefix = models.CharField(max_length=12, unique=True, help_text="The first characters of the token.")
    digest = models.BinaryField(help_text="HMAC-SHA-256 of the token.")
    bots = ArrayField(
        models.CharField(max_length=194),
        help_text="The bots that may use it; stripe:finance:* is a category, stripe:*:* a domain, * every bot.",
    )
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope))
    qualifiers = ArrayField(
        models.CharField(max_length=129),
        db_default=[EVERY_QUALIFIER],
        help_text="The qualifiers that its calls may name, such as business=enterprise; * is every one.",
    )
    networks = ArrayField(
        models.CharField(max_length=43), default=list, help_text="From where it may be used; from anywhere if empty."
    )
    succeeds = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="successors",
        help_text="The first token that was rotated; caps on it are on this one too.",
    )
    created_at = models.DateTimeField("created", db_default=Now())
    expires_at = models.DateTimeField("expires", null=True, blank=True, help_text="Empty for one that never does.")
    revoked_at = models.DateTimeField("revoked", null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        triggers = [
            audited("subject.name || ' (' || subject.prefix || '…)'", masked=["digest"]),
            guarded(
                of_bots("{row}.bots"),
                when=_ENDS_IT_SOONER,
                free_then=("revoked_at", "expires_at"),
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(bots__len__gt=0), name="bottoken_has_a_bot"),
            models.CheckConstraint(condition=Q(scopes__contained_by=Scope.values), name="bottoken_scopes_are_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class TokenUse(models.Model):
    """The last use of a token, and from where it has been used: a row of its own, so that a use changes no token."""

    token = models.OneToOneField(BotToken, models.CASCADE, related_name="use")
    at = models.DateTimeField("last used", help_text="To the hour.")
    networks = ArrayField(models.CharField(max_length=43), help_text="The first 100 networks.")

    class Meta:
        verbose_name = "use of a token"
        default_permissions = ()
        triggers = [
            audited(
                "(SELECT name || ' (' || prefix || '…)' FROM routing_bottoken WHERE id = subject.token_id)",
                ignored=["at"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.token}, last used {self.at:%Y-%m-%d %H:00} UTC"


class SpeaksElsewhere(models.Func):
    """Whether a token speaks for a bot outside of some domains: ``SpeaksElsewhere("bots", ["stripe"])``."""

    template = "EXISTS (SELECT FROM unnest(%(expressions)s))"
    arg_joiner = ") AS bot WHERE split_part(bot, ':', 1) <> ALL ("
    output_field = models.BooleanField()

    def __init__(self, bots: str, domains: Collection[str]) -> None:
        super().__init__(bots, models.Value(list(domains), ArrayField(models.TextField())))


class StaffDomains(models.Model):
    """The domains to which a person's work is limited; somebody without a row works in every domain.

    They are names, as a token's bots are: a domain that is deleted leaves the person with less, never with more.
    """

    user = models.OneToOneField("auth.User", models.CASCADE, related_name="staff_domains")
    domains = ArrayField(models.SlugField(max_length=64))

    class Meta:
        verbose_name = "domains of a person"
        verbose_name_plural = "domains of people"
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(domains__len__gt=0), name="staffdomains_has_a_domain")]
        triggers = [
            audited("(SELECT username FROM auth_user WHERE id = subject.user_id) || ' works in'"),
            guarded(ANY_DOMAIN),
        ]

    def __str__(self) -> str:
        return f"{self.user} works in {', '.join(self.domains)}"


class SignInOutcome(models.TextChoices):
    SIGNED_IN = "signed in", "signed in"
    WRONG_PASSWORD = "wrong password", "wrong password"
    WRONG_CODE = "wrong code", "wrong code"
    REFUSED = "refused", "refused after too many attempts"
    SIGNED_OUT = "signed out", "signed out"


class SignIn(models.Model):
    """An attempt to sign in to the admin, or to give one's password again; or a sign-out."""

    at = models.DateTimeField("time", db_default=Now())
    outcome = models.CharField(max_length=16, choices=SignInOutcome)
    name = models.CharField("user", max_length=150, help_text="Empty where there is no such user.")
    address = models.GenericIPAddressField("from", null=True)

    class Meta:
        verbose_name = "sign-in"
        default_permissions = ()
        indexes = [
            models.Index(fields=["name", "-at"], name="signin_by_name"),
            models.Index(fields=["address", "-at"], name="signin_by_address"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(outcome__in=SignInOutcome.values), name="signin_outcome_is_known"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            audited(
                "subject.outcome || ': ' || COALESCE(NULLIF(subject.name, ''), 'an unknown user') "
                "|| COALESCE(' from ' || host(subject.address), '')"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.outcome}: {self.name or 'an unknown user'} from {self.address}"
