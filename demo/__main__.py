"""The whole router on one machine: database, sandbox Stripe, server, a charge, and the admin left open.

Everything listens on loopback and ends with this process.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import secrets
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import django

from billing_router.database import EMBEDDED, running_database
from billing_router.embedded_postgres import EmbeddedPostgresError
from demo.charge import BOT, charge_once
from demo.output import say
from demo.server import PORT, free_port, running_server
from sandbox.control import Control
from sandbox.running import running_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAFF = "finance"


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell started it in the background
    os.environ |= {
        "BILLING_ROUTER_ENV": "sandbox",
        "DJANGO_SETTINGS_MODULE": "billing_router.settings",
        "STRIPE_SECRET_KEY": "rk_live_" + secrets.token_hex(16),
        "STRIPE_PUBLIC_KEY": "pk_live_" + secrets.token_hex(16),
    }
    var = EMBEDDED.parent
    try:
        with (
            _alone(var / "demo.lock"),
            running_database() as embedded,
            running_sandbox(state=var / "sandbox-stripe.journal") as stripe,
        ):
            os.environ["STRIPE_API_BASE"] = stripe
            if embedded is not None:
                os.environ["DATABASE_URL"] = embedded.url
            return _run(options, Control(stripe))
    except EmbeddedPostgresError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="stop after the charge; fail if anything was wrong")
    parser.add_argument("--port", type=int, help=f"where the server listens (default {PORT}, or a free one)")
    return parser.parse_args()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Refuse to run beside another demo of the same checkout: they would share one sandbox Stripe's state."""
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("A demo of this checkout is running already. Stop it first, with Ctrl-C.") from None
        yield


def _run(options: argparse.Namespace, stripe: Control) -> int:
    """Return the exit code: 0 where the ledger and Stripe agree about the charge."""
    django.setup()
    from demo import access, registry  # noqa: PLC0415 (needs Django)
    from routing.payments.reconciliation.runs import Side, reconcile  # noqa: PLC0415 (needs Django)

    say("Setting up the database and importing the routes")
    registry.import_routes()
    registry.seed(stripe)
    reconcile(Side.PAYMENTS)  # the last demo may have been days ago, after which no charge is made without
    token, password = access.issue_token(), access.set_password(STAFF)
    port = options.port or free_port()
    say(f"Starting the server on port {port}")
    with running_server(port) as address:
        is_right = charge_once(address, token, stripe)
        if not options.exit:
            _leave_open(address, stripe.address, token, password)
    return 0 if is_right else 1


def _leave_open(address: str, stripe: str, token: str, password: str) -> None:
    print(
        f"""
  The admin        {address}/admin/   user {STAFF}, password {password}
  The API          {address}/api/docs
  Sandbox Stripe   {stripe}

  Charge from another terminal:
    export BILLING_ROUTER_URL={address} BILLING_ROUTER_TOKEN={token}
    .venv/bin/python -c 'from stripe_billing_router import charge; print(charge("{BOT}", amount="19.99"))'

  This is a sandbox: no real money moves. Ctrl-C stops everything.
""",
        flush=True,
    )
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
