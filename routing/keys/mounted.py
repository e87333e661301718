"""Keys in a mounted directory: a Kubernetes secret, systemd's credentials, or what Vault Agent renders.

Two forms, of which each domain uses one: a file for each value, named like its environment variable, or
``<domain>.json`` with the fields of the secret in Vault.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from routing.keys.source import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAX_SWAPS = 3
_LINK = "..data"  # the link that Kubernetes points at a new directory when the secret changes


def read_mounted(directory: Path, domain: str, names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the domain's values by a description of where each form has them. ``names`` are the files by field."""
    for _ in range(_MAX_SWAPS):
        target = _target(directory)
        try:
            found = _read(directory, target, domain, names)
        except Refused:
            if target == _target(directory):
                raise
            continue
        if target == _target(directory):
            return found
    raise Refused(f"The directory {directory} keeps changing while it is read: stop whatever rewrites it.")


def _target(directory: Path) -> Path:
    """Return the directory of the current version, so that all files are read from the same version of the secret."""
    link = directory / _LINK
    return link.resolve() if link.is_symlink() else directory


def _read(directory: Path, target: Path, domain: str, names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    file, rendered = directory / f"{domain}.json", _read_text(target / f"{domain}.json")
    return {
        f"the directory {directory} ({names['secret_key']})": {
            field: text for field, name in names.items() if (text := _read_text(target / name)) is not None
        },
        f"the file {file}": {} if rendered is None else _parse_fields(rendered, file),
    }


def _read_text(file: Path) -> str | None:
    try:
        text = file.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(
            f"The file {file} cannot be read ({type(error).__name__}): give the router permission to read it."
        ) from error
    except UnicodeError:  # not chained: it carries what was read
        raise Refused(f"The file {file} contains characters that no key has: store only the key in it.") from None
    return text.removesuffix("\n")  # editors and `echo` end every file with one


def _parse_fields(rendered: str, file: Path) -> dict[str, Any]:
    try:
        fields = json.loads(rendered)
    except ValueError:  # not chained: it carries what was read
        fields = None
    if not isinstance(fields, dict):
        raise Refused(
            f"The file {file} is not a JSON object: store one with secret_key, public_key and webhook_secrets."
        )
    return fields
