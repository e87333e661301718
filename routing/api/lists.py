"""How lists are paged and filtered: ``{results, next}``; unknown filters are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django_filters import Filter, FilterSet, MultipleChoiceFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response

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
        allowed = _PAGING | (set(filters.base_filters) if filters else set())
        if unknown := sorted(set(request.query_params) - allowed):
            raise InvalidRequest(f"Unknown filter {unknown[0]!r:.60}. The filters are: {', '.join(sorted(allowed))}.")
        _require_single_values(request, filters)
        _require_limit(request.query_params.get("limit"))
        filtered: QuerySet[Model] = super().filter_queryset(request, queryset, view)
        return filtered


def _require_single_values(request: Request, filters: type[FilterSet] | None) -> None:
    several = {name for name, each in (filters.base_filters if filters else {}).items() if _takes_several(each)}
    for name, values in request.query_params.lists():
        if len(values) > 1 and name not in several:
            raise InvalidRequest(f"The filter {name!r} was given {len(values)} times. Give it once.")


def _takes_several(each: Filter) -> bool:
    return isinstance(each, MultipleChoiceFilter)


def _require_limit(limit: str | None) -> None:
    if limit is not None and not (limit.isascii() and limit.isdigit() and 0 < int(limit[:9]) <= Pages.max_page_size):
        raise InvalidRequest(f"The limit must be from 1 to {Pages.max_page_size}.")
