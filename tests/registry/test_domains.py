"""A domain's key is its own: no two domains look for one in the same place."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from routing.registry.models import Domain

pytestmark = pytest.mark.usefixtures("registry")

SHARED = [
    ({"slug": "shop-eu"}, {"slug": "shop_eu"}, "domain_variable_is_its_own", "Choose a name that differs"),
    (
        {"slug": "shop", "key_path": "secret/data/shared"},
        {"slug": "other", "key_path": "secret/data/shared"},
        "domain_vault_path_is_its_own",
        "Each domain has a key of its own",
    ),
    (
        {"slug": "shop"},
        {"slug": "other", "key_path": "secret/data/stripe/shop"},
        "domain_vault_path_is_its_own",
        "Each domain has a key of its own",
    ),
]


@pytest.mark.parametrize(("first", "second", "constraint", "sentence"), SHARED)
def test_two_domains_cannot_share_a_key(first, second, constraint, sentence):
    Domain.objects.create(**first)

    with pytest.raises(ValidationError, match=sentence):
        Domain(**second).full_clean()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Domain.objects.create(**second)


def test_domains_of_different_names_have_keys_of_their_own():
    Domain.objects.create(slug="shop-eu")
    Domain(slug="shop-us").full_clean()


def test_an_import_that_would_make_such_a_domain_says_so_and_changes_nothing(tmp_path):
    route = "default: {finance: {bot: {product_id: prod_a, price_id: price_a, customer_id: cus_a}}}"
    path, out = tmp_path / "routes.yaml", StringIO()
    path.write_text(f"shop-eu:\n  {route}\nshop_eu:\n  {route}\n")

    with pytest.raises(CommandError) as refusal:
        call_command("import_routes", str(path), "--create-domains", stdout=out, stderr=out)

    assert "Choose a name that differs" in f"{out.getvalue()}{refusal.value}"
    assert not Domain.objects.filter(slug__startswith="shop").exists()
