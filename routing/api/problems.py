"""Errors as RFC 9457 problems: a stable code, whether money may have moved, whether to retry with the same key."""

from __future__ import annotations

import json
import logging
import re
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import psycopg
from django.core.exceptions import DisallowedHost, PermissionDenied
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import bad_request as page_bad_request
from django.views.defaults import page_not_found
from django.views.defaults import server_error as page_server_error
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response

from routing.api.openapi import INTERNAL_ERROR, PROBLEM_MEDIA_TYPE
from routing.errors import BillingError, InvalidRequest, NotFound, NotPermitted
from routing.postgres.states import unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stripe_billing_router.schemas import FieldError, Problem

_API = re.compile(r"/+api(/|$)")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

logger = logging.getLogger(__name__)


def problem_response(error: Exception, context: Mapping[str, Any]) -> Response:
    """Return the response to ``error``; Django REST framework calls this for whatever a view raises."""
    if isinstance(error, APIException) and not isinstance(error, ValidationError):
        return _response(_framework_problem(error), _retry_after(error))
    billing_error = _billing_error(error)
    if billing_error is None:
        logger.error("An unexpected error.", exc_info=error)
        return _response(_internal_error(context["request"].method))
    is_unauthorized = billing_error.status == HTTPStatus.UNAUTHORIZED
    return _response(_billing_problem(billing_error), {"WWW-Authenticate": "Bearer"} if is_unauthorized else {})


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return 404 for a URL that does not exist."""
    if not _API.match(request.path):
        return page_not_found(request, exception)
    unknown = f"There is no endpoint at {request.path[:200]}. The endpoints are listed in /api/docs."
    return error_response(request, NotFound(unknown))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return 400 for a request that Django itself refuses, such as one for a host that is not this router's."""
    if not _API.match(request.path):
        return page_bad_request(request, exception)
    if isinstance(exception, DisallowedHost):
        return error_response(
            request, InvalidRequest("The Host header names no host of this router. Check its address.")
        )
    return error_response(request, InvalidRequest("The request is malformed. Check its address and its headers."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Return 500 for an error outside the API's own views, and 503 where it is the database's state."""
    error = sys.exc_info()[1]
    if error and (known := unavailable(error)):
        return error_response(request, known)
    if not _API.match(request.path):
        return page_server_error(request)
    problem = _internal_error(request.method)
    return JsonResponse(problem, status=HTTPStatus.INTERNAL_SERVER_ERROR, content_type=PROBLEM_MEDIA_TYPE)


def error_response(request: HttpRequest, error: BillingError) -> HttpResponse:
    """Return the response to an error outside the API's own views."""
    content_type, body = error_body(request.path, error)
    return HttpResponse(body, status=error.status, content_type=content_type)


def error_body(path: str, error: BillingError) -> tuple[str, bytes]:
    """Return the media type and the body of an error outside the API's own views: a problem, or a page's sentence."""
    if _API.match(path):
        return PROBLEM_MEDIA_TYPE, json.dumps(_billing_problem(error)).encode()
    if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return "text/plain; charset=utf-8", str(error).encode()
    again = " Try again in a moment." if error.retry_with_same_key else ""
    return "text/plain", f"{error.title}.{again}".encode()


def _billing_error(error: Exception) -> BillingError | None:
    match error:
        case BillingError():
            return error
        case ValidationError():
            errors = list(_field_errors(error.detail))
            detail = " ".join(": ".join(filter(None, (item["field"], item["detail"]))) for item in errors)
            return InvalidRequest(detail, errors=errors)
        case Http404():
            return NotFound("Not found, or the token may not see it.")
        case PermissionDenied():
            return NotPermitted("The token does not allow this.")
        case psycopg.Error() | DatabaseError():
            return unavailable(error)
        case _:
            return None


def _field_errors(detail: Any, field: str = "") -> Iterator[FieldError]:
    if isinstance(detail, dict):
        for part, inner in detail.items():
            name = "" if part == "non_field_errors" else str(part)
            yield from _field_errors(inner, f"{field}.{name}".strip("."))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _field_errors(inner, field)
    else:
        yield {"field": field, "detail": str(detail)}


def _billing_problem(error: BillingError) -> Problem:
    problem: Problem = {
        "type": f"urn:stripe-billing-router:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        "code": error.code,
        "money_may_have_moved": error.money_may_have_moved,
        "retry_with_same_key": error.retry_with_same_key,
    }
    return cast("Problem", {**problem, **error.context})


def _framework_problem(error: APIException) -> Problem:
    """Return what the framework itself refuses, such as a wrong method or media type: nothing was done."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": str(error.detail),
        "code": str(error.default_code),
        "money_may_have_moved": False,
        "retry_with_same_key": False,
    }


def _internal_error(method: str | None) -> Problem:
    return {
        "type": "about:blank",
        "title": "Internal server error",
        "status": HTTPStatus.INTERNAL_SERVER_ERROR,
        "detail": "An unexpected error in the router. Retry with the same idempotency key.",
        "code": INTERNAL_ERROR,
        "money_may_have_moved": method not in _SAFE_METHODS,
        "retry_with_same_key": True,
    }


def _retry_after(error: APIException) -> dict[str, str]:
    wait = getattr(error, "wait", None)
    return {"Retry-After": f"{wait:.0f}"} if wait else {}


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return Response(problem, status=problem["status"], headers=dict(headers or {}), content_type=PROBLEM_MEDIA_TYPE)
