"""Forks a sender for each command, which stops at the step that the command names, to be killed or resumed there.

Commands are lines of JSON on standard input; the pid of each sender goes to standard output. A sender writes to the
command's output file, in lines of JSON, that it has stopped, and the response to the bot. One that has ended stays a
zombie until an empty line comes, so that no other process gets its pid while a test may still kill it.
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

_NOTHING_LISTENS = "http://127.0.0.1:9"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_router.settings")
    django.setup()
    from routing.payments.settlement import recovery  # noqa: F401 (once, and not in each fork)
    from tests.payments.faults import flows  # noqa: F401 (once, and not in each fork)

    for line in sys.stdin:
        if not line.strip():
            _reap()
            continue
        pid = os.fork()
        if pid == 0:
            _execute(json.loads(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _reap() -> None:
    with suppress(ChildProcessError):  # there is none left
        while True:
            os.wait()


def _execute(command: dict[str, Any]) -> None:
    """Execute the command, write its response, and exit without the handlers of the process that was forked."""
    output = Path(command["output"])
    try:
        _prepare(command, output)
        response = _respond(command)
        if command["stop"] == "before responding":
            _stop(output)
        _write(output, response)
    except BaseException as error:  # noqa: BLE001 (a forked process must end here)
        _write(output, {"error": type(error).__name__, "message": str(error), "money_may_have_moved": True})
    finally:
        os._exit(0)


def _prepare(command: dict[str, Any], output: Path) -> None:
    from django.conf import settings

    from routing.payments.ledger import statements
    from routing.payments.stripe_api import gateway, sdk
    from routing.registry import snapshot

    os.environ.update(command["environment"])
    settings.STRIPE_API_BASE = command["stripe"]
    sdk.RESPONSE_SECONDS = command["response_seconds"]
    snapshot.CHECK_SECONDS = command["check_seconds"]
    if command["lease_seconds"]:
        statements.SECONDS_TO_BEGIN_A_CALL = statements.MAX_CALL_SECONDS = command["lease_seconds"]
    # Between two steps of the sender neither the sandbox nor the database can make it wait, so it stops itself.
    method, path = command["at"].split()
    name = method.lower()
    setattr(gateway, name, _stopping_at_call(getattr(gateway, name), path, command, output))
    if command["stop"] == "before settling":
        statements.settle = _stopping_before(statements.settle, output)
    if command["stop"] == "leased":
        statements.reserve, statements.claim = (
            _stopping_after(step, output) for step in (statements.reserve, statements.claim)
        )


def _stopping_before(step: Callable[..., Any], output: Path) -> Callable[..., Any]:
    def stopping(*args: Any, **named: Any) -> Any:
        _stop(output)
        return step(*args, **named)

    return stopping


def _stopping_after(step: Callable[..., Any], output: Path) -> Callable[..., Any]:
    def stopping(*args: Any, **named: Any) -> Any:
        returned = step(*args, **named)
        if returned:
            _stop(output)
        return returned

    return stopping


def _stopping_at_call(
    call: Callable[..., Any], pattern: str, command: dict[str, Any], output: Path
) -> Callable[..., Any]:
    """Stop before or after the first call of the path that the command names, or have its connection refused."""
    from django.conf import settings

    matching = count()

    def stopping(keys: Any, path: str, *args: Any, **named: Any) -> Any:
        is_named = fnmatchcase(path, pattern) and next(matching) == 0
        if is_named and command["stop"] == "before the call":
            _stop(output)
        settings.STRIPE_API_BASE = (
            _NOTHING_LISTENS if is_named and command["is_connection_refused"] else command["stripe"]
        )
        response = call(keys, path, *args, **named)
        settings.STRIPE_API_BASE = command["stripe"]
        if is_named and command["stop"] == "after the call":
            _stop(output)
        return response

    return stopping


def _respond(command: dict[str, Any]) -> dict[str, Any]:
    """Send the request of the command; return the response to the bot: the payment, or the error."""
    from routing.errors import BillingError
    from routing.payments.settlement import recovery
    from tests.payments.faults.flows import execute

    if command["flow"] == "recover":
        return {"status": "recovered", "count": recovery.settle_open()}
    try:
        payment = execute(command["flow"], command["key"], command["fields"]).payment
    except BillingError as error:
        return {"error": error.code, "message": str(error), "money_may_have_moved": error.money_may_have_moved}
    return {"status": str(payment.status), "id": str(payment.id)}


def _stop(output: Path) -> None:
    _write(output, {"stopped": True})
    os.kill(os.getpid(), signal.SIGSTOP)


def _write(output: Path, message: dict[str, Any]) -> None:
    with output.open("a") as file:
        file.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    main()
