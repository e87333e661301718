"""What a source of keys provides, and the two ways in which it can fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from routing.identifiers import DEFAULT_VAULT_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping


class Unavailable(Exception):  # noqa: N818 (named for what is true of the source)
    """The source did not respond. What was fetched before may still be used for a while."""


class Refused(Exception):  # noqa: N818 (named for what the source did)
    """The source responded, without a key that may be used. An older key may not be used either."""


@dataclass(frozen=True, slots=True)
class KeyRef:
    """Which key to fetch: the domain, and the path in Vault that its row names."""

    domain: str
    path: str

    @classmethod
    def for_domain(cls, domain: str, path: str = "") -> KeyRef:
        return cls(domain, path or DEFAULT_VAULT_FOLDER + domain)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source has for a domain: ``secret_key``, ``public_key`` and ``webhook_secrets``, not yet checked."""

    values: Mapping[str, Any] = field(repr=False)
    source: str
    version: str | None = None


class Source(Protocol):
    def fetch(self, ref: KeyRef) -> Fetched:
        """Return what is stored for ``ref`` now; raise ``Unavailable`` or ``Refused``."""
