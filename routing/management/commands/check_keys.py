"""Every domain's live key, as people may see it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from routing.errors import BillingError
from routing.keys import keyring
from routing.payments.accounts import keys_of
from routing.registry import snapshot


class Command(BaseCommand):
    help = "Load every domain's key and ask Stripe for its account. The key itself is never shown."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        problems = 0
        for domain in snapshot.current().table.domains.values():
            try:
                keys, account_id = keys_of(domain)
            except BillingError as error:
                problems += 1
                self.stdout.write(f"{domain.slug}: {error}")
                continue
            version = f", version {keys.version}" if keys.version else ""
            account = account_id or "not readable with this key"
            self.stdout.write(f"{domain.slug}: {keys.fingerprint} from {keys.source}{version}; account {account}")
            self.stdout.write(f"  {keyring().status(domain.slug).problem or 'Nothing is wrong.'}")
        if problems:
            raise CommandError(f"{problems} of the domains cannot bill. Each line above says why and what to do.")
