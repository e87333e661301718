"""Confirms to which Stripe account a domain's money goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from routing.errors import BillingError
from routing.management.proposing import ProposingCommand
from routing.payments.stripe_api.accounts import unconfirmed_keys
from routing.registry import snapshot
from routing.registry.models import Domain

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(ProposingCommand):
    help = (
        "Show which Stripe account the key of a domain opens; given that account too, confirm it. "
        "From then on a key of any other account stops the domain."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("domain")
        parser.add_argument("account", nargs="?", help="such as acct_1a2B3c, as the Stripe Dashboard shows it")

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        domain, account = options["domain"], options["account"]
        learned, fingerprint = self._learned(domain)
        if learned and account and account != learned:
            raise CommandError(
                f"The key {fingerprint} of the domain {domain} opens {learned}, and not {account}. Nothing was "
                "changed: put the other account's key where the router reads it, or confirm this account."
            )
        if account is None:
            opens = f"opens {learned}" if learned else "may not read its own account: see the Stripe Dashboard"
            return (
                f"The key {fingerprint} of the domain {domain} {opens}. If its money belongs there, confirm it: "
                f"manage.py confirm_account {domain} {learned or 'acct_…'}"
            )
        row = Domain.objects.get(slug=domain)
        row.account_id = account
        row.full_clean()
        row.save(update_fields=["account_id"])
        return f"The money of the domain {domain} goes to {account}, and to no other account."

    def _learned(self, domain: str) -> tuple[str, str]:
        rule = snapshot.reload(snapshot.current()).table.domains.get(domain)
        if rule is None:
            raise CommandError(f"There is no domain {domain!r}.")
        try:
            keys, account_id = unconfirmed_keys(rule)
        except BillingError as error:
            raise CommandError(str(error)) from None
        return account_id, keys.fingerprint
