"""The admin's page of keys, and the command that shows the same: where each comes from and what is wrong."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.test import Client
from django.urls import reverse

from routing.payments.stripe_api.accounts import load_all_keys
from routing.registry import snapshot
from routing.registry.models import Domain

pytestmark = pytest.mark.usefixtures("bot")


@pytest.fixture
def staff():
    staff = User.objects.create_user("platform", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_domain"))
    return staff


@pytest.fixture
def page(staff):
    """Give the page's text as staff that may view domains see it."""

    def page():
        answer = browser(staff).get(reverse("admin:routing_keys"))
        assert answer.status_code == 200
        return answer.content.decode()

    return page


def browser(user):
    browser = Client()
    browser.force_login(user)
    return browser


def load():
    snapshot.reload(snapshot.current())
    load_all_keys()


def test_the_page_shows_the_source_and_the_account_of_the_key(page, stripe):
    load()

    text = page()

    assert f"rk_live_…{stripe.key[-4:]}" in text
    assert "the environment (STRIPE_SECRET_KEY)" in text
    assert stripe.account in text
    assert "fresh" in text
    assert stripe.key[8:-4] not in text


def test_the_page_shows_the_problem_and_the_remedy(page, stripe, monkeypatch):
    monkeypatch.delenv("STRIPE_SECRET_KEY")
    load()

    assert (
        "There is no secret key in the environment (STRIPE_SECRET_KEY): put the account&#x27;s live key there."
        in page()
    )


def test_the_page_reports_a_key_of_another_account(page, stripe):
    Domain.objects.filter(slug="stripe").update(account_id="acct_expected")
    load()

    text = page()

    assert f"belongs to the Stripe account {stripe.account}, but the registry expects acct_expected" in text
    assert "badge-bad" in text


def test_the_page_names_the_setting_that_prevents_loading_keys(page, stripe, monkeypatch):
    monkeypatch.setenv("VAULT_ADDR", "https://vault.example:8200")

    assert "VAULT_ADDR is set with no way to log in" in page()


def test_nobody_without_the_permission_to_view_domains_sees_it(stripe):
    other = User.objects.create_user("finance", is_staff=True)

    assert browser(other).get(reverse("admin:routing_keys")).status_code == 403
    assert Client().get(reverse("admin:routing_keys")).status_code == 302


def test_the_navigation_leads_there(staff, stripe):
    assert reverse("admin:routing_keys") in browser(staff).get(reverse("admin:index")).content.decode()


def test_the_command_shows_every_domain_and_never_a_key(stripe, capsys):
    Domain.objects.filter(slug="stripe").update(account_id=stripe.account)
    snapshot.reload(snapshot.current())

    call_command("check_keys")

    printed = capsys.readouterr().out
    assert printed.splitlines() == [
        f"stripe: rk_live_…{stripe.key[-4:]} from the environment (STRIPE_SECRET_KEY)",
        f"  account {stripe.account}, as expected",
        "  publishable key: no; webhook secrets: 0",
        "  No problems.",
    ]


def test_the_command_fails_and_says_why_while_a_domain_cannot_bill(stripe, capsys):
    Domain.objects.filter(slug="stripe").update(account_id="acct_expected")
    Domain.objects.create(slug="shop")
    snapshot.reload(snapshot.current())

    with pytest.raises(CommandError, match="2 domains cannot bill"):
        call_command("check_keys")

    printed = capsys.readouterr().out
    assert "the registry expects acct_expected" in printed
    assert "STRIPE_SECRET_KEY__SHOP" in printed


def test_every_command_checks_the_vault_settings_at_startup(monkeypatch):
    monkeypatch.setenv("VAULT_ADDR", "https://vault.example:8200")

    with pytest.raises(SystemCheckError, match="VAULT_ADDR is set with no way to log in: set one of VAULT_TOKEN"):
        call_command("check")


def test_of_a_path_that_somebody_has_entered_the_page_tells_nothing(page, stripe, monkeypatch):
    monkeypatch.delenv("STRIPE_SECRET_KEY")
    Domain.objects.filter(slug="stripe").update(key_path="secret/data/payroll/bank")
    load()

    text = page()

    assert "There is no usable key at the path that the domain names" in text
    assert "There is no secret key" not in text


def test_the_command_names_the_permissions_that_a_restricted_key_lacks(stripe, capsys):
    stripe.control.register_keys(stripe.account, stripe.key, permissions={"charge": "read", "dispute": "none"})
    before = len(stripe.objects("payment_intents"))
    call_command("check_keys")
    some = capsys.readouterr().out

    stripe.control.register_keys(stripe.account, stripe.key, permissions={"payment_intent": "read", "plan": "none"})
    with pytest.raises(CommandError, match="1 domain cannot bill"):
        call_command("check_keys")
    none = capsys.readouterr().out

    assert "the key may not: Charges and Refunds write, Disputes read." in some
    assert "may not: PaymentIntents write, Prices read. No bot of the domain can charge" in none
    assert len(stripe.objects("payment_intents")) == before
    for made in ("refunds", "invoices", "subscriptions", "checkout/sessions", "invoiceitems"):
        assert stripe.objects(made) == [], made


def test_a_key_with_every_permission_has_no_problems(stripe, capsys):
    stripe.control.register_keys(stripe.account, stripe.key)
    call_command("check_keys")

    assert "may not" not in capsys.readouterr().out
