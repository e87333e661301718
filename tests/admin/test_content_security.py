"""A browser loads and runs the router's own files alone, and every page works so."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.test import Client
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.admin.test_browser import browser  # noqa: F401 (a fixture)

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "scripts"),
    [
        ("/admin/login/", "script-src 'self' 'unsafe-eval';"),
        ("/admin/", "script-src 'self' 'unsafe-eval';"),
        ("/api/docs", "script-src 'self';"),
        ("/api/v1/charges", "default-src 'none';"),
        ("/api/schema", "default-src 'none';"),
        ("/healthz", "default-src 'none';"),
        ("/nowhere", "default-src 'none';"),
    ],
)
def test_each_path_says_what_a_browser_may_run(path, scripts):
    policy = Client().get(path)["Content-Security-Policy"]

    assert scripts in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "http" not in policy


@pytest.mark.browser
@pytest.mark.skipif(not shutil.which("chromedriver"), reason="Chromium's chromedriver is not installed here.")
def test_no_page_of_the_admin_needs_more(live_server, browser: Chrome, client, bot, payment):  # noqa: F811 (the fixture)
    client.force_login(User.objects.create_superuser("finance"))
    browser.get(f"{live_server.url}/admin/login/")
    browser.add_cookie({"name": "sessionid", "value": client.cookies["sessionid"].value})

    for page in ("", "routing/bot/", f"routing/bot/{bot.pk}/change/", "routing/cap/add/", "routing/domain/keys/",
                 f"routing/payment/{payment().pk}/change/", "auth/user/add/", "routing/auditentry/"):  # fmt: skip
        browser.get(f"{live_server.url}/admin/{page}")
        assert _refused(browser) == [], page
    browser.get(f"{live_server.url}/api/docs")
    WebDriverWait(browser, 10).until(lambda page: page.find_elements(By.CSS_SELECTOR, ".opblock"))

    assert _refused(browser) == []


def _refused(page: Chrome) -> list[str]:
    return [entry["message"] for entry in page.get_log("browser") if "Content Security Policy" in entry["message"]]
