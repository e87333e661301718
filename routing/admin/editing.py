"""Forms that refuse a stale edit, a key, and what the database would refuse, in sentences."""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import TYPE_CHECKING, Any

from django import forms
from django.apps import apps
from django.contrib.postgres.constraints import ExclusionConstraint
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from unfold.forms import PaginationInlineFormSet

from routing.admin.appearance import rule_in_words
from routing.admin.desk import DeskAdmin
from routing.errors import RegistryBusy
from routing.registry.fields import looks_like_key
from routing.registry.lock import lock_registry

if TYPE_CHECKING:
    from django.db.models import BaseConstraint, Model, QuerySet
    from django.http import HttpRequest, HttpResponse

A_KEY = "That looks like a key, and was not kept. Keys live in Vault alone; if it is a real one, have it replaced."
STALE = "Somebody changed this since you opened it. Open the page again to see the change, then make yours."
CONFLICT = "The database refused this because something else changed at the same time. Open the page again and retry."

_BESIDE = {
    "is_unique": "name",
    "period_is_not_empty": "valid_until",
    "periods_do_not_overlap": "valid_from",
    "changes_something": "price_id",
}
"""The field beside which a rule about several is explained, by the end of the rule's name."""


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # the model is the admin's
    """Says each broken rule of the database beside the field that it is about, and never repeats a key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._keys = [name for name in self.fields if looks_like_key(str(self.data.get(self.add_prefix(name))))]
        if self._keys:
            self.data = self.data.copy()  # type: ignore[attr-defined]  # a QueryDict
            self.data.update({self.add_prefix(name): "" for name in self._keys})  # type: ignore[attr-defined]  # as above

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for name in self._keys:
            self.errors.pop(name, None)
            self.add_error(name, A_KEY)
        return cleaned

    def _post_clean(self) -> None:
        """Django checks the constraints of the instance here, and would not say which field each is about."""
        self.instance.validate_constraints = self._validate_constraints
        super()._post_clean()  # type: ignore[misc]  # Django's own, which its stubs leave out

    def _validate_constraints(self, exclude: set[str]) -> None:
        for model, constraints in self.instance.get_constraints():
            for constraint in constraints:
                if self.leaves(constraint):
                    continue
                try:
                    constraint.validate(model, self.instance, exclude=exclude)
                except ValidationError as error:
                    self.add_error(self._field_of(constraint), error.messages)

    def leaves(self, _constraint: BaseConstraint) -> bool:
        """Return whether another part of the page checks the rule."""
        return False

    def _field_of(self, constraint: BaseConstraint) -> str | None:
        """Return the field beside which to say that the rule is broken; most rules name it."""
        rule = constraint.name.partition("_")[2]
        return _BESIDE.get(rule) or next((name for name in self.fields if rule.startswith(f"{name}_is_")), None)


class _Seen(forms.CharField):
    """What the page showed: not a change that anybody made."""

    widget = forms.HiddenInput

    def has_changed(self, _initial: Any, _data: Any) -> bool:
        return False


class PageForm(RuleForm):
    """The form of a whole page: it carries what the page showed, and is refused if that is no longer so."""

    seen = _Seen(required=False)
    conflict: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound and self.instance.pk:
            self.initial["seen"] = _fingerprint(self.rows())

    def rows(self) -> list[QuerySet[Any]]:
        """Return all that the page edits."""
        return [type(self.instance)._default_manager.filter(pk=self.instance.pk)]  # noqa: SLF001 (Django's public name)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.conflict:
            self.add_error(None, self.conflict)
        if self.instance.pk and self.cleaned_data.get("seen") != _fingerprint(self.rows()):
            self.add_error(None, STALE)
        return cleaned


class RowForm(RuleForm):
    """A row of a page of many: whether periods overlap is the formset's to say, which sees all rows as they will be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.instance.get_inline_title = rule_in_words(self.instance)  # Unfold's heading of the row

    def leaves(self, constraint: BaseConstraint) -> bool:
        return isinstance(constraint, ExclusionConstraint)


class PeriodsFormSet(PaginationInlineFormSet):
    """Rows of which no two may hold at once for the same ``slot``."""

    slot: tuple[str, ...] = ()

    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if _is_kept(form)]
        for form, later in combinations(kept, 2):
            if self._slot_of(form) == self._slot_of(later) and _overlap(form.instance, later.instance):
                later.add_error("valid_from", _overlap_sentence(self.model))

    def _slot_of(self, form: RowForm) -> tuple[Any, ...]:
        return tuple(getattr(form.instance, name) for name in self.slot)


class PageAdmin(DeskAdmin):
    """Keeps other writers out while a page is saved, and turns what only the database can see into a sentence."""

    form = PageForm
    change_form_before_template = "admin/routing/seen.html"

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            try:
                with transaction.atomic():
                    lock_registry()
                    return super().changeform_view(request, *args, **kwargs)
            except RegistryBusy as error:
                request.conflict = str(error)  # type: ignore[attr-defined]  # of this page, for get_form
            except IntegrityError as error:
                request.conflict = _sentence(error)  # type: ignore[attr-defined]  # as above
        return super().changeform_view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> type[PageForm]:
        form: type[PageForm] = super().get_form(request, *args, **kwargs)
        form.conflict = getattr(request, "conflict", None)  # the class is made anew for every request
        return form


def _fingerprint(rows: list[QuerySet[Any]]) -> str:
    seen = [list(found.order_by("pk").values_list()) for found in rows]
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def _is_kept(form: RowForm) -> bool:
    if form.errors or form.cleaned_data.get("DELETE"):
        return False
    return form.has_changed() or form.instance.pk is not None


def _overlap(one: Any, other: Any) -> bool:
    """Periods are half open, and an empty end is unbounded."""
    return _starts_before_end(one, other) and _starts_before_end(other, one)


def _starts_before_end(one: Any, other: Any) -> bool:
    return one.valid_from is None or other.valid_until is None or one.valid_from < other.valid_until


def _overlap_sentence(model: type[Model]) -> str:
    return next(str(c.violation_error_message) for c in model._meta.constraints if isinstance(c, ExclusionConstraint))  # noqa: SLF001 (Django's documented API)


def _sentence(error: IntegrityError) -> str:
    """Return what the broken constraint says of itself."""
    broken = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
    for model in apps.get_app_config("routing").get_models():
        for constraint in model._meta.constraints:  # noqa: SLF001 (as above)
            if constraint.name == broken:
                return str(constraint.violation_error_message)
    return CONFLICT
