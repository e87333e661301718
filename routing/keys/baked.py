"""The production values that a deployment bakes in: environment variables, or files in a mounted directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from routing.keys.mounted import mounted
from routing.keys.source import Fetched, Refused

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
    """``STRIPE_SECRET_KEY`` and its companions, read from their places anew each time."""

    environ: Mapping[str, str] = field(repr=False)

    def fetch(self, ref: KeyRef) -> Fetched:
        suffix = "" if ref.domain == "stripe" else "__" + ref.domain.upper().replace("-", "_")
        names = {field: name + suffix for field, name in _NAMES.items()}
        own = {field: self.environ[name] for field, name in names.items() if name in self.environ}
        places: dict[str, dict[str, Any]] = {f"the environment ({names['secret_key']})": own}
        for directory in self._directories():
            places |= mounted(directory, ref.domain, names)
        return _only_place(places)

    def _directories(self) -> list[Path]:
        named = {setting: Path(self.environ[setting]) for setting in _DIRECTORIES if self.environ.get(setting)}
        for setting, directory in named.items():
            if not directory.is_dir():
                raise Refused(f"{setting} names {directory}, which is not a directory: mount it there or unset it.")
        return list(named.values())


def _only_place(places: Mapping[str, Mapping[str, Any]]) -> Fetched:
    """Return the one place that holds the secret key: of two, nobody could say which is meant."""
    holding = [place for place, values in places.items() if "secret_key" in values]
    if not holding:
        looked = " and in ".join(places)
        raise Refused(f"A secret key was looked for in {looked} and is not there: put the account's live key there.")
    if len(holding) > 1:
        raise Refused(f"There is a secret key in {' and in '.join(holding)}: keep one of the two.")
    return Fetched(values=places[holding[0]], source=holding[0])
