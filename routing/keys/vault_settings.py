"""Where Vault is, and how the router logs in to it: read from the VAULT_* settings and checked at startup."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from routing.errors import KeyUnavailable
from routing.keys.secret import Secret
from routing.keys.source import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

_ADDR = re.compile(r"(?P<scheme>https?)://(?P<host>[\w.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]+)?(/[\w./-]*)?")
_MOUNT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
_HEADER_VALUE = re.compile(r"[!-~]+")  # with any other, requests would repeat the value in its error
_REMEDY = "set one of VAULT_TOKEN, VAULT_TOKEN_FILE, VAULT_ROLE_ID with VAULT_SECRET_ID, or VAULT_K8S_ROLE"


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file with a token, which whoever writes it also renews."""

    file: Path

    def token(self) -> Secret:
        return _read_line(self.file, "VAULT_TOKEN_FILE")


@dataclass(frozen=True, slots=True)
class AppRole:
    role_id: str
    secret_id: Secret
    mount: str

    remedy = "check VAULT_ROLE_ID and VAULT_SECRET_ID, and whether the secret ID has expired or been used up"

    def credentials(self) -> dict[str, str]:
        return {"role_id": self.role_id, "secret_id": self.secret_id.reveal()}


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """The pod's service account. Kubernetes rotates its token, so each login reads the file again."""

    role: str
    token_file: Path
    mount: str

    remedy = "check VAULT_K8S_ROLE, and that the role is bound to the pod's service account and namespace"

    def credentials(self) -> dict[str, str]:
        return {"role": self.role, "jwt": _read_line(self.token_file, "VAULT_K8S_TOKEN_FILE").reveal()}


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

Identity = Secret | TokenFile | AppRole | Kubernetes


@dataclass(frozen=True, slots=True)
class VaultSettings:
    addr: str
    identity: Identity
    namespace: str
    cacert: str

    @property
    def is_on_this_machine(self) -> bool:
        url = _ADDR.fullmatch(self.addr)
        return url is not None and url["host"] in _LOOPBACK

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> VaultSettings | None:
        """Read the VAULT_* settings; None without VAULT_ADDR. Raises ``KeyUnavailable`` where they are invalid."""
        if not (addr := environ.get("VAULT_ADDR")):
            return None
        _check_addr(addr)
        cacert = environ.get("VAULT_CACERT", "")
        if cacert and not Path(cacert).is_file():
            raise KeyUnavailable(f"VAULT_CACERT is {cacert}, which is not a file: put the CA certificate there.")
        return cls(addr=addr, identity=_identity(environ), namespace=environ.get("VAULT_NAMESPACE", ""), cacert=cacert)


def _check_addr(addr: str) -> None:
    url = _ADDR.fullmatch(addr)
    if not url:
        raise KeyUnavailable("VAULT_ADDR is not a URL such as https://vault.example:8200: set it to Vault's.")
    if url["scheme"] == "http" and url["host"] not in _LOOPBACK:
        raise KeyUnavailable("VAULT_ADDR is plain http, over which live keys would cross the network: set it to https.")


def _identity(environ: Mapping[str, str]) -> Identity:
    readers: dict[str, Callable[[Mapping[str, str]], Identity]] = {
        "VAULT_TOKEN": _token,
        "VAULT_TOKEN_FILE": lambda environ: TokenFile(Path(environ["VAULT_TOKEN_FILE"])),
        "VAULT_ROLE_ID": _app_role,
        "VAULT_K8S_ROLE": _kubernetes,
    }
    found = [name for name in readers if environ.get(name)]
    if len(found) != 1:
        raise KeyUnavailable(f"VAULT_ADDR is set with {' and '.join(found) or 'no way to log in'}: {_REMEDY}.")
    if bool(environ.get("VAULT_ROLE_ID")) != bool(environ.get("VAULT_SECRET_ID")):
        raise KeyUnavailable(f"Only one of VAULT_ROLE_ID and VAULT_SECRET_ID is set, and both are needed: {_REMEDY}.")
    return readers[found[0]](environ)


def _token(environ: Mapping[str, str]) -> Secret:
    if not _HEADER_VALUE.fullmatch(environ["VAULT_TOKEN"]):
        raise KeyUnavailable("VAULT_TOKEN contains a space or a line break: set only the token.")
    return Secret(environ["VAULT_TOKEN"])


def _app_role(environ: Mapping[str, str]) -> AppRole:
    mount = _mount(environ, "VAULT_APPROLE_MOUNT", "approle")
    return AppRole(environ["VAULT_ROLE_ID"], Secret(environ["VAULT_SECRET_ID"]), mount)


def _kubernetes(environ: Mapping[str, str]) -> Kubernetes:
    file = Path(environ.get("VAULT_K8S_TOKEN_FILE") or SERVICE_ACCOUNT_TOKEN)
    if not file.is_file():
        raise KeyUnavailable(
            f"VAULT_K8S_ROLE is set, but there is no service account token at {file}: mount it there, or set "
            "VAULT_K8S_TOKEN_FILE to its file."
        )
    return Kubernetes(environ["VAULT_K8S_ROLE"], file, _mount(environ, "VAULT_K8S_MOUNT", "kubernetes"))


def _mount(environ: Mapping[str, str], name: str, default: str) -> str:
    mount = environ.get(name) or default
    if not _MOUNT.fullmatch(mount):
        raise KeyUnavailable(f"{name} is not the name of a mount such as {default}: set it without auth/ and slashes.")
    return mount


def _read_line(file: Path, name: str) -> Secret:
    """Return the file's one line."""
    try:
        line = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"{name}, {file}, cannot be read ({type(error).__name__}).") from None
    if not _HEADER_VALUE.fullmatch(line):
        raise Unavailable(f"{name}, {file}, does not contain a token: store only the token in it.")
    return Secret(line)
