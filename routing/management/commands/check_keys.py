"""Checks every domain's live key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from routing.errors import BillingError, PermissionMissing
from routing.keys import keyring
from routing.payments.stripe_api.accounts import load_keys
from routing.payments.stripe_api.permissions import missing_permissions
from routing.registry import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routing.registry.rules import DomainRule


class Command(BaseCommand):
    help = (
        "Load the key of every domain, and ask Stripe which account it opens and, of a restricted key, what it may do. "
        "Nothing is made at Stripe, and no key is ever shown."
    )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        problems = 0
        for domain in snapshot.current().table.domains.values():
            try:
                self.stdout.write("\n".join(_lines(domain)))
            except BillingError as error:
                problems += 1
                self.stdout.write(f"{domain.slug}: {error}")
        if problems:
            cannot = "1 domain cannot" if problems == 1 else f"{problems} domains cannot"
            raise CommandError(f"{cannot} bill. The lines above say why, and what to do.")


def _lines(domain: DomainRule) -> Iterator[str]:
    keys, account_id = load_keys(domain)
    version = f", version {keys.version}" if keys.version else ""
    expected = "as expected" if domain.account_id else f"not confirmed: run confirm_account {domain.slug}"
    yield f"{domain.slug}: {keys.fingerprint} from {keys.source}{version}"
    yield f"  account {account_id}, {expected}" if account_id else "  account unknown: the key may not read it"
    yield f"  publishable key: {'yes' if keys.public_key else 'no'}; webhook secrets: {len(keys.webhook_secrets)}"
    missing = missing_permissions(keys)
    if missing.others:
        yield f"  the key may not: {', '.join(missing.others)}. What needs that is refused, with its name."
    if missing.to_charge:
        raise PermissionMissing(
            f"The key {keys.fingerprint} may not: {', '.join(missing.to_charge)}. No bot of the domain can charge: "
            "give the key these permissions in the Stripe Dashboard."
        )
    yield f"  {keyring().status(domain.slug).problem or 'No problems.'}"
