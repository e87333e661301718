"""The command line: one line per finding, and an exit status for hooks and pipelines."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path

from billing_guard.allowlist import Allowlist, InvalidAllowlistError, read_central
from billing_guard.scanning import Report, scan

NO_FINDINGS, FINDINGS = 0, 1


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 without findings, 1 with findings. A scan that cannot start exits with 2."""
    parser = _build_parser()
    options = parser.parse_args(arguments)
    if missing := [str(path) for path in options.paths if not path.exists()]:
        parser.error(f"no such file or folder: {', '.join(missing)}")
    if options.repository and not options.exemptions:
        parser.error("--repository chooses entries of the central file: pass --exemptions FILE too")
    try:
        report = scan(options.paths, _choose_allowlist(options))
    except InvalidAllowlistError as invalid:
        parser.error(str(invalid))
    _print(report, as_json=options.format == "json")
    return FINDINGS if report.findings else NO_FINDINGS


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m billing_guard",
        description="Finds Stripe keys and billing logic that belong in the billing router alone.",
        epilog="Exit status: 0 no findings, 1 findings, 2 the scan could not start. "
        "To allow a finding, add a comment to its line: billing-guard: allow REASON. With --exemptions, what the "
        "repository allows itself does not count.",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder and all below it")
    parser.add_argument(
        "--format", choices=["text", "json"], default="text", help="one line per finding, or a JSON list"
    )
    parser.add_argument(
        "--exemptions", type=Path, metavar="FILE", help="the central file that alone says what is allowed"
    )
    parser.add_argument("--repository", metavar="NAME", help="the name of the checked repository in the central file")
    return parser


def _choose_allowlist(options: argparse.Namespace) -> Allowlist:
    if options.exemptions is None:
        return Allowlist()
    return read_central(options.exemptions, options.paths, repository=options.repository)


def _print(report: Report, *, as_json: bool) -> None:
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name need not be valid text
    if as_json:
        print(json.dumps([asdict(finding) for finding in report.findings], indent=2))  # noqa: T201 (the report)
    else:
        for finding in report.findings:
            print(finding)  # noqa: T201 (the report)
    for path in report.skipped:
        sys.stderr.write(f"Skipped, because it is too large or cannot be opened: {path}\n")
    sys.stderr.write(f"{_count(len(report.findings), 'finding')} in {_count(report.files_read, 'file')}.\n")


def _count(number: int, noun: str) -> str:
    return f"{number or 'No'} {noun}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    sys.exit(main())
