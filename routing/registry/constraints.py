"""The rules of the registry as constraints of the database, each with the sentence that a person reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from django.db.models.functions import Concat, Replace

from routing.currencies import IsCurrency
from routing.identifiers import DEFAULT_VAULT_FOLDER, SLUG_PATTERN
from routing.registry.stripe_ids import PREFIXES, pattern
from stripe_billing_router.secret_patterns import SECRET

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable


def slug_rule(field: str, name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{field}__regex": f"^{SLUG_PATTERN}$"}) & contains_no_secret(field),
        name=name,
        violation_error_message=f"The {field} may have 1 to 64 lower-case letters, digits, '_' and '-', and no key.",
    )


def id_rule(field: str, prefix: str, name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{field}__regex": f"^{prefix}[A-Za-z0-9_]+$"}) & contains_no_secret(field),
        name=name,
        violation_error_message=f"The {field.removesuffix('_id')} must be a Stripe ID, such as {prefix}1a2B3c.",
    )


def catalog_id_rule(field: str, name: str) -> models.CheckConstraint:
    """Return the rule on an id of a product, a price or a customer, whose maker may have chosen it."""
    return models.CheckConstraint(
        condition=Q(**{f"{field}__regex": pattern(field)}) & contains_no_secret(field),
        name=name,
        violation_error_message=f"The {field.removesuffix('_id')} must be its ID at Stripe, such as "
        f"{PREFIXES[field][0]}1a2B3c, and not the ID of something else.",
    )


def key_rules() -> list[models.UniqueConstraint]:
    """Return the rules by which a domain's key is its own, wherever the keyring looks for it (``routing.keys``)."""
    vault_path = Case(When(key_path="", then=Concat(Value(DEFAULT_VAULT_FOLDER), "slug")), default="key_path")
    return [
        models.UniqueConstraint(
            Replace("slug", Value("-"), Value("_")),
            name="domain_variable_is_its_own",
            violation_error_message="Another domain has this name but for '-' and '_', and its key would come from the "
            "same environment variable. Choose a name that differs in its letters or digits.",
        ),
        models.UniqueConstraint(
            vault_path,
            name="domain_vault_path_is_its_own",
            violation_error_message="Another domain's key is at this Vault path. Each domain has a key of its own.",
        ),
    ]


def text_rule(field: str, name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=contains_no_secret(field),
        name=name,
        violation_error_message="Do not enter a key here. Keys are stored only in Vault.",
    )


def contains_no_secret(field: str) -> Q:
    """Return the condition that every name and text of the registry meets; null meets it too."""
    return ~Q(**{f"{field}__regex": SECRET})


def route_rules(model: str) -> list[models.CheckConstraint]:
    """Return the rules on what is sent to Stripe; a field that is null passes."""
    return [
        catalog_id_rule("product_id", f"{model}_product_id_is_a_stripe_id"),
        catalog_id_rule("price_id", f"{model}_price_id_is_a_stripe_id"),
        catalog_id_rule("customer_id", f"{model}_customer_id_is_a_stripe_id"),
        models.CheckConstraint(
            condition=IsCurrency("currency"),
            name=f"{model}_currency_is_supported",
            violation_error_message="The currency must be a three-letter code that Stripe supports, such as usd.",
        ),
        models.CheckConstraint(
            condition=Q(valid_from__isnull=True) | Q(valid_until__isnull=True) | Q(valid_from__lt=F("valid_until")),
            name=f"{model}_period_is_not_empty",
            violation_error_message="The end of the period must be after its start.",
        ),
    ]


def one_value(expression: Combinable, kind: str) -> Func:
    """Return a range with one value: ``=`` on ranges works in a GiST index without an extension."""
    return Func(expression, expression, Value("[]"), function=kind)


PERIOD = Func(F("valid_from"), F("valid_until"), Value("[)"), function="tstzrange")
