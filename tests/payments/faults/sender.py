"""Waits for orders and forks a sender for each, which can be stopped or killed at the step that the order names.

Orders are lines of JSON on standard input; each sender's pid goes to standard output. A sender writes to the order's
own file when it stops, and what the bot is told. One that has ended stays a zombie until an empty line comes, so that
no other process gets its pid while a test may still kill it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from collections.abc import Callable

_NOBODY = "http://127.0.0.1:9"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_router.settings")
    django.setup()
    from routing.payments.operations import charges, refunds, subscriptions  # noqa: F401 (once, and not in each fork)
    from routing.payments.settlement import recovery  # noqa: F401 (once, and not in each fork)

    for line in sys.stdin:
        if not line.strip():
            _reap()
            continue
        pid = os.fork()
        if pid == 0:
            _follow(json.loads(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _reap() -> None:
    with suppress(ChildProcessError):  # there is none left
        while True:
            os.wait()


def _follow(order: dict[str, Any]) -> None:
    """Do what is ordered, say what came of it, and end without the exit handlers of the process that was forked."""
    says = Path(order["says"])
    try:
        _prepare(order, says)
        told = _told(order)
        if order["stop"] == "before answering":
            _stop(says)
        _say(says, told)
    except BaseException as error:  # noqa: BLE001 (nothing may run on after the fork)
        _say(says, {"error": type(error).__name__, "message": str(error), "money_may_have_moved": True})
    finally:
        os._exit(0)


def _prepare(order: dict[str, Any], says: Path) -> None:
    from django.conf import settings

    from routing.payments.ledger import statements
    from routing.payments.stripe_api import gateway, sdk

    os.environ.update(order["environment"])
    settings.STRIPE_API_BASE = order["stripe"]
    sdk.RESPONSE_SECONDS = order["answer_seconds"]
    if order["lease_seconds"]:
        statements.SECONDS_TO_BEGIN_A_CALL = statements.MAX_CALL_SECONDS = order["lease_seconds"]
    # What neither the sandbox nor the database can hold up is stopped here: between two steps of the sender.
    method, path = order["at"].split()
    name = method.lower()
    setattr(gateway, name, _struck(getattr(gateway, name), path, order, says))
    if order["stop"] == "before settling":
        statements.settle = _stopping_before(statements.settle, says)
    if order["stop"] == "held":
        statements.reserve, statements.claim = (
            _stopping_after(step, says) for step in (statements.reserve, statements.claim)
        )


def _stopping_before(step: Callable[..., Any], says: Path) -> Callable[..., Any]:
    def stopping(*args: Any, **named: Any) -> Any:
        _stop(says)
        return step(*args, **named)

    return stopping


def _stopping_after(step: Callable[..., Any], says: Path) -> Callable[..., Any]:
    def stopping(*args: Any, **named: Any) -> Any:
        returned = step(*args, **named)
        if returned:
            _stop(says)
        return returned

    return stopping


def _struck(call: Callable[..., Any], pattern: str, order: dict[str, Any], says: Path) -> Callable[..., Any]:
    """Stop before or after the first call of the path that the order names, or let nobody listen where it goes."""
    from django.conf import settings

    matching = count()

    def struck(keys: Any, path: str, *args: Any, **named: Any) -> Any:
        is_the_one = fnmatchcase(path, pattern) and next(matching) == 0
        if is_the_one and order["stop"] == "before the call":
            _stop(says)
        settings.STRIPE_API_BASE = _NOBODY if is_the_one and order["is_refused"] else order["stripe"]
        answer = call(keys, path, *args, **named)
        settings.STRIPE_API_BASE = order["stripe"]
        if is_the_one and order["stop"] == "after the call":
            _stop(says)
        return answer

    return struck


def _told(order: dict[str, Any]) -> dict[str, Any]:
    """Return what the bot is told: the payment, or the error."""
    from routing.errors import BillingError
    from routing.payments.settlement import recovery
    from tests.payments.faults.flows import ask

    if order["flow"] == "recover":
        return {"status": "recovered", "count": recovery.settle_open()}
    try:
        payment = ask(order["flow"], order["key"], order["words"]).payment
    except BillingError as error:
        return {"error": error.code, "message": str(error), "money_may_have_moved": error.money_may_have_moved}
    return {"status": str(payment.status), "id": str(payment.id)}


def _stop(says: Path) -> None:
    _say(says, {"stopped": True})
    os.kill(os.getpid(), signal.SIGSTOP)


def _say(says: Path, what: dict[str, Any]) -> None:
    with says.open("a") as file:
        file.write(json.dumps(what) + "\n")


if __name__ == "__main__":
    main()
