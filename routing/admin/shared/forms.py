"""Forms that explain beside each field what the database would refuse, and that refuse keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from babel.numbers import get_currency_name
from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminSelectWidget

from routing.money import CURRENCIES
from stripe_billing_router.secret_patterns import contains_secret

if TYPE_CHECKING:
    from django.db.models import BaseConstraint

KEY_REFUSED = "This looks like a key, and was not saved. Keys are stored only in Vault. If it is a live key, roll it."

_FIELDS_BY_RULE = {
    "is_unique": "name",
    "period_is_not_empty": "valid_until",
    "periods_do_not_overlap": "valid_from",
    "changes_something": "price_id",
}
"""By the end of a constraint's name: the field that shows the error of a rule about several fields."""


class RefusesKeys(forms.BaseForm):
    """For every form of the admin: a key that was pasted into a field is refused, and never shown again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._keys = [name for name in self.fields if contains_secret(str(self.data.get(self.add_prefix(name))))]
        if self._keys:
            self.data = self.data.copy()  # type: ignore[attr-defined]  # a QueryDict
            self.data.update({self.add_prefix(name): "" for name in self._keys})  # type: ignore[attr-defined]  # a POST without files is a QueryDict

    def has_changed(self) -> bool:
        """Count a row in which there was nothing but the key: it would else be left out without a word."""
        return bool(self._keys) or super().has_changed()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for name in self._keys:
            self.errors.pop(name, None)
            self.add_error(name, KEY_REFUSED)
        return cleaned


class PlainForm(RefusesKeys, forms.Form):
    """A form that is not a model's."""


class ConstraintForm(RefusesKeys, forms.ModelForm):  # type: ignore[type-arg]  # the model is the admin's
    """Shows each violated constraint beside its field."""

    def _post_clean(self) -> None:
        """Validate constraints here: Django would not say which field each is about."""
        self.instance.validate_constraints = self._validate_constraints
        super()._post_clean()  # type: ignore[misc]  # mixed into model forms, which have it

    def _validate_constraints(self, exclude: set[str]) -> None:
        for model, constraints in self.instance.get_constraints():
            for constraint in constraints:
                if self.is_validated_elsewhere(constraint):
                    continue
                try:
                    constraint.validate(model, self.instance, exclude=exclude)
                except ValidationError as error:
                    self.add_error(self._constrained_field(constraint), error.messages)

    def is_validated_elsewhere(self, _constraint: BaseConstraint) -> bool:
        """Return whether another part of the page validates the constraint."""
        return False

    def _constrained_field(self, constraint: BaseConstraint) -> str | None:
        """Return the field that shows the constraint's error; most constraints name it."""
        rule = constraint.name.partition("_")[2]
        return _FIELDS_BY_RULE.get(rule) or next((name for name in self.fields if rule.startswith(f"{name}_is_")), None)


def currency_field(
    first: list[tuple[str, str]], *, required: bool, empty_value: str | None = None
) -> forms.TypedChoiceField:
    """Return a choice among all currencies by code and name, with ``first`` before them."""
    names = [(code, f"{code.upper()}, {get_currency_name(code.upper(), locale='en')}") for code in sorted(CURRENCIES)]
    return forms.TypedChoiceField(
        choices=[*first, *names], required=required, empty_value=empty_value, widget=UnfoldAdminSelectWidget
    )
