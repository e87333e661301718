"""Fields that take exactly what they say: no numbers for texts, no texts for numbers, nothing unnamed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(
                {name: [f"There is no such field. The fields are: {', '.join(self.fields)}."] for name in unknown[:5]}
            )
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A JSON string."""

    default_error_messages = {"not_text": "Must be a text."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A JSON integer; neither a string of digits nor a boolean."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class Texts(serializers.DictField):
    """A JSON object from text to text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Text(allow_blank=True), **kwargs)


@extend_schema_field({"oneOf": [{"type": "string", "example": "19.99"}, {"type": "number"}]})
class Amount(serializers.Field[Any, Any, Any, Any]):
    """An amount as it was written; the domain says whether it is one."""

    def to_internal_value(self, data: Any) -> str | int | Decimal:
        if isinstance(data, bool) or not isinstance(data, (str, int, Decimal)):
            raise serializers.ValidationError('Must be a decimal string such as "19.99" or a number.')
        return data

    def to_representation(self, value: Any) -> Any:
        return value
