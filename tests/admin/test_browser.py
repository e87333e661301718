"""The admin in a real browser."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import presence_of_element_located, title_contains
from selenium.webdriver.support.wait import WebDriverWait

from routing.registry.models import Pause, Route

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Chromium and its chromedriver are not installed here."),
]

QUIET = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update"
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (
        *QUIET.split(),
        "--disable-sync",
        "--disable-quic",
        f"--user-data-dir={tmp_path}",
        "--window-size=1440,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    with Chrome(options=options, service=Service(DRIVER)) as browser:
        yield browser


def test_a_price_is_edited_and_seen_in_the_list_without_any_outside_request(live_server, browser, bot):
    User.objects.create_superuser("finance", password="a-long-passphrase")
    wait = WebDriverWait(browser, 10)

    browser.get(f"{live_server.url}/admin/")
    browser.find_element(By.NAME, "username").send_keys("finance")
    browser.find_element(By.NAME, "password").send_keys("a-long-passphrase")
    browser.find_element(By.CSS_SELECTOR, "#login-form [type=submit]").click()
    wait.until(title_contains("Overview"))
    browser.get(f"{live_server.url}/admin/routing/bot/{bot.pk}/change/")
    price = browser.find_element(By.NAME, "routes-0-price_id")
    price.clear()
    price.send_keys("price_FromTheBrowser")
    browser.find_element(By.NAME, "_save").click()
    wait.until(presence_of_element_located((By.ID, "result_list")))
    browser.get(f"{live_server.url}/admin/routing/route/")

    assert "price_FromTheBrowser" in browser.find_element(By.ID, "result_list").text
    assert Route.objects.get().price_id == "price_FromTheBrowser"
    assert _requests_to_others(browser, live_server.url) == []


def test_a_filter_is_chosen_above_the_list(live_server, browser, bot, client):
    client.force_login(User.objects.create_superuser("finance"))
    browser.get(f"{live_server.url}/admin/login/")
    browser.add_cookie({"name": "sessionid", "value": client.cookies["sessionid"].value})

    browser.get(f"{live_server.url}/admin/routing/route/")
    browser.find_element(By.XPATH, "//label[span='Status']//option[text()='Ended']").click()

    WebDriverWait(browser, 10).until(lambda page: "status=ended" in page.current_url)
    assert "Nothing found" in browser.find_element(By.TAG_NAME, "body").text


def test_everything_is_paused_and_resumed_with_a_banner_in_between(live_server, browser, client):
    client.force_login(User.objects.create_superuser("finance"))
    browser.get(f"{live_server.url}/admin/login/")
    browser.add_cookie({"name": "sessionid", "value": client.cookies["sessionid"].value})
    wait = WebDriverWait(browser, 10)

    browser.get(f"{live_server.url}/admin/")
    browser.find_element(By.LINK_TEXT, "Pause or resume all billing").click()
    wait.until(presence_of_element_located((By.LINK_TEXT, "Pause all billing"))).click()
    wait.until(presence_of_element_located((By.NAME, "reason"))).send_keys("Stripe is down")
    browser.find_element(By.XPATH, "//button[contains(., 'Pause all billing')]").click()
    wait.until(presence_of_element_located((By.CLASS_NAME, "paused-banner")))
    browser.get(f"{live_server.url}/admin/routing/bot/")
    banner = browser.find_element(By.CLASS_NAME, "paused-banner")
    text = banner.text
    banner.find_element(By.LINK_TEXT, "Resume").click()
    wait.until(presence_of_element_located((By.LINK_TEXT, "Resume all billing"))).click()
    wait.until(presence_of_element_located((By.XPATH, "//button[contains(., 'Resume all billing')]"))).click()
    wait.until(presence_of_element_located((By.LINK_TEXT, "Pause all billing")))

    assert text.startswith("All billing is paused since")
    assert "by finance. Reason: Stripe is down" in text
    assert browser.find_elements(By.CLASS_NAME, "paused-banner") == []
    assert Pause.objects.get().resumed_by == "finance"


def _requests_to_others(browser: Chrome, own: str) -> list[str]:
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith((own, "data:", "blob:", "chrome:"))]
