"""A password alone is not enough in production: an authenticator app or a passkey comes with it, or a passkey alone."""

from __future__ import annotations

import re
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from selenium.webdriver.support.expected_conditions import presence_of_element_located, title_contains
from selenium.webdriver.support.wait import WebDriverWait

from routing.access import sign_ins
from routing.access.models import SignIn
from routing.audit.models import AuditEntry
from tests.admin.test_browser import browser  # noqa: F401 (a fixture)

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery staple"


@pytest.fixture
def maria(settings) -> User:
    settings.REQUIRE_SECOND_FACTOR = True
    return User.objects.create_user("maria", password=PASSWORD, is_staff=True, is_superuser=True)


def sign_in(client: Client, password: str = PASSWORD) -> Any:
    form = {"username": "maria", "password": password}
    return client.post(f"{reverse('admin:login')}?next=/admin/routing/bot/", form)


def code(secret: str, *, later: int = 0) -> str:
    counter = next(iter(yield_hotp_counters_from_time())) + later
    return format_hotp_value(hotp_value(secret, counter))


def add_app(client: Client) -> str:
    """Add an authenticator app, which takes the password again, and return its secret."""
    page = reverse("mfa_activate_totp")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    secret = client.get(page).context["form"].secret
    assert client.post(page, {"code": code(secret)}).status_code == 302
    Authenticator.objects.filter(type="totp").update(last_used_at=None)
    return secret


def test_without_a_second_factor_no_page_of_the_admin_opens_but_the_one_to_add_it(maria):
    client = Client()
    assert sign_in(client).headers["Location"] == "/admin/routing/bot/"

    for page in ("/admin/", "/admin/routing/bot/", "/admin/routing/bottoken/add/", "/admin/password_change/"):
        assert client.get(page).headers["Location"] == reverse("mfa_index"), page
        assert client.post(page, {}).headers["Location"] == reverse("mfa_index"), page
    assert "add a passkey or an authenticator app" in client.get(reverse("mfa_index")).content.decode()
    add_app(client)
    assert client.get("/admin/routing/bot/").status_code == 200


def test_a_password_is_followed_by_the_code(maria):
    first = Client()
    sign_in(first)
    secret = add_app(first)
    client = Client()

    assert sign_in(client).headers["Location"].startswith(reverse("mfa_authenticate"))
    assert client.get("/admin/routing/bot/").status_code == 302
    wrong = client.post(reverse("mfa_authenticate"), {"code": "000000"})
    assert "Incorrect code" in wrong.content.decode()
    assert client.get("/admin/routing/bot/").status_code == 302
    right = client.post(reverse("mfa_authenticate"), {"code": code(secret)})

    assert right.headers["Location"] == "/admin/routing/bot/"
    assert client.get("/admin/routing/bot/").status_code == 200
    assert [each.outcome for each in SignIn.objects.order_by("pk")] == ["signed in", "wrong code", "signed in"]


def test_codes_cannot_be_tried_out(maria):
    first = Client()
    sign_in(first)
    secret = add_app(first)
    client = Client(REMOTE_ADDR="203.0.113.9")
    sign_in(client)

    pages = [client.post(reverse("mfa_authenticate"), {"code": f"{number:06}"}) for number in range(15)]
    last = client.post(reverse("mfa_authenticate"), {"code": code(secret)})

    assert sign_ins.REFUSAL in pages[-1].content.decode()
    assert sign_ins.REFUSAL in last.content.decode()
    assert SignIn.objects.filter(outcome="wrong code").count() == 10


def test_the_secret_is_not_in_the_database_in_clear_and_a_new_factor_is_in_the_audit_log(maria):
    client = Client()
    sign_in(client)
    secret = add_app(client)

    assert secret not in str(list(Authenticator.objects.values()))
    entry = AuditEntry.objects.filter(table_name="mfa_authenticator").earliest("at")
    assert (entry.actor, entry.object_name) == ("maria", "maria authenticates with totp")
    assert "masked" in entry.after["data"]


def test_a_factor_is_added_by_whoever_knows_the_password_alone(maria):
    client = Client()
    sign_in(client)

    assert client.get(reverse("mfa_activate_totp")).headers["Location"].startswith(reverse("account_reauthenticate"))
    for number in range(12):
        client.post(reverse("account_reauthenticate"), {"password": f"guess {number}"})
    assert client.post(reverse("account_reauthenticate"), {"password": PASSWORD}).status_code == 200
    assert SignIn.objects.filter(outcome="wrong password").count() == 10


def test_who_is_no_staff_is_not_signed_in(maria):
    User.objects.update(is_staff=False)
    client = Client()

    sign_in(client)

    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("path", ["signup/", "password/reset/", "email/", "identities/signup/"])
def test_nobody_makes_himself_a_user(maria, path):
    response = Client().post(f"/admin/account/{path}", {"username": "eve", "email": "eve@example.com"})

    assert response.status_code in (302, 404)
    assert not User.objects.filter(username="eve").exists()


def test_the_page_of_ones_sessions_lists_them_and_ends_the_others(maria, settings):
    settings.REQUIRE_SECOND_FACTOR = False
    office, home = (Client(REMOTE_ADDR=address, headers={"User-Agent": name}) for address, name in
                    (("203.0.113.9", "Office browser"), ("198.51.100.7", "Home browser")))  # fmt: skip
    for client in (office, home):
        assert sign_in(client).status_code == 302
    page = reverse("usersessions_list")

    shown = office.get(page).content.decode()
    assert all(text in shown for text in ("203.0.113.9", "Office browser", "198.51.100.7", "Home browser"))
    office.post(page)

    assert office.get("/admin/").status_code == 200
    assert home.get("/admin/").status_code == 302
    assert UserSession.objects.count() == 1


@pytest.mark.browser
@pytest.mark.skipif(not shutil.which("chromedriver"), reason="Chromium's chromedriver is not installed here.")
def test_a_passkey_signs_in_alone(live_server, browser: Chrome, maria):  # noqa: F811 (the fixture)
    wait = WebDriverWait(browser, 10)
    device = VirtualAuthenticatorOptions()
    device.transport, device.protocol = "internal", "ctap2"
    device.has_resident_key = device.has_user_verification = device.is_user_verified = True
    browser.add_virtual_authenticator(device)
    address = live_server.url.replace("127.0.0.1", "localhost")

    browser.get(f"{address}/admin/login/")
    browser.find_element(By.NAME, "username").send_keys("maria")
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "#login-form [type=submit]").click()
    wait.until(title_contains("Overview"))
    browser.get(f"{address}{reverse('mfa_add_webauthn')}")
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "form .is-primary").click()
    wait.until(presence_of_element_located((By.NAME, "passwordless"))).click()
    browser.find_element(By.ID, "mfa_webauthn_add").click()
    wait.until(lambda _: Authenticator.objects.filter(type="webauthn").exists())
    time.sleep(0.5)
    browser.delete_all_cookies()
    browser.get(f"{address}/admin/login/")
    wait.until(presence_of_element_located((By.ID, "passkey_login"))).click()
    wait.until(title_contains("Overview"))

    refused = [each["message"] for each in browser.get_log("browser") if re.search("Content Security", each["message"])]
    assert refused == []
    assert SignIn.objects.filter(outcome="signed in", name="maria").count() == 2


def test_lost_factors_are_removed_by_command(maria):
    client = Client()
    sign_in(client)
    add_app(client)

    call_command("remove_second_factors", "maria")

    assert client.get("/admin/routing/bot/").headers["Location"] == reverse("mfa_index")
    assert not Authenticator.objects.exists()
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        call_command("remove_second_factors", "nobody")
