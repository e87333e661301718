"""Exports the registry's routes to a file that can be imported again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management import BaseCommand, CommandError

from routing.errors import BillingError
from routing.postgres import connection
from routing.registry.rows import read_table
from routing.registry.yaml.export import as_json, as_yaml

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Export every route and override as YAML, or as JSON if PATH ends with .json, for import_routes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", nargs="?", type=Path, help="the file to write; without it, standard output")

    def handle(self, *, path: Path | None, **_: Any) -> None:
        try:
            with connection() as database:
                table = read_table(database)
            if path is None:
                self.stdout.write(as_yaml(table), ending="")
            else:
                path.write_text(as_json(table) if path.suffix == ".json" else as_yaml(table), encoding="utf-8")
        except (OSError, BillingError) as error:
            raise CommandError(f"Nothing was exported: {error}") from None
