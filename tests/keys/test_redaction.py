"""No secret survives the formatter, wherever in a record it stood."""

import logging
import secrets
import sys

import pytest

from routing.keys.redaction import RedactingFormatter, redact

BODY = secrets.token_hex(16)


@pytest.mark.parametrize(
    "prefix",
    [
        "sk_live_",
        "rk_live_",
        "sk_test_",
        "rk_test_",
        "pk_live_",
        "pk_test_",
        "sk_org_",
        "sk_org_live_",
        "sk_org_test_",
        "whsec_",
        "hvs.",
        "hvb.",
        "s.",
        "brt_",
        "Bearer ",
        "bearer  ",
    ],
)
@pytest.mark.parametrize("around", ["{}", "key={}&next=1", '{{"key": "{}"}}', "({})", "b'{}'", "first\n{}\nlast"])
def test_every_kind_of_secret_is_masked(prefix, around):
    text = redact(around.format(prefix + BODY))

    assert BODY not in text
    assert text == around.format(prefix + "***")


@pytest.mark.parametrize(
    "text",
    [
        "Use the key rk_live_…1a2b of Vault secret/data/stripe/stripe.",
        "store the account's restricted live key, which begins with rk_live_.",
        "Bearer token missing",
        "charge ch_3PabcDEFghiJKLmno of cus_NffrFeUfNV2Hib",
    ],
)
def test_text_without_a_secret_is_unchanged(text):
    assert redact(text) == text


def test_the_formatter_redacts_arguments_and_tracebacks():
    try:
        {}["sk_live_" + BODY]
    except KeyError:
        record = logging.LogRecord("room", logging.ERROR, "f.py", 1, "lost %s", ("hvs." + BODY,), sys.exc_info())

    text = RedactingFormatter("%(levelname)s %(message)s").format(record)

    assert text.startswith("ERROR lost hvs.***\nTraceback")
    assert text.endswith("KeyError: 'sk_live_***'")
