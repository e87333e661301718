"""The form of requests: strict serializers and fields, with no coercion and no unknown fields.

They check the form; the domain checks the meaning.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from routing.api.sensitive import refuse_sensitive

if TYPE_CHECKING:
    from rest_framework.request import Request

BOT_HELP = "`business_category:bot_name` or `domain:business_category:bot_name`."
CUSTOMER_HELP = "The route's customer unless given; else one that this bot created."
OVERRIDES_HELP = 'Qualifiers such as `{"region": "eu", "business": "enterprise"}`.'


class StrictSerializer(serializers.Serializer[Any]):  # without a docstring, which would describe every request
    example: ClassVar[dict[str, Any]]

    @classmethod
    def parse(cls, request: Request) -> dict[str, Any]:
        """Return the fields that were sent, with defaults; raise what is wrong with them, and if they hold a secret."""
        refuse_sensitive(request.data)
        serializer = cls(data=request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def to_internal_value(self, data: Any) -> Any:
        """Refuse unknown fields."""
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(
                {name: [f"Unknown field. The fields are: {', '.join(self.fields)}."] for name in unknown[:5]}
            )
        return super().to_internal_value(data)


class String(serializers.CharField):
    """A JSON string."""

    default_error_messages = {"not_a_string": "Must be a string."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_a_string")
        return super().to_internal_value(data)


class Boolean(serializers.BooleanField):
    """A JSON boolean; neither a string nor a number."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class Integer(serializers.IntegerField):
    """A JSON integer; neither a string of digits nor a boolean."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class StringMap(serializers.DictField):
    """A JSON object whose values are strings."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=String(allow_blank=True), **kwargs)


class TypedDictField(serializers.DictField):
    """A JSON object that the OpenAPI document describes by a ``TypedDict``, and the domain checks."""

    def __init__(self, typed_dict: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.typed_dict = typed_dict


@extend_schema_field({"oneOf": [{"type": "string", "example": "19.99"}, {"type": "number"}]})
class Amount(serializers.Field[Any, Any, Any, Any]):
    """An amount as it was written; the domain checks whether it is valid."""

    def to_internal_value(self, data: Any) -> str | int | Decimal:
        if isinstance(data, bool) or not isinstance(data, (str, int, Decimal)):
            raise serializers.ValidationError('Must be a decimal string such as "19.99" or a number.')
        return data

    def to_representation(self, value: Any) -> Any:
        return value
