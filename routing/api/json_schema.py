"""The JSON Schema of a ``TypedDict``, from which the OpenAPI document describes the responses. Pure."""

from __future__ import annotations

import builtins
import types
import typing
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from stripe_billing_router.schemas import Format

if TYPE_CHECKING:
    from collections.abc import Callable

Schema = dict[str, Any]

_SCALARS: dict[Any, str] = {str: "string", int: "integer", bool: "boolean"}


def object_schema(typed_dict: Any, reference: Callable[[Any], Schema]) -> Schema:
    """Return the schema of a ``TypedDict``; ``reference`` returns the ``$ref`` to another one."""
    hints = typing.get_type_hints(typed_dict, include_extras=True)
    return {
        "type": "object",
        "description": describe(typed_dict),
        "properties": {name: _schema(hint, reference) for name, hint in hints.items()},
        "required": [name for name in hints if name in typed_dict.__required_keys__],
    }


def describe(typed_dict: Any) -> str:
    """Return its docstring in Markdown; empty where the name is enough."""
    return cleandoc(typed_dict.__doc__ or "").replace("``", "`")


def _schema(hint: Any, reference: Callable[[Any], Schema]) -> Schema:
    arguments = typing.get_args(hint)
    match typing.get_origin(hint):
        case None:
            return {"type": _SCALARS[hint]} if hint in _SCALARS else reference(hint)
        case typing.Literal:
            return {"type": "string", "enum": list(arguments)}
        case builtins.list:
            return {"type": "array", "items": _schema(arguments[0], reference)}
        case builtins.dict:
            return {"type": "object", "additionalProperties": _schema(arguments[1], reference)}
        case typing.Union | types.UnionType:
            (value,) = (argument for argument in arguments if argument is not types.NoneType)
            return _nullable(_schema(value, reference))
        case _:  # NotRequired and Annotated
            return _schema(arguments[0], reference) | _keywords(getattr(hint, "__metadata__", ()))


def _keywords(notes: tuple[str, ...]) -> Schema:
    return {"format" if isinstance(note, Format) else "description": str(note) for note in notes}


def _nullable(schema: Schema) -> Schema:
    if "type" in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}
