"""Imports the routes of a YAML or JSON file into the registry."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import connection

from routing.approval.models import ChangeRequest
from routing.approval.proposals import apply_or_propose
from routing.errors import RegistryBusy
from routing.payments.customer_owners import newly_shared
from routing.payments.operations.route_prices import mismatch
from routing.registry.lock import lock_registry
from routing.registry.models import RegistryHead, Route
from routing.registry.yaml.apply import apply
from routing.registry.yaml.describe import describe_plan
from routing.registry.yaml.document import read_bytes, read_document
from routing.registry.yaml.plan import make_plan
from routing.registry.yaml.problems import ImportRefusedError, Problem
from routing.registry.yaml.routes import read_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.management.base import CommandParser, OutputWrapper

    from routing.registry.yaml.plan import Plan
    from routing.registry.yaml.rules import DesiredRegistry

MAX_PROBLEMS_SHOWN = 100

_MAX_PRICES = 100
"""Prices of one file that Stripe is asked about: a request each."""

LONG_FILE = 1024 * 1024
"""Bytes, about 7,000 routes. A smaller file needs no progress."""


class Command(BaseCommand):
    help = (
        "Import routes and overrides from a YAML or JSON file, all of them or none. The plan is printed first: what is "
        "added (+), changed (~) and removed (-). What is not in the file is kept, unless --prune is passed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "path",
            nargs="?",
            type=Path,
            default=settings.STRIPE_ROUTING_CONFIG,
            help="the file; default: STRIPE_ROUTING_CONFIG",
        )
        parser.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
        parser.add_argument(
            "--prune",
            action="store_true",
            help="also remove what is not in the file, within its domains; never a domain",
        )
        parser.add_argument(
            "--create-domains", action="store_true", help="create the domains that are not registered yet"
        )

    def handle(self, *, path: Path, dry_run: bool, prune: bool, create_domains: bool, **_: Any) -> None:
        try:
            with _garbage_collection_paused():
                self._import(path, dry_run=dry_run, prune=prune, create_domains=create_domains)
        except ImportRefusedError as error:
            self._show(error.problems)
            raise CommandError(f"Problems in {path}: {len(error.problems):,}. Nothing was changed.") from None
        except (OSError, RegistryBusy) as error:
            raise CommandError(f"{path} was not imported: {error}") from None

    def _import(self, path: Path, *, dry_run: bool, prune: bool, create_domains: bool) -> None:
        """Plan, print and apply under one lock, so that exactly what was printed is applied."""
        content = read_bytes(path)
        progress = _Progress(self.stderr, is_shown=len(content) > LONG_FILE)
        desired, problems = _read(content, progress)
        problems += _mismatched_prices(desired)

        def apply_plan() -> Plan:
            lock_registry()
            plan = make_plan(desired, prune=prune, create_domains=create_domains)
            if problems or plan.problems:
                raise ImportRefusedError([*problems, *plan.problems])
            self.stdout.write("\n".join(describe_plan(plan)))
            self.stdout.flush()
            if not (dry_run or plan.is_empty):
                apply(plan, progress)
                for shared in newly_shared()[:MAX_PROBLEMS_SHOWN]:
                    self.stderr.write(f"Warning: {shared}.")
            return plan

        outcome = apply_or_propose(apply_plan, f"Import of {path.name}")
        if isinstance(outcome, ChangeRequest):
            self.stdout.write(
                f"Proposed as {outcome}: it takes effect when another person has approved it in the admin."
            )
            return
        if len(content) > LONG_FILE and not dry_run:
            _analyze()
        self.stdout.write(_conclusion(is_dry_run=dry_run, is_empty=outcome.is_empty))

    def _show(self, problems: list[Problem]) -> None:
        for problem in problems[:MAX_PROBLEMS_SHOWN]:
            self.stderr.write(str(problem))
        if len(problems) > MAX_PROBLEMS_SHOWN:
            self.stderr.write(f"… and {len(problems) - MAX_PROBLEMS_SHOWN:,} more.")


def _read(content: bytes, progress: _Progress) -> tuple[DesiredRegistry, list[Problem]]:
    root, syntax_problems = read_document(content, progress)
    desired, problems = read_registry(root)
    return desired, syntax_problems + problems


def _mismatched_prices(desired: DesiredRegistry) -> list[Problem]:
    """Ask Stripe about the prices of routes that are new in their currency: the first hundred of them."""
    named = {
        (key.bot.domain, route["price_id"], route["currency"]): rule.mark
        for key, rule in desired.rules.items()
        if key.qualifier is None
        for route in (period.as_dict() for period in rule.periods)
    }
    known = set(Route.objects.order_by().values_list("bot__domain__slug", "price_id", "currency").distinct())
    problems: list[Problem] = []
    silent: set[str] = set()
    for domain, price, currency in [price for price in named if price not in known][:_MAX_PRICES]:
        message = None if domain in silent else mismatch(domain, price, currency)
        if message is None:
            silent.add(domain)
        elif message:
            problems.append(Problem(message, named[domain, price, currency]))
    return problems


def _analyze() -> None:
    """Update the database's statistics, or it would plan queries as if the tables were still small."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE routing_bot, routing_route, routing_override")


def _conclusion(*, is_dry_run: bool, is_empty: bool) -> str:
    if is_empty:
        return "Nothing to do: the registry matches the file."
    if is_dry_run:
        return "This was a dry run: nothing was changed."
    return f"Done. The registry is at version {RegistryHead.objects.get().version:,}."


class _Progress:
    """Shows the progress of a large file: in place on a terminal, elsewhere a line for every tenth."""

    def __init__(self, out: OutputWrapper, *, is_shown: bool) -> None:
        self._out = out
        self._is_shown = is_shown
        self._interval = 1 if out.isatty() else 10
        self._last = ("", 0)

    def __call__(self, step: str, done: int, total: int) -> None:
        if not self._is_shown:
            return
        reached = (step, 100 * done // total // self._interval * self._interval)
        if reached == self._last:
            return
        self._last = reached
        text = f"{step}: {reached[1]} %"
        if self._out.isatty():
            self._out.write(f"\r{text}", str, ending="\n" if done == total else "")
        else:
            self._out.write(text, str)
        self._out.flush()


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Pause it: a large file's million values have no cycles, and visiting them takes most of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
