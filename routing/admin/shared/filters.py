"""The filter by a status that a time tells, such as when something was revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.admin import EmptyFieldListFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.admin.filters import _ListFilterChoices
    from django.contrib.admin.views.main import ChangeList


class TimeStatusFilter(EmptyFieldListFilter):
    """``labels`` are the status while the time is empty, and the one since then."""

    labels: ClassVar[tuple[str, str]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "status"

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        for choice, label in zip(super().choices(changelist), ("All", *self.labels), strict=True):
            yield {**choice, "display": label}
