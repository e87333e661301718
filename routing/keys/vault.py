"""Vault, asked through hvac: which login, which answer means what."""

from __future__ import annotations

import logging
import re
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hvac  # noqa: TID251 (this is the module that speaks to Vault)

from routing.errors import KeyUnavailable
from routing.keys.secret import Secret
from routing.keys.source import Fetched, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from routing.keys.source import KeyRef

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = (0.5, 1)  # to connect, then to read: charges may be waiting for the first answer
DENIAL_REMEMBERED_SECONDS = 300  # a path that a fresh login was denied is asked again with that login for so long

_ADDR = re.compile(r"(?P<scheme>https?)://(?P<host>[\w.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]+)?(/[\w./-]*)?")
_NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
_PATH = re.compile(rf"{_NAME}(/{_NAME})*/data(/{_NAME})+")
_HEADER_VALUE = re.compile(r"[!-~]+")  # requests would repeat any other in the text of its error
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class AppRole:
    role_id: str
    secret_id: Secret


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Where Vault is, and who the router is there: by a token, a file that holds one, or an AppRole."""

    addr: str
    identity: Secret | Path | AppRole
    namespace: str
    cacert: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> VaultSettings | None:
        """Read the VAULT_* settings; None without VAULT_ADDR. ``KeyUnavailable`` says what is wrong with them."""
        if not (addr := environ.get("VAULT_ADDR")):
            return None
        _check_addr(addr)
        cacert = environ.get("VAULT_CACERT", "")
        if cacert and not Path(cacert).is_file():
            raise KeyUnavailable(f"VAULT_CACERT names {cacert}, which is not a file: put the CA certificate there.")
        return cls(addr=addr, identity=_identity(environ), namespace=environ.get("VAULT_NAMESPACE", ""), cacert=cacert)


@dataclass(frozen=True, slots=True)
class _Login:
    token: Secret
    at: float


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: dict[str, Any] = field(repr=False)


class VaultSource:
    """Reads KV version 2. A token is used until it is denied; then there is one fresh login and one more try.

    Nothing is asked about the token itself: a look-up before every read is a known way to overload Vault, and
    renewal ends at the token's maximum lifetime, so that the fresh login is needed in any case.
    """

    def __init__(self, settings: VaultSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._login: _Login | None = None
        self._denied: dict[str, _Login] = {}

    def fetch(self, ref: KeyRef) -> Fetched:
        if not _PATH.fullmatch(ref.path):
            raise Refused(
                f"'{ref.path}' is not a path in KV version 2: name the mount, then data, then the secret, as in "
                "secret/data/stripe/stripe."
            )
        return _fetched(self._read(ref.path), f"Vault {ref.path}")

    def _read(self, path: str) -> _Answer:
        held = self._login
        login = held or self._log_in(instead_of=None)
        answer = self._call("get", path, login.token)
        if answer.status in _DENIED and held and self._may_have_expired(held, path):
            login = self._log_in(instead_of=held)
            answer = self._call("get", path, login.token)
        if answer.status in _DENIED:
            self._denied[path] = login
            raise Refused(f"Vault denies reading {path}: give the router's token or role a policy that allows it.")
        return answer

    def _may_have_expired(self, held: _Login, path: str) -> bool:
        """Whether a denial can be the token's end, and not the policy's word that was already heard."""
        if isinstance(self._settings.identity, Secret):
            return False
        if isinstance(self._settings.identity, Path):
            return True
        return self._denied.get(path) is not held or self._clock() - held.at > DENIAL_REMEMBERED_SECONDS

    def _log_in(self, *, instead_of: _Login | None) -> _Login:
        with self._lock:
            if self._login is None or self._login is instead_of:  # else another thread has just logged in
                self._login = _Login(self._new_token(), self._clock())
            return self._login

    def _new_token(self) -> Secret:
        match self._settings.identity:
            case Secret() as token:
                return token
            case Path() as file:
                return _token_in(file)
            case AppRole() as role:
                return self._token_for(role)

    def _token_for(self, role: AppRole) -> Secret:
        credentials = {"role_id": role.role_id, "secret_id": role.secret_id.reveal()}
        answer = self._call("post", "auth/approle/login", None, json=credentials)
        token = (answer.body.get("auth") or {}).get("client_token")
        if answer.status != HTTPStatus.OK or not token:
            raise Refused(
                f"Vault at {self._settings.addr} refuses the AppRole login ({answer.status}): check VAULT_ROLE_ID and "
                "VAULT_SECRET_ID, and whether the secret id has expired or been used up."
            )
        return Secret(token)

    def _call(self, method: str, path: str, token: Secret | None, **body: Any) -> _Answer:
        """Make one request and say what Vault answered. Whatever is not Vault's own answer is ``Unavailable``."""
        adapter = hvac.Client(
            url=self._settings.addr,
            token=token.reveal() if token else "",  # None would take VAULT_TOKEN or ~/.vault-token
            namespace=self._settings.namespace or None,
            verify=self._settings.cacert or True,  # honoured only while no session is handed in
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,  # the token would go along to wherever the answer points
            adapter=hvac.adapters.RawAdapter,  # the other one returns a response or whatever JSON there was
        ).adapter
        try:
            return self._understood(adapter.request(method, f"/v1/{path}", raise_exception=False, **body))
        except OSError as error:  # every error of requests is one
            raise Unavailable(f"Vault at {self._settings.addr} cannot be reached ({type(error).__name__}).") from error
        finally:
            adapter.close()

    def _understood(self, response: requests.Response) -> _Answer:
        status, addr = response.status_code, self._settings.addr
        if response.is_redirect:
            raise Unavailable(
                f"What answers at {addr} points elsewhere ({status}), which is not followed, because the token would "
                "go along: set VAULT_ADDR to the address that answers itself."
            )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise Unavailable(f"Vault at {addr} cannot answer now ({status}): see whether it is sealed or overloaded.")
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Unavailable(f"What answers at {addr} is not Vault ({status}, no JSON object): check VAULT_ADDR.")
        return _Answer(status, body)


def _fetched(answer: _Answer, source: str) -> Fetched:
    """Return what a read found; raise ``Refused`` where nothing usable is stored."""
    stored = answer.body.get("data")
    stored = stored if isinstance(stored, dict) else {}
    values, metadata = stored.get("data"), stored.get("metadata")
    if answer.status == HTTPStatus.NOT_FOUND and metadata:
        raise Refused(f"The newest version of {source} is deleted: undelete it or write the keys again.")
    if answer.status == HTTPStatus.NOT_FOUND:
        raise Refused(f"There is nothing at {source}: write the keys there, or correct the path or VAULT_NAMESPACE.")
    if answer.status != HTTPStatus.OK:
        raise Refused(f"Reading {source} was refused ({answer.status}): correct the path or VAULT_NAMESPACE.")
    if not isinstance(values, dict) or not isinstance(metadata, dict):
        raise Refused(f"What is stored at {source} is not a KV version 2 secret: use a mount of version 2.")
    return Fetched(values=values, source=source, version=str(metadata.get("version", "")) or None)


def _check_addr(addr: str) -> None:
    url = _ADDR.fullmatch(addr)
    if not url:
        raise KeyUnavailable("VAULT_ADDR is not an address such as https://vault.example:8200: set it to one.")
    if url["scheme"] == "http" and url["host"] not in {"localhost", "127.0.0.1", "[::1]"}:
        logger.warning("VAULT_ADDR is plain http, so that live keys cross the network unencrypted: use https.")


def _identity(environ: Mapping[str, str]) -> Secret | Path | AppRole:
    names = ("VAULT_TOKEN", "VAULT_TOKEN_FILE", "VAULT_ROLE_ID", "VAULT_SECRET_ID")
    token, token_file, role_id, secret_id = (environ.get(name, "") for name in names)
    found = [name for name, value in zip(names, (token, token_file, role_id), strict=False) if value]
    wanted = "set one of VAULT_TOKEN, VAULT_TOKEN_FILE, or VAULT_ROLE_ID with VAULT_SECRET_ID."
    if len(found) != 1:
        raise KeyUnavailable(f"VAULT_ADDR is set with {' and '.join(found) or 'no way to log in'}: {wanted}")
    if bool(role_id) != bool(secret_id):
        raise KeyUnavailable(f"VAULT_ROLE_ID and VAULT_SECRET_ID belong together, and only one is set: {wanted}")
    if role_id:
        return AppRole(role_id, Secret(secret_id))
    if token_file:
        return Path(token_file)
    if not _HEADER_VALUE.fullmatch(token):
        raise KeyUnavailable("VAULT_TOKEN holds a space or a line break: set the token alone.")
    return Secret(token)


def _token_in(file: Path) -> Secret:
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"VAULT_TOKEN_FILE, {file}, cannot be read ({type(error).__name__}).") from None
    if not _HEADER_VALUE.fullmatch(token):
        raise Unavailable(f"VAULT_TOKEN_FILE, {file}, does not hold a token: write the token alone into it.")
    return Secret(token)
