"""How lists are paged and filtered: ``{results, next}``; unknown filters are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django_filters import MultipleChoiceFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response

from routing.api.parameters import require_single_values
from routing.errors import InvalidRequest

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet
    from rest_framework.request import Request
    from rest_framework.views import APIView

_PAGING = frozenset({"cursor", "limit"})


class Pages(CursorPagination):
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    invalid_cursor_message = "The cursor is not one of this list's. Start again without it, or follow 'next'."

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError):
            if "cursor" in request.query_params:  # it was made up, and its position is none of the list's
                raise NotFound(self.invalid_cursor_message) from None
            raise

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.get_next_link()})


class NewestFirst(Pages):
    ordering = ("-created_at", "-id")


class ById(Pages):
    ordering = "id"


class StrictFilters(DjangoFilterBackend):
    def filter_queryset(self, request: Request, queryset: QuerySet[Model], view: APIView) -> QuerySet[Model]:
        filters = self.get_filterset_class(view, queryset)
        names = filters.base_filters if filters else {}
        several = frozenset(name for name, each in names.items() if isinstance(each, MultipleChoiceFilter))
        require_single_values(request, _PAGING | frozenset(names), several)
        _require_limit(request.query_params.get("limit"))
        filtered: QuerySet[Model] = super().filter_queryset(request, queryset, view)
        return filtered


def _require_limit(limit: str | None) -> None:
    if limit is not None and not (limit.isascii() and limit.isdigit() and 0 < int(limit[:9]) <= Pages.max_page_size):
        raise InvalidRequest(f"The limit must be from 1 to {Pages.max_page_size}.")
