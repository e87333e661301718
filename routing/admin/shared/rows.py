"""How a row of the database looks before and after a change: its fields' names, and values as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import DateTimeField, Field, ForeignKey
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst

from routing.admin.shared.appearance import format_amount, format_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model

Row = dict[str, Any] | None
"""The columns of a row as JSON; None where there is none."""

_AMOUNTS = frozenset({"limit", "amount_minor"})
"""Columns in minor units of the row's currency."""

_HIDDEN = frozenset({"password", "digest"})


def kind_of(table: str) -> str:
    """Return what people call a row of the table, such as ``Route``."""
    model = _model(table)
    return str(capfirst(model._meta.verbose_name)) if model else table  # noqa: SLF001 (Django's documented API)


def differences(table: str, before: Row, after: Row) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each field that differs, and what it was and is."""
    model = _model(table)
    fields = {field.column: field for field in model._meta.concrete_fields} if model else {}  # noqa: SLF001 (as above)
    old, new = before or {}, after or {}
    for column in {**old, **new}:
        if column != "id" and old.get(column) != new.get(column):
            field = fields.get(column)
            name = str(field.verbose_name) if field else column
            yield name, _text(field, column, old), _text(field, column, new)


def _model(table: str) -> type[Model] | None:
    models = apps.get_models(include_auto_created=True)
    return next((model for model in models if model._meta.db_table == table and not model._meta.proxy), None)  # noqa: SLF001 (as above)


def _text(field: Field[Any, Any] | None, column: str, values: dict[str, Any]) -> str:
    value = values.get(column)
    if column in _HIDDEN:
        return "not shown"
    if value in (None, ""):
        return ""
    if column in _AMOUNTS and values.get("currency"):
        return format_amount(value, values["currency"])
    return _field_text(field, value)


def _field_text(field: Field[Any, Any] | None, value: Any) -> str:
    if isinstance(field, ForeignKey):
        related = field.remote_field.model._default_manager.filter(pk=value).first()  # noqa: SLF001 (as above)
        return str(related or f"number {value}")
    if isinstance(field, DateTimeField):
        return format_time(parse_datetime(str(value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
