"""Every error as an RFC 9457 problem: a stable code, whether money may have moved, whether the same key helps."""

from __future__ import annotations

import logging
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import psycopg
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import page_not_found
from django.views.defaults import server_error as page_server_error
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response

from routing.errors import BillingError, InvalidRequest, NotFound, NotPermitted
from routing.postgres.states import unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/problem+json"

_API = "/api/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

logger = logging.getLogger(__name__)


def problem_response(error: Exception, context: Mapping[str, Any]) -> Response:
    """Answer ``error``; Django REST framework calls this for whatever a view raises."""
    if isinstance(error, APIException) and not isinstance(error, ValidationError):
        return _response(_of_framework(error), _headers_of(error))
    known = _known(error)
    if known is None:
        logger.error("An unexpected error.", exc_info=error)
        return _response(_unexpected(context["request"].method))
    return _response(
        _of_billing(known), {"WWW-Authenticate": "Bearer"} if known.status == HTTPStatus.UNAUTHORIZED else {}
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that does not exist."""
    if not request.path.startswith(_API):
        return page_not_found(request, exception)
    problem = _of_billing(NotFound(f"There is nothing at {request.path[:200]}. The addresses are listed in /api/docs."))
    return JsonResponse(problem, status=HTTPStatus.NOT_FOUND, content_type=MEDIA_TYPE)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an error outside the API's own views."""
    error = sys.exc_info()[1]
    if error and (known := unavailable(error)):
        return _unavailable(request, known)
    if not request.path.startswith(_API):
        return page_server_error(request)
    return JsonResponse(_unexpected(request.method), status=HTTPStatus.INTERNAL_SERVER_ERROR, content_type=MEDIA_TYPE)


def _unavailable(request: HttpRequest, known: BillingError) -> HttpResponse:
    if request.path.startswith(_API):
        return JsonResponse(_of_billing(known), status=known.status, content_type=MEDIA_TYPE)
    return HttpResponse(f"{known.title}. Try again in a moment.", status=known.status, content_type="text/plain")


def _known(error: Exception) -> BillingError | None:
    match error:
        case BillingError():
            return error
        case ValidationError():
            fields = list(_fields(error.detail))
            return InvalidRequest(" ".join(f"{name}: {said}" if name else said for name, said in fields), errors=fields)
        case Http404():
            return NotFound("There is no such thing, or it is not yours to see.")
        case PermissionDenied():
            return NotPermitted("The token does not allow this.")
        case psycopg.Error() | DatabaseError():
            return unavailable(error)
        case _:
            return None


def _fields(detail: Any, name: str = "") -> Any:
    """Yield (field, sentence) for each complaint of a serializer."""
    if isinstance(detail, dict):
        for part, inner in detail.items():
            own = "" if part == "non_field_errors" else str(part)
            yield from _fields(inner, f"{name}.{own}".strip("."))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _fields(inner, name)
    else:
        yield name, str(detail)


def _of_billing(error: BillingError) -> dict[str, Any]:
    return {
        "type": f"urn:stripe-billing-router:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        "code": error.code,
        "money_may_have_moved": error.money_may_have_moved,
        "retry_with_same_key": error.retry_with_same_key,
        **error.context,
    }


def _of_framework(error: APIException) -> dict[str, Any]:
    """Answer what the framework itself refuses, such as a wrong method or media type: nothing was done."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": str(error.detail),
        "code": str(error.default_code),
        "money_may_have_moved": False,
        "retry_with_same_key": False,
    }


def _unexpected(method: str | None) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": "An unexpected error",
        "status": HTTPStatus.INTERNAL_SERVER_ERROR,
        "detail": "The router met an error that it does not know. Repeat the call with the same idempotency key.",
        "code": "internal_error",
        "money_may_have_moved": method not in _SAFE,
        "retry_with_same_key": True,
    }


def _headers_of(error: APIException) -> dict[str, str]:
    wait = getattr(error, "wait", None)
    return {"Retry-After": f"{wait:.0f}"} if wait else {}


def _response(problem: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(problem, status=problem["status"], headers=dict(headers or {}), content_type=MEDIA_TYPE)
