"""Everything that refuses or masks secrets reads the same definition of what they look like."""

from __future__ import annotations

import re
import secrets
import string

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

import billing_guard.keys
import billing_guard.redaction
import stripe_billing_router.redaction
from routing.errors import KeyNotAllowed
from routing.keys.secret import PUBLIC_KEY, SECRET_KEY, WEBHOOK_SECRET, Kind
from routing.registry.fields import refuse_key
from routing.registry.models import Bot, Category, Domain
from stripe_billing_router import calls
from stripe_billing_router.secret_patterns import SECRET, contains_secret, contains_stripe_key

LETTERS_AND_DIGITS = string.ascii_letters + string.digits
BODY = "".join(secrets.choice(LETTERS_AND_DIGITS) for _ in range(22)) + "7k"

STRIPE = [
    *(f"{kind}_{mode}_" for kind in ("sk", "rk", "pk") for mode in ("live", "test")),
    *("sk_org_live_", "sk_org_test_", "sk_org_", "whsec_"),
]
"""How everything begins that Stripe issues; the guard knows these too."""

OTHERS = ["rk_org_live_", "hvs.", "hvb.", "hvr.", "s.", "b.", "r.", "brt_"]
"""And what Vault, OpenBao and the router issue."""

AROUND = [
    "{}",
    "key={}&next=1",
    "/bots/{}@pay.py",
    '{{"key": "{}"}}',
    "prod_{}",
    "first\n{}\nlast",
    "first\\n{}",
    "https://example.com/%3D{}",
]
"""Where a secret may stand in a text; the last two are escaped, as in a ``repr`` and in a URL."""

NO_SECRETS = [
    "",
    "risk_live_monitor",
    "task_test_bot",
    "disk-org_live",
    "finance:finance_router_bot",
    "prod_QmK2x8fT1vZb9LrYp3Ns7aHd",
    "price_1PqRsTuVwXyZaBcDeFgHiJkL",
    "cus_NffrFeUfNV2Hib",
    "secret/data/stripe/stripe",
    "a token of twelve letters",
    "paymentss.aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "s.short",
    "sk-live-abc",
    "ſk_live_" + BODY,
]
"""Names and texts that finance staff may well write; a long s is no s."""

SECRETS = [around.format(prefix + BODY) for prefix in (*STRIPE, *OTHERS) for around in AROUND]


def in_postgres(text: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s ~ %s", [text, SECRET])
        found: bool = cursor.fetchone()[0]
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("text", [*SECRETS, *map(str.upper, SECRETS)])
def test_a_secret_is_found_masked_and_refused_everywhere(text):
    assert contains_secret(text)
    assert in_postgres(text)
    with pytest.raises(KeyNotAllowed):
        refuse_key("text", text)
    with pytest.raises(KeyNotAllowed):
        calls.charge("finance:bot", 10, description=text)
    for module in (stripe_billing_router.redaction, billing_guard.redaction):
        assert not re.search(BODY, module.redact(text), re.IGNORECASE)


@pytest.mark.django_db
@pytest.mark.parametrize("text", NO_SECRETS)
def test_other_text_is_accepted_everywhere(text):
    refuse_key("text", text)
    calls.charge("finance:bot", 10, description=text)
    assert not contains_secret(text)
    assert not in_postgres(text)
    assert not list(billing_guard.keys.find(text))


@pytest.mark.parametrize("prefix", STRIPE)
@pytest.mark.parametrize("around", [around for around in AROUND if around != "prod_{}"])
def test_the_guard_finds_every_stripe_key_too(prefix, around):
    assert list(billing_guard.keys.find(around.format(prefix + BODY)))


@pytest.mark.parametrize(
    ("prefixes", "is_of_stripe"),
    [([*STRIPE, "rk_org_live_"], True), (["hvs.", "hvb.", "hvr.", "s.", "b.", "r.", "brt_"], False)],
)
def test_a_stripe_key_is_distinguished_from_other_tokens(prefixes, is_of_stripe):
    assert {contains_stripe_key(prefix + BODY) for prefix in prefixes} == {is_of_stripe}


@pytest.mark.parametrize("prefix", STRIPE)
def test_within_a_word_only_the_masks_find_a_key(prefix):
    text = "x" + prefix + BODY

    assert not contains_secret(text)
    assert not list(billing_guard.keys.find(text))
    assert BODY not in stripe_billing_router.redaction.redact(text)
    assert BODY not in billing_guard.redaction.redact(text)


@pytest.mark.parametrize("prefix", [*STRIPE, "hvs.", "brt_"])
def test_the_beginning_of_a_secret_is_one_where_none_may_be(prefix):
    assert contains_secret(f"it begins with {prefix}")


@pytest.mark.parametrize(
    ("kind", "prefixes"),
    [(SECRET_KEY, {"sk_live_", "rk_live_"}), (PUBLIC_KEY, {"pk_live_"}), (WEBHOOK_SECRET, {"whsec_"})],
)
def test_a_live_key_is_one_of_the_same_secrets(kind: Kind, prefixes: set[str]):
    assert {prefix for prefix in (*STRIPE, *OTHERS) if kind.fits(prefix + BODY)} == prefixes


@pytest.mark.django_db
@pytest.mark.parametrize("text", [*SECRETS, *NO_SECRETS])
def test_the_database_itself_refuses_a_secret_in_the_registry(text):
    domain, _ = Domain.objects.get_or_create(slug="stripe")
    category = Category.objects.create(slug="finance")

    try:
        with transaction.atomic():
            Bot.objects.create(domain=domain, category=category, name="bot", owner=text)
    except IntegrityError as error:
        assert "bot_owner_is_not_a_key" in str(error)  # noqa: PT017 (whether it is raised is what differs)
        is_refused = True
    else:
        is_refused = False

    assert is_refused == contains_secret(text)


PIECES = st.lists(
    st.sampled_from(
        [*STRIPE, *OTHERS, *"sSkKrRbBhHvV_.%\\n3D0 -/é\u017f\u212a\u0130", "live", "org", "test", BODY[:23], BODY]
    ),
    max_size=8,
).map("".join)


@pytest.mark.django_db
@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_python_and_postgresql_read_the_pattern_alike(text):
    assert in_postgres(text) == contains_secret(text)


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_the_guard_and_the_client_mask_alike(text):
    assert billing_guard.redaction.redact(text) == stripe_billing_router.redaction.redact(text)
