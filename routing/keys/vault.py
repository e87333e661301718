"""Reads keys from Vault through hvac: how to log in, and what each response means."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import hvac  # noqa: TID251 (the one module that calls Vault)
import requests

from routing.keys.secret import Secret
from routing.keys.source import Fetched, Refused, Unavailable
from routing.keys.vault_settings import AppRole, Kubernetes, TokenFile, VaultSettings
from routing.tracebacks import without_inner_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from routing.keys.source import KeyRef

TIMEOUT_SECONDS = (0.5, 1)  # to connect, then to read: charges may be waiting for the first answer
DENIAL_CACHED_SECONDS = 300  # how long no new login is tried for a path that a fresh token was denied

_NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
_PATH = re.compile(rf"{_NAME}(/{_NAME})*/data(/{_NAME})+")
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: dict[str, Any] = field(repr=False)


class VaultSource:
    """Reads KV version 2. A token is used until it is denied; then the router logs in again and retries once.

    The token is neither looked up nor renewed: a look-up before every read is a known way to overload Vault, and
    renewal ends at the token's maximum TTL, so that a fresh login is needed in any case.
    """

    def __init__(self, settings: VaultSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Secret | None = None
        self._denied_at: dict[str, float] = {}
        self._failure: Unavailable | None = None

    @without_inner_frames
    def fetch(self, ref: KeyRef) -> Fetched:
        if not _PATH.fullmatch(ref.path):
            raise Refused(
                f"'{ref.path}' is not a path of KV version 2: use the mount, then data, then the secret, for example "
                "secret/data/stripe/stripe."
            )
        return _parse_secret(self._read(ref.path), f"Vault {ref.path}")

    def _read(self, path: str) -> _Response:
        cached = self._token
        response = self._call("get", path, cached or self._log_in(renew=None))
        if response.status in _DENIED and cached and self._may_have_expired(path):
            response = self._call("get", path, self._log_in(renew=cached))
            cached = None
        if response.status in _DENIED:
            if cached is None:
                self._denied_at[path] = self._clock()
            raise Refused(f"Vault denies reading {path}: give the router's token or role a policy that allows it.")
        self._denied_at.pop(path, None)
        return response

    def _may_have_expired(self, path: str) -> bool:
        """Whether the denial can mean that the token expired: not where a fresh token was just denied as well.

        Denials are kept by path, not by token: otherwise each denied path would cause a login for the others.
        """
        match self._settings.identity:
            case Secret():
                return False
            case TokenFile():
                return True
            case AppRole() | Kubernetes():
                return self._clock() - self._denied_at.get(path, float("-inf")) > DENIAL_CACHED_SECONDS

    def _log_in(self, *, renew: Secret | None) -> Secret:
        known = self._failure
        with self._lock:
            if self._failure is not known:  # the login that this thread waited for failed, so its own would too
                raise Unavailable(str(self._failure))
            if self._token is None or self._token is renew:  # otherwise another thread has just logged in
                self._token = self._new_token()
            return self._token

    def _new_token(self) -> Secret:
        match self._settings.identity:
            case Secret() as token:
                return token
            case TokenFile() as file:
                return file.token()
            case AppRole() | Kubernetes() as role:
                try:
                    return self._token_for(role)
                except Unavailable as failure:
                    self._failure = failure
                    raise

    def _token_for(self, role: AppRole | Kubernetes) -> Secret:
        response = self._call("post", f"auth/{role.mount}/login", None, json=role.credentials())
        token = (response.body.get("auth") or {}).get("client_token")
        if response.status != HTTPStatus.OK or not token:
            where = f"{self._settings.addr}, auth/{role.mount}"
            raise Refused(f"Vault at {where}, rejects the login ({response.status}): {role.remedy}.")
        return Secret(token)

    def _call(self, method: str, path: str, token: Secret | None, **body: Any) -> _Response:
        """Send one request and return Vault's response; whatever is no response of Vault's raises ``Unavailable``."""
        session = requests.Session()
        session.trust_env = False  # else a proxy, or a password of ~/.netrc, that the environment names
        session.verify = self._settings.cacert or True
        adapter = hvac.Client(
            url=self._settings.addr,
            token=token.reveal() if token else "",  # with None, hvac would use VAULT_TOKEN or ~/.vault-token
            namespace=self._settings.namespace or None,
            session=session,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,  # the token would be sent to the redirect's target
            adapter=hvac.adapters.RawAdapter,  # the default one returns sometimes a response and sometimes its JSON
        ).adapter
        try:
            return self._parse_response(adapter.request(method, f"/v1/{path}", raise_exception=False, **body))
        except OSError as error:  # all errors of requests are
            raise Unavailable(f"Vault at {self._settings.addr} cannot be reached ({type(error).__name__}).") from error
        finally:
            adapter.close()

    def _parse_response(self, response: requests.Response) -> _Response:
        status, addr = response.status_code, self._settings.addr
        if response.is_redirect:
            raise Unavailable(
                f"The server at {addr} redirects elsewhere ({status}), which is not followed, because the token would "
                "be sent along: set VAULT_ADDR to Vault's own address."
            )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise Unavailable(f"Vault at {addr} is not available ({status}): check whether it is sealed or overloaded.")
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Unavailable(f"The server at {addr} is not Vault ({status}, no JSON object): check VAULT_ADDR.")
        return _Response(status, body)


def _parse_secret(response: _Response, source: str) -> Fetched:
    """Return what a read found; raise ``Refused`` where nothing usable is stored."""
    stored = response.body.get("data")
    stored = stored if isinstance(stored, dict) else {}
    values, metadata = stored.get("data"), stored.get("metadata")
    if response.status == HTTPStatus.NOT_FOUND and metadata:
        raise Refused(f"The newest version of {source} is deleted: undelete it or write the keys again.")
    if response.status == HTTPStatus.NOT_FOUND:
        raise Refused(f"There is no secret at {source}: write the keys there, or correct the path or VAULT_NAMESPACE.")
    if response.status != HTTPStatus.OK:
        raise Refused(f"Vault refuses to read {source} ({response.status}): correct the path or VAULT_NAMESPACE.")
    if not isinstance(values, dict) or not isinstance(metadata, dict):
        raise Refused(f"The secret at {source} is not of KV version 2: use a mount of version 2.")
    return Fetched(values=values, source=source, version=str(metadata.get("version", "")) or None)
