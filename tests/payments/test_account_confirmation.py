"""Somebody confirms to which Stripe account a domain's money goes, before any does."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from routing.errors import AccountNotConfirmed
from routing.registry import snapshot
from routing.registry.models import Domain


@pytest.fixture
def production(settings):
    settings.REQUIRE_CONFIRMED_ACCOUNT = True


def confirm(*words: str) -> str:
    out = StringIO()
    call_command("confirm_account", *words, stdout=out)
    snapshot.reload(snapshot.current())
    return out.getvalue()


def test_nothing_is_charged_before_the_account_is_confirmed(production, pay_or_raise, stripe):
    with pytest.raises(AccountNotConfirmed, match=f"opens {stripe.account}.*confirm_account stripe"):
        pay_or_raise(amount="10")
    assert stripe.requests("POST") == []

    assert f"manage.py confirm_account stripe {stripe.account}" in confirm("stripe")
    assert Domain.objects.get(slug="stripe").account_id is None
    assert stripe.account in confirm("stripe", stripe.account)

    assert pay_or_raise(amount="10").status == "succeeded"


def test_another_account_than_the_keys_is_not_confirmed(production, bot, stripe):
    with pytest.raises(CommandError, match=f"opens {stripe.account}, and not acct_another1. Nothing was changed"):
        confirm("stripe", "acct_another1")
    assert Domain.objects.get(slug="stripe").account_id is None


def test_a_sandbox_needs_no_confirmation(pay_or_raise, stripe):
    assert pay_or_raise(amount="10").status == "succeeded"


@pytest.mark.parametrize(("words", "sentence"), [(("nowhere",), "no domain 'nowhere'")])
def test_an_unknown_domain_is_named(bot, stripe, words, sentence):
    with pytest.raises(CommandError, match=sentence):
        confirm(*words)


def test_a_key_that_cannot_be_loaded_is_said(bot, stripe, monkeypatch):
    monkeypatch.setenv("STRIPE_SECRET_KEY", "")
    with pytest.raises(CommandError):
        confirm("stripe")


def test_two_domains_cannot_have_one_account(production, bot, stripe):
    Domain.objects.create(slug="other", account_id=stripe.account)
    with pytest.raises((ValidationError, CommandError), match="account"):
        confirm("stripe", stripe.account)


def test_the_keys_page_says_that_it_is_not_confirmed(production, bot, stripe, admin_client):
    confirm("stripe")

    page = admin_client.get("/admin/routing/domain/keys/").content.decode()

    assert "Account not confirmed: no charges" in page
    assert f"opens {stripe.account}" in page
