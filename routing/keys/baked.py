"""The production values that a deployment bakes in: environment variables, or files of the same names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from routing.keys.source import Fetched, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.keys.source import KeyRef

_NAMES = {
    "secret_key": "STRIPE_SECRET_KEY",
    "public_key": "STRIPE_PUBLIC_KEY",
    "webhook_secrets": "STRIPE_WEBHOOK_SECRETS",
}


@dataclass(frozen=True, slots=True)
class BakedSource:
    """``STRIPE_SECRET_KEY`` and its companions, from ``environ`` or from the directory that STRIPE_KEYS_DIR names."""

    environ: Mapping[str, str] = field(repr=False)

    def fetch(self, ref: KeyRef) -> Fetched:
        suffix = "" if ref.domain == "stripe" else "__" + ref.domain.upper().replace("-", "_")
        names = {field: name + suffix for field, name in _NAMES.items()}
        places = {
            "the environment": {field: self.environ[name] for field, name in names.items() if name in self.environ}
        }
        if directory := self.environ.get("STRIPE_KEYS_DIR"):
            places[f"the directory {directory}"] = _files(Path(directory), names)
        return _only_place(places, suffix)


def _files(directory: Path, names: Mapping[str, str]) -> dict[str, str]:
    if not directory.is_dir():
        raise Refused(f"STRIPE_KEYS_DIR names {directory}, which is not a directory: mount it there or unset it.")
    return {field: _text(directory / name) for field, name in names.items() if (directory / name).exists()}


def _text(file: Path) -> str:
    try:
        text = file.read_text(encoding="ascii")
    except OSError as error:
        raise Refused(f"The file {file} cannot be read ({type(error).__name__}): let the router read it.") from error
    except UnicodeError:  # not chained: it carries what was read
        raise Refused(f"The file {file} holds characters that Stripe does not use: store the key alone.") from None
    return text.removesuffix("\n")  # the one that editors and `echo` put at the end of every file


def _only_place(places: Mapping[str, Mapping[str, str]], suffix: str) -> Fetched:
    """Return the one place that holds the secret key: of two, nobody could say which is meant."""
    name = _NAMES["secret_key"] + suffix
    holding = [place for place, values in places.items() if "secret_key" in values]
    if not holding:
        looked = " and in ".join(places)
        raise Refused(f"{name} was looked for in {looked} and is not there: put the account's live key there.")
    if len(holding) > 1:
        raise Refused(f"{name} is both in {' and in '.join(holding)}: keep one of the two.")
    return Fetched(values=places[holding[0]], source=f"{holding[0]} (STRIPE_*{suffix})")
