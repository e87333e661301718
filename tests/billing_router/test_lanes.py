"""The running server under what would stop one that has a single set of threads."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from billing_router.environment import CHARGE_THREADS
from billing_router.lanes import lane_name, lanes
from routing import postgres
from routing.payments.ledger.models import Payment
from tests.billing_router.servers import eventually
from tests.bot_tokens import token_for_everything
from tests.payments.faults.served import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

BOT = "finance:finance_router_bot"
INTENTS = "/v1/payment_intents"
FAST = 1.0
"""Seconds in which what is not held up is answered, on a machine that is busy with tests."""


class Server:
    """A running server, called over connections of one's own."""

    def __init__(self, address: str, token: str) -> None:
        self.host, self.port = str(urlsplit(address).hostname), int(urlsplit(address).port or 0)
        self._token = token

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any] | str, float]:
        """Return the status, the body and the seconds that it took."""
        began = time.monotonic()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"} | named
        calling = http.client.HTTPConnection(self.host, self.port, timeout=60)
        calling.request(method, path, json.dumps(body) if body is not None else None, named)
        response = calling.getresponse()
        text = response.read().decode()
        calling.close()
        seconds = time.monotonic() - began
        return response.status, json.loads(text) if text.startswith("{") else text, seconds

    def charge(self, key: str, **headers: str) -> tuple[int, Any, float]:
        charge = {"bot": BOT, "amount": "1.00"}
        return self.call("POST", "/api/v1/charges", charge, Idempotency_Key=key, **headers)

    @contextmanager
    def half_a_charge(self, path: str = "/api/v1/charges") -> Iterator[socket.socket]:
        """Send the head of a charge and a part of its body."""
        with socket.create_connection((self.host, self.port), timeout=30) as sending:
            sending.sendall(self.head("Content-Length: 100", path=path) + b'{"bot": ')
            yield sending

    def head(self, *headers: str, path: str = "/api/v1/charges") -> bytes:
        named = ("Host: localhost", f"Authorization: Bearer {self._token}", "Content-Type: application/json", *headers)
        return "\r\n".join((f"POST {path} HTTP/1.1", *named, "", "")).encode()

    def exchange(self, *parts: bytes) -> bytes:
        """Send raw bytes and return what comes first in reply."""
        with socket.create_connection((self.host, self.port), timeout=30) as sending:
            for part in parts:
                sending.sendall(part)
                time.sleep(0.1)
            return sending.recv(65536)


@pytest.fixture
def server(bot, stripe, monkeypatch, tmp_path) -> Iterator[Server]:
    """Run the server with 8 charge threads, and so a queue of 16."""
    given = {name: value for name, value in postgres._parameters() if name in {"host", "port", "user", "dbname"}}
    monkeypatch.setenv("STRIPE_SECRET_KEY", stripe.key)
    with serving(
        " ".join(f"{name}='{value}'" for name, value in given.items()),
        stripe.control.address,
        tmp_path / "server.log",
        "--threads=8",
    ) as served:
        served.start()
        served.wait_until_ready()
        yield Server(served.address, token_for_everything())


@contextmanager
def charges_at_once(server: Server, count: int, **headers: str) -> Iterator[list[tuple[int, Any, float]]]:
    """Begin as many charges, give what came of those that are over, and wait for the rest."""
    over: list[tuple[int, Any, float]] = []
    threads = [
        threading.Thread(target=lambda number=number: over.append(server.charge(f"order-{number}", **headers)))
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    yield over
    for thread in threads:
        thread.join()


def charges_at_stripe(stripe) -> int:
    return len(stripe.requests("POST", INTENTS))


def assert_served_meanwhile(server: Server) -> None:
    """Assert that probes, a read, a page of the admin and a webhook are answered as ever."""
    server.call("GET", "/admin/login/")
    for method, path, status in (
        ("GET", "/healthz", 200),
        ("HEAD", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/api/v1/charges?limit=1", 200),
        ("GET", "/admin/login/", 200),
        ("POST", "/api/v1/webhooks/stripe/stripe", 503),  # it has no secret
        ("PUT", "/api/v1/routes", 400),
    ):
        answered, _, seconds = server.call(method, path, {} if method in {"POST", "PUT"} else None)
        assert (method, path, answered) == (method, path, status)
        assert seconds < FAST, (method, path, seconds)


def test_hanging_charges_and_unfinished_bodies_hold_up_nothing_else(server, stripe):
    stripe.control.fault("latency", method="POST", path=INTENTS, count=None, seconds=6)
    with ExitStack() as unfinished:
        for number in range(64):
            path = ("/api/v1/charges", "/admin/login/", "/api/v1/webhooks/stripe/stripe")[number % 3]
            unfinished.enter_context(server.half_a_charge(path))
        with charges_at_once(server, 40) as over:
            assert eventually(lambda: charges_at_stripe(stripe) == 8 and len(over) == 16)
            for _ in range(3):
                assert_served_meanwhile(server)
            refused = list(over)
            stripe.control.clear_faults()

    assert {(status, problem["code"]) for status, problem, _ in refused} == {(503, "overloaded")}
    assert [problem["money_may_have_moved"] for _, problem, _ in refused] == [False] * 16
    assert sorted(status for status, *_ in over) == [201] * 24 + [503] * 16
    assert Payment.objects.count() == charges_at_stripe(stripe) == 24


@pytest.mark.parametrize(
    ("table", "path"), [("django_session", "/admin/routing/route/"), ("routing_override", "/api/v1/overrides")]
)
def test_what_the_database_takes_long_over_holds_up_nothing_else(server, stripe, table, path):
    assert server.charge("before")[0] == 201
    slow = [
        threading.Thread(target=server.call, args=["GET", path], kwargs={"Cookie": "sessionid=a"}) for _ in "x" * 30
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        for thread in slow:
            thread.start()
        time.sleep(0.5)

        assert server.charge("order-1")[0] == 201
        for probe in ("/healthz", "/readyz"):
            status, _, seconds = server.call("GET", probe)
            assert status == 200
            assert seconds < FAST
    for thread in slow:
        thread.join()


def test_a_body_that_does_not_arrive_in_time_is_a_408(server):
    with server.half_a_charge() as sending:
        began = time.monotonic()
        response = sending.recv(65536)
        seconds = time.monotonic() - began

    assert response.startswith(b"HTTP/1.1 408 ")
    assert b'"code": "request_incomplete"' in response
    assert 9 < seconds < 15


@pytest.mark.parametrize(
    ("path", "length"),
    [("/api/v1/charges", 256 * 1024), ("/api/v1/webhooks/stripe/stripe", 1024 * 1024), ("/admin/login/", 1024 * 1024)],
)
def test_a_body_that_is_too_large_is_a_413(server, path, length):
    status, problem, _ = server.call("POST", path, "x" * (length + 1))

    assert status == 413
    sentence = problem if isinstance(problem, str) else problem["detail"]
    assert "Send less." in sentence


def test_a_chunked_body_is_read(server, stripe):
    body = json.dumps({"bot": BOT, "amount": "1.00"}).encode()
    head = server.head("Idempotency-Key: order-1", "Transfer-Encoding: chunked")
    chunks = [f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (body[:10], body[10:])]

    response = server.exchange(head, *chunks, b"0\r\n\r\n")

    assert response.startswith(b"HTTP/1.1 201 ")


def test_a_key_whose_name_has_an_underscore_is_refused(server, stripe):
    body = json.dumps({"bot": BOT, "amount": "1.00"}).encode()

    response = server.exchange(server.head("Idempotency_Key: order-1", f"Content-Length: {len(body)}") + body)

    assert response.startswith(b"HTTP/1.1 400 ")
    assert b"Idempotency-Key" in response


def test_probes_answer_to_any_host(server):
    for host in ("10.42.8.201:8000", "[fd00::17]:8000", "", "nothing of ours"):
        for path in ("/healthz", "/readyz"):
            response = server.exchange(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert response.startswith(b"HTTP/1.1 200 "), response


def test_a_charge_whose_caller_has_given_up_is_not_sent(server, stripe):
    stripe.control.fault("latency", method="POST", path=INTENTS, count=None, seconds=4)
    with charges_at_once(server, 8):
        assert eventually(lambda: charges_at_stripe(stripe) == 8)
        status, problem, _ = server.charge("late", X_Request_Timeout="1.5")
        stripe.control.clear_faults()

    assert (status, problem["code"], problem["money_may_have_moved"]) == (503, "overloaded", False)
    assert not Payment.objects.filter(idempotency_key="late").exists()
    assert server.charge("late", X_Request_Timeout="30")[0] == 201


def test_a_charge_whose_caller_hangs_up_while_it_waits_is_not_sent(server, stripe):
    stripe.control.fault("latency", method="POST", path=INTENTS, count=None, seconds=4)
    body = json.dumps({"bot": BOT, "amount": "1.00"}).encode()
    with charges_at_once(server, 8):
        assert eventually(lambda: charges_at_stripe(stripe) == 8)
        with socket.create_connection((server.host, server.port)) as gone:
            gone.sendall(server.head("Idempotency-Key: gone", f"Content-Length: {len(body)}") + body)
            time.sleep(0.5)
        stripe.control.clear_faults()

    assert server.charge("after")[0] == 201
    assert not Payment.objects.filter(idempotency_key="gone").exists()


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan", "0"])
def test_a_request_timeout_that_is_no_time_is_refused(server, seconds):
    status, problem, _ = server.call("GET", "/api/v1/charges", X_Request_Timeout=seconds)

    assert (status, problem["code"]) == (400, "invalid_request")
    assert "X-Request-Timeout" in problem["detail"]


def test_a_person_signs_in_and_gets_the_pages_and_their_files(server):
    User.objects.create_superuser("finance", password="a long password")
    calling = http.client.HTTPConnection(server.host, server.port, timeout=30)
    calling.request("GET", "/admin/login/")
    form = calling.getresponse()
    form.read()
    csrf = form.getheader("Set-Cookie").partition("csrftoken=")[2].partition(";")[0]
    content = f"username=finance&password=a+long+password&csrfmiddlewaretoken={csrf}&next=/admin/"
    headers = {"Cookie": f"csrftoken={csrf}", "Content-Type": "application/x-www-form-urlencoded"}
    calling.request("POST", "/admin/login/", content, headers)
    signed_in = calling.getresponse()
    signed_in.read()
    cookies = "; ".join(value.partition(";")[0] for name, value in signed_in.getheaders() if name == "set-cookie")
    calling.request("GET", "/admin/", headers={"Cookie": cookies})
    page = calling.getresponse()

    assert signed_in.status == 302
    assert (page.status, b"finance" in page.read()) == (200, True)
    calling.request("GET", "/static/admin/css/base.css")
    style = calling.getresponse()
    assert (style.status, len(style.read())) == (200, int(style.getheader("Content-Length")))
    calling.request("HEAD", "/static/admin/css/base.css")
    head = calling.getresponse()
    assert (head.getheader("Content-Length"), head.read()) == (style.getheader("Content-Length"), b"")
    calling.close()


@pytest.mark.parametrize(
    ("method", "path", "lane"),
    [
        ("POST", "/api/v1/charges", "charges"),
        ("POST", "/api/v1/subscriptions/00000000-0000-0000-0000-000000000000/cancel", "charges"),
        ("GET", "/api/v1/balance", "charges"),
        ("POST", "/api/v1/something-new", "charges"),
        ("GET", "/api/v1/charges", "reads"),
        ("POST", "/api/v1/routes/resolve", "reads"),
        ("PUT", "/api/v1/routes", "registry"),
        ("POST", "/api/v1/webhooks/stripe/stripe", "webhooks"),
        ("GET", "/admin/", "pages"),
        ("GET", "/static/admin/css/base.css", "pages"),
        ("GET", "/api/schema", "documentation"),
        ("GET", "/api/docs", "documentation"),
    ],
)
def test_each_request_has_its_lane(method, path, lane):
    assert lane_name(method, path) == lane
    assert lane in lanes({})


def test_the_number_of_charge_threads_is_the_servers_option():
    charges = lanes({CHARGE_THREADS: "12"})["charges"]

    assert (charges.threads, charges.queue) == (12, 24)
