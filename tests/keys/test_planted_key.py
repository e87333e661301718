"""A planted key is found nowhere: a real server at its loudest, and a search of all that it wrote."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory
from django.views.debug import technical_500_response

from routing.keys.source import KeyRef
from tests.billing_router.servers import Runner, servers_of
from tests.keys.keyrings import new_key
from tests.keys.planted import ROOT, Router, database_of_its_own, shapes

BOT = "finance:finance_router_bot"
PATH = KeyRef.for_domain("stripe").path


@pytest.fixture
def vault(openbao):
    """Give the shared server, without what this test leaves at the path of the domain that all tests share."""
    yield openbao
    openbao.root().adapter.delete(f"/v1/{PATH.replace('/data/', '/metadata/')}")


@pytest.fixture
def router(tmp_path, vault, sandbox_address):
    with database_of_its_own(f"planted_{secrets.token_hex(4)}") as database:
        environ = {
            "PATH": os.environ["PATH"],
            "BILLING_ROUTER_ENV": "sandbox",
            "DJANGO_SETTINGS_MODULE": "tests.keys.loud_settings",
            "DATABASE_URL": database,
            "STRIPE_API_BASE": sandbox_address,
            "VAULT_ADDR": vault.addr,
            **vault.app_role("planted", secret_id_ttl="10m"),
        }
        yield Router(environ, tmp_path / "output")


def plant(vault, stripe):
    """Write a key and two signing secrets to Vault; return all that must not be seen."""
    planted = ["sk_live_" + secrets.token_hex(16), *("whsec_" + secrets.token_hex(16) for _ in range(2))]
    stripe.control.register_keys(stripe.account, planted[0])
    vault.write(PATH, secret_key=planted[0], webhook_secrets=planted[1:])
    return planted


def found_in(text, planted):
    return [shape for secret in planted for shape in shapes(secret) if shape in text]


def test_what_the_search_looks_for_is_found_where_it_is():
    planted = new_key()

    for text in (planted, repr(planted.encode()), f"x{planted}x"):
        assert found_in(text, [planted])
    assert found_in(base64.b64encode(f"{planted}:".encode()).decode(), [planted])


def test_a_token_with_an_underscore_near_its_end_is_looked_for_whole():
    body = secrets.token_hex(20) + "_a"

    assert body in shapes("brt_" + body)
    assert all(len(shape) > 40 for shape in shapes("brt_" + body))


def test_a_planted_key_is_found_nowhere(router, vault, stripe):
    planted = plant(vault, stripe)
    router.manage("migrate", "--verbosity", "0")
    router.manage("import_routes")
    token = router.manage("issue_token", "planted", "--bot", "*", "--scope", "all", keeps_output=False)
    printed = router.manage("check_keys")

    with router.serving() as server:
        answers = [*_all_that_can_happen_to_a_charge(server, token, vault, stripe, planted), *_pages(server, token)]
        processes = [_of_process(pid) for pid in server.processes()]

    assert "No problems." in printed
    output = router.output.read_text()
    assert "About to send sk_live_*** with AccountKeys(" in output
    assert "ValueError: Authorization: Bearer" in output
    assert found_in(output, [*planted, token, router.environ["VAULT_SECRET_ID"]]) == []
    for status, answer in answers:
        assert (status, found_in(answer, planted)) == (status, [])
    for table, rows in router.tables():
        assert (table, found_in(rows, [*planted, token])) == (table, [])
    assert len(processes) > 1
    assert [found_in(process, planted) for process in processes] == [[]] * len(processes)
    assert _files_that_hold(planted, router.output.parent, ROOT / "var") == []


def _all_that_can_happen_to_a_charge(server, token, vault, stripe, planted):
    """Charge well and badly; return the answers, and add what is planted meanwhile."""

    def charge(key: str, **words: Any) -> tuple[int, str]:
        return server.ask("POST", "/api/v1/charges", {"bot": BOT, **words}, token=token, key=key)

    answers = [charge("succeeds", amount="10"), charge("invoice", quantity=2)]
    stripe.control.fault("status", path="/v1/payment_intents", status=500)
    answers.append(charge("error-of-stripes", amount="10"))
    stripe.control.fault("not_json", path="/v1/payment_intents")
    answers.append(charge("not-json", amount="10"))
    stripe.control.register_keys(stripe.account, planted[0], status="revoked")
    planted += plant(vault, stripe)
    answers.append(charge("rotated", amount="10"))
    stripe.control.seed_customer(stripe.account, "cus_analytics_default", card="declined")
    answers.append(charge("declined", amount="10", bot="analytics:report_bot"))
    stripe.control.register_keys(stripe.account, planted[3], status="expired")
    answers += [charge("expired", amount="10"), charge("no-key", amount="10"), charge("bad", secret_key="none")]
    assert [status for status, _ in answers] == [201, 201, 202, 202, 201, 402, 503, 503, 400]
    stripe.control.register_keys(stripe.account, planted[3])
    return answers


def _pages(server, token):
    """Return what is answered elsewhere, in order and not."""
    asked = [("/nothing", 404), ("/fail", 500), ("/api/fail", 500), ("/api/schema", 200), ("/api/docs", 200)]
    asked += [("/readyz", 200), ("/healthz", 200), ("/admin/login/", 200), ("/api/v1/nothing", 404)]
    asked += [("/api/v1/charges", 200), ("/api/v1/routes", 200), (f"/api/v1/balance?bot={BOT}", 200)]
    answers = [server.ask("GET", path, token=token) for path, _ in asked]
    assert [status for status, _ in answers] == [status for _, status in asked]
    return [*answers, server.ask("GET", "/api/v1/charges", token="brt_" + secrets.token_hex(16))]


def test_djangos_debug_page_shows_no_key_in_a_variable_or_a_setting(settings, live_key, monkeypatch, stripe):
    from routing.keys import keyring

    settings.DEBUG = True
    monkeypatch.setenv("STRIPE_SECRET_KEY", live_key)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS__SHOP", "whsec_" + live_key)
    monkeypatch.setenv("VAULT_TOKEN", live_key)
    monkeypatch.setenv("VAULT_SECRET_ID", live_key)
    monkeypatch.setenv("STRIPE_KEYS_DIR", "")
    request = RequestFactory(**os.environ).get("/")

    page = _debug_page(request, keyring().keys("stripe"))

    assert "Of stripe." in page
    assert "STRIPE_SECRET_KEY" in page
    assert "AccountKeys(" in page
    assert found_in(page, [live_key]) == []


def test_the_database_that_the_router_starts_gets_no_key(live_key):
    with tempfile.TemporaryDirectory(prefix="planted-") as made:
        Path(made).chmod(0o755)
        data = Path(made).resolve() / "postgres"
        runner = Runner(data, STRIPE_SECRET_KEY=live_key, VAULT_TOKEN=live_key, TOKEN_PEPPER=live_key)
        try:
            runner.url()
            processes = [_of_process(pid) for pid in servers_of(data)]
        finally:
            runner.finish()

    assert len(processes) > 1
    assert [found_in(process, [live_key]) for process in processes] == [[]] * len(processes)


def _debug_page(request, keys):
    try:
        _fail_with(keys)
    except ValueError:
        return technical_500_response(request, *sys.exc_info()).content.decode()


def _fail_with(keys):
    raise ValueError(f"Of {keys.ref.domain}.")


def _of_process(pid: int) -> str:
    """Return a process's arguments and environment; nothing where it has just ended."""
    with suppress(ProcessLookupError, FileNotFoundError):
        return "".join(Path(f"/proc/{pid}/{name}").read_text(errors="replace") for name in ("cmdline", "environ"))
    return ""


def _files_that_hold(planted: list[str], *folders: Path) -> list[str]:
    """Search every file, the database's own among them."""
    patterns = "\n".join(shape for secret in planted for shape in shapes(secret))
    command = ["grep", "-rlaF", "-D", "skip", "-f", "-", *map(str, folders)]
    searched = subprocess.run(command, input=patterns, capture_output=True, text=True, timeout=60, check=False)
    return searched.stdout.splitlines()
