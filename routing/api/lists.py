"""How lists are paged and filtered: ``{results, next}``; unknown filters are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django_filters.rest_framework import DjangoFilterBackend
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
        filtered: QuerySet[Model] = super().filter_queryset(request, queryset, view)
        return filtered
