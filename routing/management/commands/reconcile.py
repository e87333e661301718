"""Compares the ledger with Stripe and lists the discrepancies for a person to clear."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from routing.management.arguments import utc_time
from routing.money import to_text
from routing.payments.reconciliation.matching import Verdict
from routing.payments.reconciliation.runs import Result, Side, reconcile
from routing.payments.settlement.discrepancies import what_happened, what_to_do
from routing.payments.settlement.models import Discrepancy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.core.management.base import CommandParser

_MAX_SHOWN = 50
_ROW = "{:<20} {:>9} {:>9} {:>9} {:>9}  {}"


class Command(BaseCommand):
    help = (
        "Compare the ledger with Stripe, both ways, from where the last run ended, and list the open discrepancies. "
        "Fails if there are any, or if a domain could not be compared."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since", type=utc_time, help="start at this day or time (UTC) if that is earlier, for example 2026-11-01"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        results = reconcile(*Side, since=options["since"])
        still_open = Discrepancy.objects.filter(cleared_at=None)
        self._show_domains(results, still_open.values_list("domain", "kind"))
        self._show_money(results)
        self._show_open(list(still_open.select_related("payment").order_by("found_at", "pk")[:_MAX_SHOWN]))
        failures = [
            f"The comparison of {result.domain} did not finish: {result.problem}"
            for result in results
            if result.problem
        ]
        if count := still_open.count():
            failures.append(
                f"Open discrepancies: {count}. Clear each in the admin, with a remark, once you know its cause."
            )
        if failures:
            raise CommandError("\n".join(failures))
        self.stdout.write("The ledger and Stripe agree.")

    def _show_domains(self, results: list[Result], still_open: Iterable[tuple[str, str]]) -> None:
        kinds = Counter(still_open)
        self.stdout.write(_ROW.format("domain", "compared", "agreed", "adopted", "too early", "open"))
        for result in results:
            counts = [f"{count} {kind}" for (domain, kind), count in sorted(kinds.items()) if domain == result.domain]
            tally = Counter(result.tally)
            compared = tally.total() - tally[Verdict.HISTORY]
            counted = (compared, *(tally[verdict] for verdict in (Verdict.AGREES, Verdict.ADOPTED, Verdict.WAITS)))
            self.stdout.write(_ROW.format(result.domain, *counted, ", ".join(counts) or "nothing"))

    def _show_money(self, results: list[Result]) -> None:
        for result in results:
            for currency in sorted({currency for currency, _ in result.money}):
                moved = [
                    f"{kind.replace('_', ' ')} {to_text(amount, currency)}"
                    for (moved_in, kind), amount in sorted(result.money.items())
                    if moved_in == currency
                ]
                since = f"{result.money_since:%Y-%m-%d %H:%M} UTC"
                self.stdout.write(f"{result.domain}, {currency.upper()} moved since {since}: {', '.join(moved)}")

    def _show_open(self, shown: list[Discrepancy]) -> None:
        for discrepancy in shown:
            self.stdout.write(f"\n{discrepancy.domain}, number {discrepancy.pk}: {what_happened(discrepancy)}")
            self.stdout.write(f"  To do: {what_to_do(discrepancy)}")
