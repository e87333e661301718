"""How drf-spectacular describes the API: responses by their ``TypedDict``, errors as problems."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, is_typeddict

from django.http import HttpResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiResponse
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType

from routing.api.fields import StrictSerializer, TypedDictField
from routing.api.json_schema import Schema, describe, object_schema
from stripe_billing_router.errors import all_errors
from stripe_billing_router.schemas import Problem

if TYPE_CHECKING:
    from django.http import HttpRequest

PROBLEM_MEDIA_TYPE = "application/problem+json"

REFUSED_BY_THE_FRAMEWORK = (MethodNotAllowed, UnsupportedMediaType)
"""What Django REST framework refuses before a view: nothing was done."""

INTERNAL_ERROR = "internal_error"

_CACHED_SECONDS = 300
_NO_OR_YES = ("no", "yes")

Direction = Literal["request", "response"]


class ApiAutoSchema(AutoSchema):
    """Takes a ``TypedDict`` wherever ``extend_schema(responses=…)`` takes a serializer, and adds the errors.

    The first sentence of a method's docstring is the operation's summary; its description adds the scope that the token
    needs. A view whose errors are not problems says so with ``raises_problems = False``.
    """

    def get_summary(self) -> str:
        sentence, _, _ = super().get_description().partition(".")
        return sentence

    def get_description(self) -> str:  # type: ignore[override]  # DRF's stubs have the signature of its own generator
        scope = getattr(self.view, "scopes", {}).get(self.method)
        return super().get_description() + (f"\n\nThe token needs the scope `{scope}`." if scope else "")

    def _get_response_bodies(self, direction: Direction = "response") -> Schema:
        bodies = super()._get_response_bodies(direction)
        if getattr(self.view, "raises_problems", True):
            problem = OpenApiResponse(Problem)
            bodies["default"] = self._get_response_for_code(problem, "default", [PROBLEM_MEDIA_TYPE], direction)
        return bodies

    def _get_response_for_code(
        self, serializer: Any, status_code: str, media_types: list[str] | None = None, direction: Direction = "response"
    ) -> Schema:
        response = serializer if isinstance(serializer, OpenApiResponse) else OpenApiResponse(serializer)
        if not is_typeddict(response.response):
            return super()._get_response_for_code(serializer, status_code, media_types, direction)
        schema = {"schema": self.reference(response.response)}
        headers = self._get_response_headers_for_code(status_code, direction)
        return {
            "description": response.description or describe(response.response),
            "content": dict.fromkeys(media_types or self.map_renderers("media_type"), schema),
            **({"headers": headers} if headers else {}),
        }

    def _is_list_view(self, serializer: Any = None) -> bool:  # noqa: ARG002 (drf-spectacular's signature)
        return self.method == "GET" and getattr(self.view, "pagination_class", None) is not None

    def reference(self, typed_dict: Any) -> Schema:
        """Return the ``$ref`` to the component of a ``TypedDict``, which is added if it is new."""
        component = ResolvedComponent(
            name=typed_dict.__name__, type=ResolvedComponent.SCHEMA, schema={}, object=typed_dict
        )
        if component not in self.registry:
            self.registry.register(component)
            component.schema = object_schema(typed_dict, self.reference)
        return component.ref


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """Return the OpenAPI document, which is made once for each process and changes with the release alone."""
    document = _document()
    response = HttpResponse(document, content_type="application/json")
    patch_cache_control(response, public=True, max_age=_CACHED_SECONDS)
    response["ETag"] = f'"{hashlib.sha256(document).hexdigest()}"'
    return get_conditional_response(request, etag=response["ETag"], response=response) or response


@cache
def _document() -> bytes:
    return json.dumps(SchemaGenerator().get_schema(public=True)).encode()


def describe_errors(result: Schema, **_: Any) -> Schema:
    """Add the table of errors to the document's description: one of drf-spectacular's POSTPROCESSING_HOOKS."""
    result["info"]["description"] += "\n\n" + _table_of_errors()
    return result


def _table_of_errors() -> str:
    rows = [
        f"| `{kind.code}` | {kind.status} | {kind.title} | {_NO_OR_YES[kind.money_may_have_moved]} "
        f"| {_NO_OR_YES[kind.retry_with_same_key]} |"
        for kind in all_errors()
    ]
    rows += [
        f"| `{kind.default_code}` | {kind.status_code} | {HTTPStatus(kind.status_code).phrase} | no | no |"
        for kind in REFUSED_BY_THE_FRAMEWORK
    ]
    rows.append(f"| `{INTERNAL_ERROR}` | 500 | Internal server error | yes, unless it was a read | yes |")
    return "\n".join(
        ["| code | status | title | money may have moved | retry with the same key |", "|-|-|-|-|-|", *rows]
    )


class StrictSerializerExtension(OpenApiSerializerExtension):
    """Says that unknown fields are refused, and adds the serializer's example."""

    target_class = StrictSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)  # noqa: SLF001 (as documented)
        return {**schema, "additionalProperties": False, "examples": [self.target.example]}


class TypedDictFieldExtension(OpenApiSerializerFieldExtension):
    target_class = TypedDictField

    def map_serializer_field(self, auto_schema: Any, direction: Direction) -> Schema:  # noqa: ARG002 (drf-spectacular's signature)
        return auto_schema.reference(self.target.typed_dict)
