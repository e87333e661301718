"""Where the clients find the router, what they keep to themselves, and the processes and threads that share them."""

import asyncio
import inspect
import logging
import os
import pickle
import subprocess
import sys
import threading
import traceback
import typing

import pytest

import stripe_billing_router
from stripe_billing_router import AsyncClient, BillingError, Client, Payment, charge, create_customer, get_balance
from stripe_billing_router.errors import KeyNotAllowed, RouterUnavailable

BOT = "finance:finance_router_bot"


def test_importing_needs_no_configuration_and_nothing_of_the_server():
    program = "import sys, stripe_billing_router; print(*sorted({name.split('.')[0] for name in sys.modules}))"

    run = subprocess.run([sys.executable, "-c", program], env={}, capture_output=True, text=True, check=True)

    assert not {"django", "stripe", "routing", "billing_router", "httpx"} & set(run.stdout.split())


@pytest.mark.parametrize("missing", ["BILLING_ROUTER_URL", "BILLING_ROUTER_TOKEN"])
def test_a_missing_setting_is_named_at_the_first_call(configured, monkeypatch, missing):
    monkeypatch.delenv(missing)

    with pytest.raises(RuntimeError, match=rf"^{missing} is not set: set it to "):
        charge(BOT, amount=10.0)

    assert configured.received == []


@pytest.mark.parametrize(
    "url",
    ["billing.example.org", "ftp://e.org", "https://", "https://user:word@e.org", "https://e.org?a=b", "http://e:f"],
)
def test_an_invalid_url_is_refused_without_repeating_it(url, token):
    with pytest.raises(BillingError, match=r"^BILLING_ROUTER_URL is not a valid URL") as refused:
        Client(url, token).get_balance(BOT)

    assert "word" not in str(refused.value)


@pytest.mark.parametrize("tail", ["", "/", "/api/v1", "/api/v1/"])
def test_the_address_may_end_with_the_api(router, token, tail):
    router.says(200, {"available": [], "pending": []})

    Client(router.url + tail, token).get_balance(BOT)

    assert router.received[0].path.startswith("/api/v1/balance?")


def test_a_stripe_key_is_no_token(router):
    key = "sk_live_" + os.urandom(16).hex()

    with pytest.raises(KeyNotAllowed) as refused:
        Client(router.url, key).get_balance(BOT)

    assert key not in str(refused.value)
    assert router.received == []


def test_a_token_with_a_line_break_cannot_smuggle_a_header(router):
    with pytest.raises(BillingError, match=r"^BILLING_ROUTER_TOKEN contains characters"):
        Client(router.url, "a\r\nX-Other: 1").get_balance(BOT)


@pytest.mark.parametrize("bounds", [{"timeout": 0}, {"timeout": -1}, {"wait": -1}])
def test_bounds_are_times(bounds):
    with pytest.raises(ValueError, match="seconds"):
        Client(**bounds)


def test_the_token_is_in_no_log_error_repr_or_pickle(router, token, caplog):
    caplog.set_level(logging.DEBUG)
    client = Client(router.url, token, wait=0.2)
    router.drops()

    with pytest.raises(BillingError) as failure:
        client.charge(BOT, 10)

    told = "".join(traceback.format_exception(failure.value)) + repr(failure.value.context) + caplog.text
    assert "127.0.0.1" in caplog.text  # the HTTP library did log
    assert token not in told + repr(client) + repr(client._connections)
    with pytest.raises(TypeError, match="holds a token"):
        pickle.dumps(client)


def test_the_functions_of_the_package_share_one_client(configured, payment):
    configured.says(201, payment())

    charge(BOT, amount=10.0)
    charge(BOT, 12.5)
    charge(BOT, price_id="price_finance_standard")
    charge(BOT, overrides={"business": "enterprise"})
    create_customer(BOT, email="bot@example.com", name="Bot")

    assert len({request.connection for request in configured.received}) == 1
    assert [request.body.get("amount") for request in configured.received] == ["10.0", "12.5", None, None, None]


def _leave_after(work):
    """End a forked test process with 0 only if its work succeeds, and never let it run on in pytest."""
    try:
        work()
    except BaseException:  # noqa: BLE001 (whatever it is, the parent sees 1)
        os._exit(1)
    os._exit(0)


def test_a_forked_process_opens_its_own_connection(configured):
    configured.says(200, {"available": [], "pending": []})
    get_balance(BOT)

    child = os.fork()
    if child == 0:
        _leave_after(lambda: get_balance(BOT))
    _, status = os.waitpid(child, 0)
    get_balance(BOT)

    assert status == 0
    first, second, third = (request.connection for request in configured.received)
    assert second != first
    assert third == first


def test_one_client_serves_many_threads(router, token, payment):
    router.says(201, payment(), delay=0.05)
    client = Client(router.url, token)
    paid = []

    threads = [threading.Thread(target=lambda: paid.append(client.charge(BOT, 10))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert paid == [payment()] * 16
    assert len({request.headers["Idempotency-Key"] for request in router.received}) == 16


def test_one_asynchronous_client_serves_one_event_loop_after_another(router, token, payment):
    router.says(201, payment())
    client = AsyncClient(router.url, token)

    async def twice():
        return await asyncio.gather(client.charge(BOT, 10), client.charge(BOT, 10))

    assert asyncio.run(twice()) + asyncio.run(twice()) == [payment()] * 4


def test_an_asynchronous_client_is_closed_after_its_event_loop_has_ended(router, token, payment):
    router.says(201, payment())
    client = AsyncClient(router.url, token)
    asyncio.run(client.charge(BOT, 10))

    asyncio.run(client.close())
    assert asyncio.run(client.charge(BOT, 10)) == payment()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://someone:secret@127.0.0.1:7890"),
        ("HTTPS_PROXY", "proxy://127.0.0.1:3128"),
        ("HTTPS_PROXY", "http://proxy.example:port"),
        ("SSL_CERT_FILE", "/nowhere/none.pem"),
        ("SSL_CERT_FILE", "/dev/null"),
        ("SSLKEYLOGFILE", "/nowhere/keys"),
    ],
)
def test_a_setting_of_this_machine_that_lets_no_connection_be_made_is_named(monkeypatch, token, name, value):
    monkeypatch.setenv(name, value)
    client = Client("https://router.example", token, timeout=0.2, wait=0)

    with pytest.raises(RouterUnavailable, match=name) as refused:
        client.get_balance(BOT)

    assert "secret" not in str(refused.value)
    assert "Nothing was sent." in str(refused.value)


def test_a_closed_client_opens_again(router, token):
    router.says(200, {"available": [], "pending": []})
    client = Client(router.url, token)
    client.get_balance(BOT)
    client.close()

    client.get_balance(BOT)

    assert len({request.connection for request in router.received}) == 2


def test_both_clients_have_the_same_calls_with_their_parameters_and_docstrings():
    for name in ("charge", "refund", "create_customer", "get_balance", "list_routes", "register_override"):
        blocking, asynchronous = getattr(Client, name), getattr(AsyncClient, name)

        assert inspect.signature(blocking) == inspect.signature(asynchronous)
        assert blocking.__doc__ == asynchronous.__doc__
        assert inspect.iscoroutinefunction(asynchronous)

    assert list(inspect.signature(charge).parameters)[:2] == ["bot", "amount"]
    assert typing.get_type_hints(charge)["return"] is Payment
    public = {name for name in vars(Client) if not name.startswith("_")}
    assert public == {name for name in vars(AsyncClient) if not name.startswith("_")}
    assert public - {"close", "list_routes"} <= set(stripe_billing_router.__all__)
