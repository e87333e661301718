"""The guard masks a secret as the client does, though neither imports the other."""

import secrets

import pytest

import billing_guard.redaction
import stripe_billing_router.redaction

BODY = secrets.token_hex(16)


@pytest.mark.parametrize("module", [billing_guard.redaction, stripe_billing_router.redaction])
@pytest.mark.parametrize(
    "prefix",
    [
        "sk_live_",
        "rk_live_",
        "pk_live_",
        "sk_test_",
        "sk_org_live_",
        "sk_org_",
        "whsec_",
        "hvs.",
        "s.",
        "brt_",
        "Bearer ",
    ],
)
def test_the_guard_and_the_client_mask_the_same_secrets(module, prefix):
    assert module.redact(f"bots/{prefix}{BODY}@pay.py") == f"bots/{prefix}***@pay.py"
