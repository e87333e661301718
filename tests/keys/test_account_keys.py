"""Which values are taken for live keys, and what is said about the others."""

import secrets

import pytest

from routing.keys import AccountKeys
from routing.keys.source import Fetched, KeyRef, Refused

BODY = secrets.token_hex(16)


def loaded(**values: object) -> AccountKeys:
    return AccountKeys.from_fetched(
        KeyRef.for_domain("shop"), Fetched({"secret_key": "rk_live_" + BODY, **values}, "Vault secret/data/stripe/shop")
    )


@pytest.mark.parametrize(("prefix", "is_restricted"), [("rk_live_", True), ("sk_live_", False)])
def test_a_live_key_is_accepted(prefix, is_restricted):
    keys = loaded(secret_key=prefix + BODY)

    assert keys.secret_key.reveal() == prefix + BODY
    assert keys.is_restricted is is_restricted


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "There is no secret_key"),
        ("", "is empty"),
        ("   ", "contains a space or a line break"),
        ("rk_live_" + BODY + "\n", "contains a space or a line break"),
        (" rk_live_" + BODY, "contains a space or a line break"),
        ("rk_live_" + BODY[:8] + "\u00a0" + BODY[8:], "contains a space or a line break"),
        ("sk_test_" + BODY, "is a test-mode key"),
        ("rk_test_" + BODY, "is a test-mode key"),
        ("pk_test_" + BODY, "is a test-mode key"),
        ("sk_org_test_" + BODY, "is a test-mode key"),
        ("sk_org_live_" + BODY, "is an organization key"),
        ("pk_live_" + BODY, "is a publishable key"),
        ("whsec_" + BODY, "is a webhook signing secret"),
        ("SK_LIVE_" + BODY, "has an unknown prefix"),
        (BODY, "has an unknown prefix"),
        ("hvs." + BODY, "is a Vault token"),
        ("brt_" + BODY, "is a bot token of the router"),
        ("sk_live_", "is truncated"),
        ("rk_live_" + BODY + "é", "is truncated or contains characters"),
        (["rk_live_" + BODY], "is not a string"),
        (12345678901234, "is not a string"),
    ],
)
def test_another_value_is_refused_with_the_reason_and_the_remedy_but_not_the_value(value, reason):
    with pytest.raises(Refused) as refusal:
        loaded(secret_key=value)

    sentence = str(refusal.value)
    assert reason in sentence
    assert "secret_key in Vault secret/data/stripe/shop" in sentence
    assert sentence.endswith("which begins with rk_live_.")
    assert BODY[:8] not in sentence


def test_the_public_key_and_the_webhook_secrets_may_be_absent():
    keys = loaded()

    assert keys.public_key is None
    assert keys.webhook_secrets == ()


def test_the_public_key_is_kept_with_the_secret_one():
    assert loaded(public_key="pk_live_" + BODY).public_key == "pk_live_" + BODY


@pytest.mark.parametrize("prefix", ["pk_test_", "sk_live_", "rk_live_", "whsec_", " pk_live_"])
def test_another_kind_of_key_is_not_accepted_as_the_public_one(prefix):
    with pytest.raises(Refused, match="public_key in Vault") as refusal:
        loaded(public_key=prefix + BODY)

    assert BODY not in str(refusal.value)


@pytest.mark.parametrize("form", [list, ",".join, ", ".join])
def test_webhook_secrets_are_a_list_or_separated_by_commas(form):
    signing = ["whsec_" + secrets.token_hex(16), "whsec_" + secrets.token_hex(16)]

    keys = loaded(webhook_secrets=form(signing))

    assert [secret.reveal() for secret in keys.webhook_secrets] == signing


@pytest.mark.parametrize("value", ["sk_live_" + BODY, ["whsec_" + BODY, ""], f"whsec_{BODY},,", {"first": BODY}, 7])
def test_anything_else_among_the_webhook_secrets_is_refused(value):
    with pytest.raises(Refused, match="webhook_secrets") as refusal:
        loaded(webhook_secrets=value)

    assert BODY not in str(refusal.value)
