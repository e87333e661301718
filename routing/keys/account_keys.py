"""The keys of one Stripe account, checked as they are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from routing.keys.secret import PUBLIC_KEY, SECRET_KEY, WEBHOOK_SECRET, Secret, check_secret
from routing.keys.source import Refused
from routing.tracebacks import without_inner_frames

if TYPE_CHECKING:
    from routing.keys.source import Fetched, KeyRef


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """Live keys that may be used, of which domain, and from which source.

    ``source`` is readable text; ``version`` is the source's own number, where it keeps versions.
    """

    ref: KeyRef
    secret_key: Secret
    public_key: str | None
    webhook_secrets: tuple[Secret, ...]
    source: str
    version: str | None

    @classmethod
    @without_inner_frames
    def from_fetched(cls, ref: KeyRef, fetched: Fetched) -> AccountKeys:
        """Check what was fetched; raise ``Refused`` for the first value that may not be used."""
        values, source = fetched.values, fetched.source
        if values.get("secret_key") is None:
            raise Refused(f"There is no secret_key in {source}: {SECRET_KEY.remedy}.")
        public_key = values.get("public_key")
        return cls(
            ref=ref,
            secret_key=check_secret(values["secret_key"], SECRET_KEY, f"secret_key in {source}"),
            public_key=check_secret(public_key, PUBLIC_KEY, f"public_key in {source}").reveal() if public_key else None,
            webhook_secrets=tuple(
                check_secret(value, WEBHOOK_SECRET, f"webhook_secrets (number {number}) in {source}")
                for number, value in enumerate(_as_list(values.get("webhook_secrets"), source), start=1)
            ),
            source=source,
            version=fetched.version,
        )

    @property
    def fingerprint(self) -> str:
        """The key as it may be shown: its prefix and its last four characters."""
        key = self.secret_key.reveal()
        return f"{key[: len('rk_live_')]}…{key[-4:]}"

    @property
    def is_restricted(self) -> bool:
        """Whether it is a restricted key. A full secret key is accepted, with a warning."""
        return self.secret_key.reveal().startswith("rk_")


def _as_list(value: Any, source: str) -> list[Any]:
    if not value:
        return []
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if isinstance(value, list):
        return value
    raise Refused(f"webhook_secrets in {source} is neither a list nor a comma-separated string: store one of the two.")
