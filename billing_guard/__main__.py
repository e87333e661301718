"""The guard as a command: one line a hit, and a status that a hook or a pipeline can act on."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path

from billing_guard.allowances import UnusableAllowancesError
from billing_guard.scanning import Report, scan

CLEAN, HITS, UNUSABLE = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Return 0 where nothing was found, 1 where something was, 2 where the guard could not be run as asked."""
    parser = argparse.ArgumentParser(
        prog="python -m billing_guard",
        description="Finds Stripe keys and billing logic that belong in the billing router alone.",
        epilog="0: nothing found. 1: hits. 2: not run. Allow a line by a comment: billing-guard: allow REASON",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder and all below it")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="one line a hit, or one JSON list")
    options = parser.parse_args(arguments)
    if missing := [str(path) for path in options.paths if not path.exists()]:
        parser.error(f"there is no {', no '.join(missing)}")
    try:
        report = scan(options.paths)
    except UnusableAllowancesError as unusable:
        parser.error(str(unusable))
    _print(report, is_json=options.format == "json")
    return HITS if report.findings else CLEAN


def _print(report: Report, *, is_json: bool) -> None:
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
    if is_json:
        print(json.dumps([asdict(finding) for finding in report.findings], indent=2))  # noqa: T201 (what was asked for)
    else:
        for finding in report.findings:
            print(finding)  # noqa: T201 (what was asked for)
    for path in report.unread:
        sys.stderr.write(f"Not read, because it is too large or cannot be opened: {path}\n")
    count = len(report.findings)
    sys.stderr.write(f"{count or 'No'} hit{'' if count == 1 else 's'} in {report.read} files.\n")


if __name__ == "__main__":
    sys.exit(main())
