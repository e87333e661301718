"""The whole router on one machine: database, look-alike Stripe, server, a charge, and the admin left open.

Everything listens on loopback and ends with this process.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sandbox.control import Control
from sandbox.running import running_sandbox

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ACCOUNT = "acct_1SandboxDemo"
BOT = "finance:finance_router_bot"
AMOUNT = "10.00"
STAFF = "finance"

_PORT = 8000
_START_SECONDS = 30
_UNIT_AMOUNT = 2500
"""What every price of the demo costs, in minor units."""


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
    from billing_router.database import EMBEDDED, running_database  # noqa: PLC0415 (reads the environment)

    room = EMBEDDED.parent
    try:
        with (
            _alone(room / "demo.lock"),
            running_database() as database,
            running_sandbox(state=room / "sandbox-stripe.journal") as stripe,
        ):
            os.environ["STRIPE_API_BASE"] = stripe
            if database is not None:
                os.environ["DATABASE_URL"] = database.url
            token, password = _set_up(Control(stripe))
            with _server(options.port or _free_port()) as address:
                is_right = _charge(address, token, Control(stripe))
                if not options.exit:
                    _leave_open(address, stripe, token, password)
                return 0 if is_right else 1
    except KeyboardInterrupt:
        return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="stop after the charge; fail if anything was wrong")
    parser.add_argument("--port", type=int, help=f"where the server listens (default {_PORT}, or a free one)")
    return parser.parse_args()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Refuse to run beside another demo of the same checkout: they would share one look-alike Stripe's memory."""
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("A demo of this checkout is running already. Stop it first, with Ctrl-C.") from None
        yield


def _free_port() -> int:
    for port in (_PORT, 0):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)) as found:
            return int(found.getsockname()[1])
    raise SystemExit("There is no free port on this machine.")


def _set_up(stripe: Control) -> tuple[str, str]:
    """Bring the database up to date, import the routes, let the sandbox know them; return a token and a password."""
    import django  # noqa: PLC0415 (its settings come from the environment above)
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    _say("Setting up the database and importing the routes")
    call_command("migrate", verbosity=0)
    call_command("import_routes")
    _seed(stripe)
    return _issue_token(), _staff_password()


def _seed(stripe: Control) -> None:
    """Give the sandbox's account the products, prices and customers that the routes name."""
    from routing.registry.models import Domain, Override, Route  # noqa: PLC0415 (needs Django)

    stripe.register_keys(ACCOUNT, os.environ["STRIPE_SECRET_KEY"])
    Domain.objects.filter(slug="stripe").exclude(account_id=ACCOUNT).update(account_id=ACCOUNT)
    routes = list(Route.objects.values("bot", "region", "product_id", "price_id", "customer_id", "currency"))
    for route in routes:
        _seed_rule(stripe, route)
    for rule in Override.objects.values("bot", "region", "product_id", "price_id", "customer_id", "currency"):
        base = next(r for r in routes if r["bot"] == rule["bot"] and rule["region"] in (None, r["region"]))
        _seed_rule(stripe, {**base, **{name: value for name, value in rule.items() if value is not None}})


def _seed_rule(stripe: Control, rule: Mapping[str, Any]) -> None:
    stripe.seed_product(ACCOUNT, rule["product_id"], name=rule["product_id"].removeprefix("prod_").replace("_", " "))
    stripe.seed_price(
        ACCOUNT, rule["price_id"], product=rule["product_id"], unit_amount=_UNIT_AMOUNT, currency=rule["currency"]
    )
    stripe.seed_customer(ACCOUNT, rule["customer_id"], card="visa", name="Demo customer")


def _issue_token() -> str:
    from django.db.models.functions import Now  # noqa: PLC0415 (needs Django)

    from routing.access import tokens  # noqa: PLC0415
    from routing.access.models import EVERY_BOT, BotToken, Scope  # noqa: PLC0415

    BotToken.objects.filter(name="demo", revoked_at=None).update(revoked_at=Now())
    return tokens.issue("demo", [EVERY_BOT], Scope.values)


def _staff_password() -> str:
    from django.contrib.auth.models import User  # noqa: PLC0415 (needs Django)

    password = secrets.token_urlsafe(9)
    staff, _ = User.objects.get_or_create(username=STAFF, defaults={"is_staff": True, "is_superuser": True})
    staff.set_password(password)
    staff.save()
    return password


@contextmanager
def _server(port: int) -> Iterator[str]:
    """Run ``manage.py serve`` as a child that ends with this process."""
    from billing_router.child import managed  # noqa: PLC0415 (reads the environment)

    _say(f"Starting the server on port {port}")
    with managed("serve", "--port", str(port)) as server:
        address = f"http://127.0.0.1:{port}"
        _wait_until_ready(address, server)
        yield address


def _wait_until_ready(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2):  # noqa: S310 (loopback)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(
        "The server did not become ready; its own lines above say why. Is the port free? Choose another: --port"
    )


def _charge(address: str, token: str, stripe: Control) -> bool:
    """Charge through the client; say whether the ledger and the look-alike Stripe agree to the last word."""
    from stripe_billing_router import BillingError, Client  # noqa: PLC0415 (what a bot imports)

    _say(f'charge("{BOT}", amount={AMOUNT})')
    try:
        with Client(address, token) as router:
            payment = router.charge(BOT, amount=AMOUNT)
            route = router.resolve(BOT)["route"]
    except BillingError as error:  # somebody paused it or capped it in an earlier demo, whose registry is kept
        _say(f"The charge was refused. {error}")
        return False
    _show("The ledger's row", payment)
    at_stripe = [
        intent
        for intent in stripe.objects(os.environ["STRIPE_SECRET_KEY"], "payment_intents")
        if intent["metadata"].get("payment_id") == payment["id"]
    ]
    for intent in at_stripe:
        shown = ("id", "amount", "currency", "customer", "status", "metadata")
        _show("The look-alike Stripe's own list", {name: intent[name] for name in shown})
    expected = {"amount": 1000, "currency": route["currency"], "customer": route["customer_id"], "status": "succeeded"}
    is_right = len(at_stripe) == 1 and at_stripe[0] == at_stripe[0] | expected and payment["status"] == "succeeded"
    _say(
        "Both agree: one charge, with the route's amount, currency and customer." if is_right else "They do NOT agree."
    )
    return is_right


def _leave_open(address: str, stripe: str, token: str, password: str) -> None:
    print(  # noqa: T201 (the demo speaks to a person)
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


def _say(line: str) -> None:
    print(f"== {line}", flush=True)  # noqa: T201 (the demo speaks to a person)


def _show(title: str, values: Mapping[str, Any]) -> None:
    _say(title)
    for name, value in values.items():
        print(f"   {name:<12} {value}", flush=True)  # noqa: T201 (the demo speaks to a person)


if __name__ == "__main__":
    sys.exit(main())
