"""Stripe's API as a whole: from a request to the answer that Stripe would give, or the fault that was ordered."""

from __future__ import annotations

import json
import sys
import time
import traceback
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from sandbox import contract, forms, idempotency, keys, permissions, table
from sandbox.endpoints import Call, Endpoint
from sandbox.errors import StripeError, invalid
from sandbox.expand import expanded
from sandbox.http import Answer, Request
from sandbox.objects import new_id, public
from sandbox.request_log import LoggedRequest, RequestLog
from sandbox.store import StoredAnswer
from sandbox.wheel import API_VERSION
from sandbox.work import Work

if TYPE_CHECKING:
    from sandbox.faults import Fault, Faults
    from sandbox.store import Account, Key, Store
    from sandbox.webhooks import Webhooks

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request understood: whose, what, and with which parameters as they were sent."""

    account: Account
    opened_by: Key
    call: tuple[str, str]
    endpoint: Endpoint
    path: str
    ids: tuple[str, ...]
    params: dict[str, Any]
    key: str | None
    request_id: str

    @property
    def fingerprint(self) -> str:
        return idempotency.fingerprint(self.call[0], self.path, self.params)


class Api:
    def __init__(self, store: Store, faults: Faults, webhooks: Webhooks, log: RequestLog) -> None:
        self._store = store
        self._faults = faults
        self._webhooks = webhooks
        self._log = log
        self._idempotency = idempotency.Idempotency(store)

    def answer(self, request: Request) -> Answer:
        key = request.headers.get("idempotency-key") or None
        version = request.headers.get("stripe-version")
        fault = self._faults.next(request.method, request.path)
        logged = LoggedRequest(new_id("req"), time.time(), request.method, request.path, key, version)
        logged.fault = fault.kind if fault else None
        self._log.add(logged)
        answer = self._faulty(request, logged, fault) if fault else self._plain(request, logged, None)
        logged.status = 0 if answer.delivery == "reset" else answer.status
        return answer

    def _faulty(self, request: Request, logged: LoggedRequest, fault: Fault) -> Answer:
        if fault.kind == "late":
            time.sleep(fault.seconds)
        if fault.kind == "reset_before":
            return Answer(0, b"", delivery="reset")
        if fault.comes_before:
            return _error_answer(_ordered(fault), logged, fault.headers)
        return _spoiled(self._plain(request, logged, fault), fault)

    def _plain(self, request: Request, logged: LoggedRequest, fault: Fault | None) -> Answer:
        try:
            asked = self._understand(request, logged)
            with self._idempotency.claimed(asked.account, asked.key, asked.fingerprint) as stored:
                logged.replayed = stored is not None
                answer = stored or self._carried_out(asked, fault)
        except StripeError as error:
            return _error_answer(error, logged, {})
        except Exception:  # noqa: BLE001 (a fault of the sandbox's own is answered as Stripe answers its own)
            traceback.print_exc(file=sys.stderr)
            return _error_answer(StripeError(500, "api_error", "The sandbox failed; see its output."), logged, {})
        return _stored_answer(answer, logged)

    def _understand(self, request: Request, logged: LoggedRequest) -> _Asked:
        known = keys.admit(self._store, request.headers, request.method, request.path)
        logged.account = known.account
        _check_version(logged.stripe_version)
        call, found, ids = table.find(request.method, request.path)
        params = logged.params = forms.parse(_form(request))
        key = logged.idempotency_key if request.method == "POST" else None
        with self._store.lock:
            account = self._store.account(known.account)
        return _Asked(account, known, call, found, unquote(request.path), ids, params, key, logged.request_id)

    def _carried_out(self, asked: _Asked, fault: Fault | None) -> StoredAnswer:
        if fault and fault.kind == "latency":
            time.sleep(fault.seconds)
        params = contract.validated(asked.call, asked.params)
        asked.endpoint.check_taken(params)
        with self._store.lock:
            work = Work(asked.account, self._store.now(), asked.request_id, asked.key)
            status, body = _worked(work, asked, params, fault)
            stored = StoredAnswer(asked.fingerprint, status, body, asked.request_id, work.now)
            is_kept = fault is None or fault.kind != "status" or fault.is_stored
            self._store.keep(asked.account, work.changed(), asked.key if is_kept else None, stored)
        self._webhooks.send(asked.account, work.events)
        return stored


def _spoiled(answer: Answer, fault: Fault) -> Answer:
    """Return the answer as the fault lets it reach the client."""
    match fault.kind:
        case "reset_after":
            return replace(answer, delivery="reset")
        case "truncate":
            return replace(answer, delivery="truncated")
        case "slow_drip":
            return replace(answer, delivery="dripped", seconds=fault.seconds)
        case "not_json":
            return Answer(200, fault.body.encode(), "text/html")
        case "another_answer":
            return Answer(fault.status, fault.body.encode())
    return replace(answer, headers={**answer.headers, **fault.headers})


def _worked(work: Work, asked: _Asked, params: dict[str, Any], fault: Fault | None) -> tuple[int, str]:
    """Do the work and return status and body; leave nothing of it behind where the request is refused."""
    ordered = fault if fault and fault.kind == "status" else None
    if ordered and not ordered.effect:
        return ordered.status, json.dumps(_ordered(ordered).body())
    try:
        with work.all_or_nothing():
            found = asked.endpoint.answer(Call(work, params, asked.path, asked.ids))
            shown = expanded(work, found, params.get("expand", []), lambda kind: _check_read(asked.opened_by, kind))
            status, body = 200, json.dumps(public(shown))
    except StripeError as error:
        if not error.is_stored:
            raise
        status, body = error.status, json.dumps(error.body())
    return (ordered.status, json.dumps(_ordered(ordered).body())) if ordered else (status, body)


def _check_read(key: Key, kind: str) -> None:
    """Raise a 403 unless the key may read what is to be expanded."""
    keys.check(key, permissions.Need(permissions.named(kind), "read"))


def _ordered(fault: Fault) -> StripeError:
    kinds = {401: "invalid_request_error", 409: "idempotency_error", 429: "rate_limit_error"}
    usual = "api_error" if fault.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    kind = kinds.get(fault.status, usual)
    return StripeError(fault.status, kind, "This error was ordered through the sandbox's control.", code=fault.code)


def _check_version(version: str | None) -> None:
    if version not in (None, API_VERSION):
        raise invalid(f"Invalid Stripe API version: {version}. The sandbox speaks {API_VERSION} alone.")


def _form(request: Request) -> str:
    if request.method != "POST":
        return request.query
    if request.body and request.headers.get("content-type", "").partition(";")[0].strip() != _FORM:
        raise invalid(f"Invalid request: send the body as {_FORM}.")
    try:
        return request.body.decode("ascii")
    except UnicodeDecodeError as error:
        raise invalid("Invalid request: the body is not form-encoded.") from error


def _stored_answer(stored: StoredAnswer, logged: LoggedRequest) -> Answer:
    headers = _headers(logged)
    if logged.idempotency_key and logged.method == "POST":
        headers["Original-Request"] = stored.request_id
    if logged.replayed:
        headers["Idempotent-Replayed"] = "true"
    return Answer(stored.status, stored.body.encode(), headers=headers)


def _error_answer(error: StripeError, logged: LoggedRequest, more: dict[str, str]) -> Answer:
    return Answer(error.status, json.dumps(error.body()).encode(), headers={**_headers(logged), **more})


def _headers(logged: LoggedRequest) -> dict[str, str]:
    headers = {"Request-Id": logged.request_id, "Stripe-Version": API_VERSION}
    if logged.idempotency_key:
        headers["Idempotency-Key"] = "".join(each for each in logged.idempotency_key if each.isprintable())
    return headers
