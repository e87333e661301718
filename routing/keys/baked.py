"""The production values that a deployment bakes in: environment variables, or files in a mounted directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from routing.keys.mounted import read_mounted
from routing.keys.source import Fetched, Refused
from routing.tracebacks import without_inner_frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.keys.source import KeyRef

_NAMES = {
    "secret_key": "STRIPE_SECRET_KEY",
    "public_key": "STRIPE_PUBLIC_KEY",
    "webhook_secrets": "STRIPE_WEBHOOK_SECRETS",
}

_DIRECTORIES = ("STRIPE_KEYS_DIR", "CREDENTIALS_DIRECTORY")
"""The deployment's own, and the one that systemd sets for a unit with LoadCredential=."""


@dataclass(frozen=True, slots=True)
class BakedSource:
    """``STRIPE_SECRET_KEY`` and the others, read again at every fetch."""

    environ: Mapping[str, str] = field(repr=False)

    @without_inner_frames
    def fetch(self, ref: KeyRef) -> Fetched:
        suffix = "" if ref.domain == "stripe" else "__" + ref.domain.upper().replace("-", "_")
        names = {field: name + suffix for field, name in _NAMES.items()}
        variables = {field: self.environ[name] for field, name in names.items() if name in self.environ}
        places: dict[str, dict[str, Any]] = {f"the environment ({names['secret_key']})": variables}
        for directory in self._directories():
            places |= read_mounted(directory, ref.domain, names)
        return _single_source(places)

    def _directories(self) -> list[Path]:
        named = {setting: Path(self.environ[setting]) for setting in _DIRECTORIES if self.environ.get(setting)}
        for setting, directory in named.items():
            if not directory.is_dir():
                raise Refused(f"{setting} is {directory}, which is not a directory: mount it there or unset {setting}.")
        return list(named.values())


def _single_source(places: Mapping[str, Mapping[str, Any]]) -> Fetched:
    """Return the one place that has the secret key; with two it would be ambiguous which one to use."""
    found = [place for place, values in places.items() if "secret_key" in values]
    if not found:
        raise Refused(f"There is no secret key in {' or '.join(places)}: put the account's live key there.")
    if len(found) > 1:
        raise Refused(f"There is a secret key in {' and in '.join(found)}: keep only one of them.")
    return Fetched(values=places[found[0]], source=found[0])
