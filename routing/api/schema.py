"""What the OpenAPI document says of every call: errors are problems."""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

_PROBLEM = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(help_text="What went wrong, and what to do."),
        "code": serializers.CharField(help_text="Stable; names the error's class in the client."),
        "money_may_have_moved": serializers.BooleanField(),
        "retry_with_same_key": serializers.BooleanField(help_text="Sending the same again is safe and may help."),
    },
)


class ProblemAutoSchema(AutoSchema):
    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        bodies["default"] = self._get_response_for_code(_PROBLEM, "default", ["application/problem+json"])
        return bodies
