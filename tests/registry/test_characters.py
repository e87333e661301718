"""A character that cannot be seen, or is taken for another, is named wherever it stands in a file."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from routing.errors import InvalidIdentifier
from routing.identifiers import BotId

GOOD = """stripe:
  default:
    finance:
      invoice_bot:
        product_id: prod_a
        price_id: price_a
        customer_id: cus_a
"""


@pytest.mark.parametrize(
    ("written", "instead", "character"),
    [
        ("        price_id", "\u00a0       price_id", "U+00A0 (no-break space)"),
        ("price_id: ", "price_id:\u00a0", "U+00A0 (no-break space)"),
        ("price_a\n", "price_a\u00a0\n", "U+00A0 (no-break space)"),
        ("cus_a\n", "cus_a\n\ufeffshop:\n  default: {}\n", "U+FEFF (zero width no-break space)"),
        ("price_a", "\u201cprice_a\u201d", "U+201C (left double quotation mark)"),
        ("invoice_bot", "invoice_b\u043et", "U+043E (cyrillic small letter o)"),
        ("cus_a", "\u0441us_a", "U+0441 (cyrillic small letter es)"),
        ("price_id", "price\u200b_id", "U+200B (zero width space)"),
        ("price_a", "price_\u00ada", "U+00AD (soft hyphen)"),
        ("finance", "finance\u200d", "U+200D (zero width joiner)"),
        ("default", "def\u0430ult", "U+0430 (cyrillic small letter a)"),
    ],
)
def test_a_file_with_it_is_refused_and_the_character_named(tmp_path, registry, written, instead, character):
    path, out = tmp_path / "routes.yaml", StringIO()
    path.write_text(GOOD.replace(written, instead, 1))

    with pytest.raises(CommandError) as refusal:
        call_command("import_routes", str(path), stdout=out, stderr=out)

    assert f"It contains {character}" in f"{out.getvalue()}{refusal.value}"


def test_it_is_named_in_a_bots_own_name():
    with pytest.raises(InvalidIdentifier, match=r"It contains U[+]200B \(zero width space\)"):
        BotId.parse("finance:\u200binvoice_bot")


def test_a_name_that_is_wrong_for_another_reason_says_nothing_of_characters():
    with pytest.raises(InvalidIdentifier) as refusal:
        BotId.parse("Finance:invoice_bot")

    assert "It contains" not in str(refusal.value)


def test_a_character_in_a_comment_far_from_a_mistake_is_not_blamed_for_it(tmp_path, registry):
    path, out = tmp_path / "routes.yaml", StringIO()
    path.write_text("# for K\u00f6ln\n" + GOOD.replace("price_id: ", "price_id: : "))

    with pytest.raises(CommandError) as refusal:
        call_command("import_routes", str(path), stdout=out, stderr=out)

    refused = f"{out.getvalue()}{refusal.value}"
    assert "This is not valid YAML" in refused
    assert "It contains" not in refused
