"""Checks what a production needs before money moves, and says what one person can do alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Exists, OuterRef, Q

from routing import roles
from routing.access.models import BotToken
from routing.errors import BillingError
from routing.identifiers import EVERY
from routing.integrity import differences
from routing.payments.stripe_api.accounts import load_keys
from routing.registry import snapshot
from routing.registry.models import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator

_APPROVERS = 2
"""How many it takes, so that one of them can approve what another one proposes."""


class Command(BaseCommand):
    help = (
        "Check the database, the keys, the people and the tokens of a production. Fails if something would stop or "
        "endanger payments; notes what one person can do alone."
    )
    requires_migrations_checks = True

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        problems = [*_of_the_environment(), *_of_the_database(), *_of_the_domains(), *_of_the_approvers()]
        notes = [*_on_domains(), *_on_people(), *_on_tokens()]
        lines = [*(f"Problem: {line}" for line in problems), *(f"Note: {line}" for line in notes)]
        if problems:
            raise CommandError("\n".join(lines))
        return "\n".join([*lines, "There is no problem."])


def _of_the_environment() -> Iterator[str]:
    if settings.IS_SANDBOX:
        yield "This is a sandbox, in which no real money moves: unset BILLING_ROUTER_ENV for production."


def _of_the_database() -> Iterator[str]:
    yield from differences()
    for sentence in roles.excesses(roles.current_role()):
        yield f"{sentence} For a role that may not, see create_roles."


def _of_the_domains() -> Iterator[str]:
    domains = snapshot.current().table.domains
    if not domains:
        yield "There is no domain, so no bot can bill: add one in the admin, or import routes."
    for domain in domains.values():
        try:
            load_keys(domain)
        except BillingError as error:
            yield str(error)


def _of_the_approvers() -> Iterator[str]:
    """Say that a domain needs approval which nobody, or one person alone, can give."""
    approve = Permission.objects.filter(content_type__app_label="routing", codename="approve_change")
    able = Q(is_superuser=True) | Q(user_permissions__in=approve) | Q(groups__permissions__in=approve)
    count = User.objects.filter(able, is_active=True, is_staff=True).distinct().count()
    if count < _APPROVERS and Domain.objects.filter(requires_approval=True).exists():
        yield f"{count} of the users can approve changes: give the role Approver to {_APPROVERS} or more."


def _on_domains() -> Iterator[str]:
    for domain in Domain.objects.order_by("slug"):
        if not domain.requires_approval:
            yield (
                f"In the domain '{domain}' one person can move money alone: switch on, on its page, that changes need "
                "approval."
            )
        if not domain.requires_cap:
            yield f"In the domain '{domain}' a bot without a cap may charge any amount."


def _on_people() -> Iterator[str]:
    staff = User.objects.filter(is_active=True, is_staff=True).order_by("username")
    for user in staff.filter(is_superuser=True):
        yield f"{user} is a superuser, and may do everything that one person may."
    factors = Authenticator.objects.filter(user=OuterRef("pk"), type__in=("webauthn", "totp"))
    for user in staff.filter(~Exists(factors)):
        yield f"{user} has no second factor yet."


def _on_tokens() -> Iterator[str]:
    live = BotToken.objects.filter(revoked_at=None).order_by("pk")
    for token in live.filter(expires_at=None):
        yield f"The token {token} never expires: rotate it."
    for token in live.filter(bots__contains=[EVERY]):
        yield f"The token {token} speaks for every bot: issue one for each."
