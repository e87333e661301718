"""Vault, asked through hvac: which login, which answer means what."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import hvac  # noqa: TID251 (this is the module that speaks to Vault)

from routing.keys.secret import Secret
from routing.keys.source import Fetched, Refused, Unavailable
from routing.keys.vault_settings import AppRole, Kubernetes, TokenFile, VaultSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from routing.keys.source import KeyRef

TIMEOUT_SECONDS = (0.5, 1)  # to connect, then to read: charges may be waiting for the first answer
DENIAL_REMEMBERED_SECONDS = 300  # for so long, a path that a fresh login was denied brings about no other login

_NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
_PATH = re.compile(rf"{_NAME}(/{_NAME})*/data(/{_NAME})+")
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


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
        self._token: Secret | None = None
        self._denied_at: dict[str, float] = {}
        self._failure: Unavailable | None = None

    def fetch(self, ref: KeyRef) -> Fetched:
        if not _PATH.fullmatch(ref.path):
            raise Refused(
                f"'{ref.path}' is not a path in KV version 2: name the mount, then data, then the secret, as in "
                "secret/data/stripe/stripe."
            )
        return _fetched(self._read(ref.path), f"Vault {ref.path}")

    def _read(self, path: str) -> _Answer:
        held = self._token
        answer = self._call("get", path, held or self._log_in(renew=None))
        if answer.status in _DENIED and held and self._may_have_expired(path):
            answer = self._call("get", path, self._log_in(renew=held))
            held = None
        if answer.status in _DENIED:
            if held is None:
                self._denied_at[path] = self._clock()
            raise Refused(f"Vault denies reading {path}: give the router's token or role a policy that allows it.")
        self._denied_at.pop(path, None)
        return answer

    def _may_have_expired(self, path: str) -> bool:
        """Whether a denial can be the token's end, and not the policy's word that a fresh login has heard already.

        Remembered by path and not by login: paths that are denied would otherwise make each other log in.
        """
        match self._settings.identity:
            case Secret():
                return False
            case TokenFile():
                return True
            case AppRole() | Kubernetes():
                return self._clock() - self._denied_at.get(path, float("-inf")) > DENIAL_REMEMBERED_SECONDS

    def _log_in(self, *, renew: Secret | None) -> Secret:
        known = self._failure
        with self._lock:
            if self._failure is not known:  # the login that this thread waited for has failed for it too
                raise Unavailable(str(self._failure))
            if self._token is None or self._token is renew:  # else another thread has just logged in
                self._token = self._new_token()
            return self._token

    def _new_token(self) -> Secret:
        match self._settings.identity:
            case Secret() as token:
                return token
            case TokenFile() as written:
                return written.token()
            case AppRole() | Kubernetes() as role:
                try:
                    return self._token_for(role)
                except Unavailable as failure:
                    self._failure = failure
                    raise

    def _token_for(self, role: AppRole | Kubernetes) -> Secret:
        answer = self._call("post", f"auth/{role.mount}/login", None, json=role.credentials())
        token = (answer.body.get("auth") or {}).get("client_token")
        if answer.status != HTTPStatus.OK or not token:
            where = f"{self._settings.addr}, auth/{role.mount}"
            raise Refused(f"Vault at {where}, refuses the login ({answer.status}): {role.remedy}.")
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
