"""``python -m sandbox`` as a process: where it listens, what survives it, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from sandbox.control import Control
from sandbox.running import running_sandbox, sandbox_process
from tests.sandbox.conftest import Merchant, exchange, live_key


def merchant_at(address):
    merchant = Merchant(Control(address), "acct_kept", live_key())
    merchant.control.register_keys(merchant.account, merchant.key)
    return merchant


def test_every_answered_write_survives_sigkill(tmp_path):
    state = tmp_path / "state.jsonl"
    with sandbox_process(state=state) as (address, process):
        merchant = merchant_at(address)
        payer = merchant.payer()
        intent = merchant.v1.payment_intents.create(payer.charge(), {"idempotency_key": "k"})
        merchant.control.advance_clock(3600)
        before = merchant.control.state()["accounts"]
        process.send_signal(signal.SIGKILL)

    with running_sandbox(state=state) as address:
        again = Merchant(Control(address), merchant.account, merchant.key)
        replayed = again.v1.payment_intents.create(payer.charge(), {"idempotency_key": "k"})

        assert again.control.state()["accounts"] == before
        assert replayed.id == intent.id
        assert replayed.last_response.headers["Idempotent-Replayed"] == "true"
        assert again.control.state()["now"] >= time.time() + 3500


def test_a_state_file_of_another_version_is_refused_with_the_remedy(tmp_path):
    state = tmp_path / "state.jsonl"
    state.write_text('{"key":"k","is":{"account":"acct_1","last_four":"1234","colour":"red"}}\n')

    ended = subprocess.run(
        [sys.executable, "-m", "sandbox", "--state", str(state)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stderr == "Another version of the sandbox wrote its state file. Delete that and start again.\n"


def test_an_entry_torn_by_a_kill_is_cut_off(tmp_path):
    state = tmp_path / "state.jsonl"
    with running_sandbox(state=state) as address:
        merchant_at(address).v1.customers.create({})
    with state.open("ab") as file:
        file.write(b'{"account":"acct_kept","obj')

    for _ in range(2):
        with running_sandbox(state=state) as address:
            merchant = merchant_at(address)
            merchant.v1.customers.create({})
            count = len(merchant.control.objects(merchant.key, "customers"))

    assert count == 3


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 (these are the addresses to be refused)
def test_an_address_that_others_can_reach_is_refused(host):
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "--host", host], capture_output=True, text=True, timeout=20, check=False
    )

    assert done.returncode == 2
    assert "loopback addresses only" in done.stderr
    assert done.stdout == ""


def test_a_request_that_names_another_host_is_refused(control):
    status, _ = exchange(control.address, "/_sandbox/state", Host="evil.example:80")

    assert status == 403


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(number):
    with sandbox_process() as (_, process):
        process.send_signal(number)

        assert process.wait(10) == 0


def test_it_ends_with_its_parent_even_if_that_is_killed():
    code = (
        "import os, signal\n"
        "from sandbox.running import sandbox_process\n"
        "with sandbox_process() as (address, process):\n"
        "    print(process.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    child = int(parent.stdout)

    deadline = time.monotonic() + 5
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 (a zombie is as good as gone where nobody reaps it)
        return file.read().split()[2] != "Z"


def test_one_connection_carries_many_requests_without_delay(merchant):
    host, port = merchant.address.removeprefix("http://").split(":")
    request = f"GET /v1/account HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {merchant.key}\r\n\r\n"
    started = time.monotonic()

    with socket.create_connection((host, int(port))) as connection, connection.makefile("rb") as answers:
        for _ in range(50):
            connection.sendall(request.encode())
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if line.startswith(b"Content-Length"):
                    length = int(line.split(b":")[1])
            answers.read(length)

    assert time.monotonic() - started < 1  # a delayed acknowledgement costs 40 ms each


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nbad\r\n\r\n"])
def test_what_is_not_http_is_400(control, raw):
    host, port = control.address.removeprefix("http://").split(":")

    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(raw)

        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_the_front_page_says_what_it_is_and_shows_the_charges(merchant):
    intent = merchant.v1.payment_intents.create(merchant.payer().charge(description="<script>alert(1)</script>"))

    status, page = exchange(merchant.address, "/")

    assert status == 200
    assert "This is not Stripe. No money moves." in page
    assert intent.latest_charge in page
    assert "<script>" not in page
    assert merchant.key not in page
    assert "http://" not in page
    assert "https://" not in page
