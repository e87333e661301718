"""Imports the routes of a YAML or JSON file into the registry."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import connection, transaction

from routing.errors import RegistryBusy
from routing.registry.lock import lock_registry
from routing.registry.models import RegistryHead
from routing.registry.yaml.apply import apply
from routing.registry.yaml.describe import described
from routing.registry.yaml.document import read_bytes, read_document
from routing.registry.yaml.plan import make_plan
from routing.registry.yaml.problems import ImportRefusedError
from routing.registry.yaml.routes import read_wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.management.base import CommandParser, OutputWrapper

    from routing.registry.yaml.problems import Problem
    from routing.registry.yaml.rules import Wanted

MAX_PROBLEMS_SHOWN = 100
LONG_FILE = 1024 * 1024
"""Bytes, some 7,000 routes; what is shorter is done before anybody wonders."""


class Command(BaseCommand):
    help = (
        "Makes the registry say what the file says, all of it or nothing. Prints first what is added (+), "
        "changed (~) and removed (-). What the file does not have stays, unless --prune is given."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", nargs="?", type=Path, default=settings.STRIPE_ROUTING_CONFIG)
        parser.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
        parser.add_argument(
            "--prune",
            action="store_true",
            help="also remove what the file does not have, in the domains that it names; never a domain",
        )
        parser.add_argument("--create-domains", action="store_true", help="add the domains that are not registered yet")

    def handle(self, *, path: Path, dry_run: bool, prune: bool, create_domains: bool, **_: Any) -> None:
        try:
            with _collector_paused():
                self._import(path, dry_run=dry_run, prune=prune, create_domains=create_domains)
        except ImportRefusedError as error:
            self._show(error.problems)
            raise CommandError(f"Problems in {path}: {len(error.problems):,}. Nothing was changed.") from None
        except (OSError, RegistryBusy) as error:
            raise CommandError(f"{path} was not imported: {error}") from None

    def _import(self, path: Path, *, dry_run: bool, prune: bool, create_domains: bool) -> None:
        """Plan, print and apply behind one lock, so that what is printed is what is done."""
        content = read_bytes(path)
        progress = _Progress(self.stderr, is_shown=len(content) > LONG_FILE)
        wanted, problems = _read(content, progress)
        with transaction.atomic():
            lock_registry()
            plan = make_plan(wanted, prune=prune, create_domains=create_domains)
            if problems or plan.problems:
                raise ImportRefusedError([*problems, *plan.problems])
            self.stdout.write("\n".join(described(plan)))
            self.stdout.flush()
            if not (dry_run or plan.changes_nothing):
                apply(plan, progress)
        if len(content) > LONG_FILE and not dry_run:
            _analyze()
        self.stdout.write(_conclusion(is_dry_run=dry_run, changes_nothing=plan.changes_nothing))

    def _show(self, problems: list[Problem]) -> None:
        for problem in problems[:MAX_PROBLEMS_SHOWN]:
            self.stderr.write(str(problem))
        if len(problems) > MAX_PROBLEMS_SHOWN:
            self.stderr.write(f"… and {len(problems) - MAX_PROBLEMS_SHOWN:,} more.")


def _read(content: bytes, progress: _Progress) -> tuple[Wanted, list[Problem]]:
    root, of_form = read_document(content, progress)
    wanted, of_meaning = read_wanted(root)
    return wanted, of_form + of_meaning


def _analyze() -> None:
    """Let the database count the rows anew: until it has, it plans queries as if the tables were still small."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE routing_bot, routing_route, routing_override")


def _conclusion(*, is_dry_run: bool, changes_nothing: bool) -> str:
    if changes_nothing:
        return "Nothing to do: the registry says what the file says."
    if is_dry_run:
        return "This was a dry run: nothing was changed."
    return f"Done. The registry is at version {RegistryHead.objects.get().version:,}."


class _Progress:
    """Shows how far a long file has come: in place on a terminal, every tenth as a line elsewhere."""

    def __init__(self, out: OutputWrapper, *, is_shown: bool) -> None:
        self._out = out
        self._is_shown = is_shown
        self._step = 1 if out.isatty() else 10
        self._last = ("", 0)

    def __call__(self, doing: str, done: int, total: int) -> None:
        if not self._is_shown:
            return
        reached = (doing, 100 * done // total // self._step * self._step)
        if reached == self._last:
            return
        self._last = reached
        text = f"{doing}: {reached[1]} %"
        if self._out.isatty():
            self._out.write(f"\r{text}", str, ending="\n" if done == total else "")
        else:
            self._out.write(text, str)
        self._out.flush()


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Leave the million values of a long file alone: they hold no cycles, and walking them is most of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
