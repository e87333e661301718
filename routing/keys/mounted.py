"""Keys in a mounted directory: a Kubernetes secret, systemd's credentials, or what Vault Agent renders.

Two forms, which may stand side by side for different domains: a file for each value, named as its environment variable,
or ``<domain>.json``, which holds the fields of Vault's own secret.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from routing.keys.source import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAX_SWAPS = 3
_SWAPPED = "..data"  # the link that Kubernetes turns to a new directory when the secret changes


def mounted(directory: Path, domain: str, names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return what each form holds for the domain, by the words for its place. ``names`` are the files by field."""
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
    raise Refused(f"The directory {directory} is swapped faster than it can be read: let it rest.")


def _target(directory: Path) -> Path:
    """Return where the files lie now, so that all of them are read from the same version of the secret."""
    link = directory / _SWAPPED
    return link.resolve() if link.is_symlink() else directory


def _read(shown: Path, target: Path, domain: str, names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    file, rendered = shown / f"{domain}.json", _text(target / f"{domain}.json")
    return {
        f"the directory {shown} ({names['secret_key']})": {
            field: text for field, name in names.items() if (text := _text(target / name)) is not None
        },
        f"the file {file}": {} if rendered is None else _fields(rendered, file),
    }


def _text(file: Path) -> str | None:
    try:
        text = file.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"The file {file} cannot be read ({type(error).__name__}): let the router read it.") from error
    except UnicodeError:  # not chained: it carries what was read
        raise Refused(f"The file {file} holds characters that Stripe does not use: store the key alone.") from None
    return text.removesuffix("\n")  # the one that editors and `echo` put at the end of every file


def _fields(rendered: str, file: Path) -> dict[str, Any]:
    try:
        fields = json.loads(rendered)
    except ValueError:  # not chained: it carries what was read
        fields = None
    if not isinstance(fields, dict):
        raise Refused(
            f"The file {file} is not a JSON object: write secret_key, public_key and webhook_secrets into it."
        )
    return fields
