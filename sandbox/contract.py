"""Whether a request is one that the stripe wheel allows: unknown, missing and mistyped parameters are refused."""

from __future__ import annotations

import re
import typing
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, Required, Union

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict, is_typeddict

from sandbox import wheel
from sandbox.errors import StripeError, invalid

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_typed_dict: Any = TypedDict  # the strict ones are made at run time, where no type checker can follow
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,12})?")
_LONGEST_TEXT = 5000  # characters, Stripe's limit on any string


def validated(call: tuple[str, str], params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of ``call`` (method and path as the wheel spells it) with their types, or raise a 400."""
    try:
        found: dict[str, Any] = _adapter(call).validate_python(params)
    except ValidationError as error:
        raise _refusal(error, params) from error
    return found


@cache
def _adapter(call: tuple[str, str]) -> TypeAdapter[Any]:
    return TypeAdapter(_strict(wheel.calls()[call].load()))


@cache
def _strict_dict(parameters: Any) -> Any:
    fields = {name: _strict(annotation) for name, annotation in wheel.hints(parameters).items()}
    strict = _typed_dict(parameters.__name__, fields)
    strict.__pydantic_config__ = ConfigDict(extra="forbid")
    return strict


def _strict(annotation: Any) -> Any:
    """Return what the wheel's annotation means for a form, where every value arrives as text."""
    if is_typeddict(annotation):
        return _strict_dict(annotation)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (NotRequired, Required):
        return origin[_strict(args[0])]
    if origin in (Union, UnionType):
        return Union[tuple(_strict(choice) for choice in _choices(args))]  # noqa: UP007 (made from a tuple)
    if origin is list:
        return Annotated[list[_strict(args[0])], BeforeValidator(_listed)]  # type: ignore[misc]  # made at run time
    if origin is dict:
        return dict[str, _FREE_TEXT if args[1] is str else _strict(args[1])]  # type: ignore[misc]  # made at run time
    return _SCALARS.get(annotation, annotation)


def _choices(args: tuple[Any, ...]) -> list[Any]:
    """Close the wheel's open enums: ``Literal['a', 'b'] | str`` accepts only what it lists."""
    is_enum = any(typing.get_origin(arg) is Literal and typing.get_args(arg) != ("",) for arg in args)
    return [arg for arg in args if not wheel.is_untyped(arg) and not (is_enum and arg is str)]


def _listed(value: Any) -> Any:
    """Read ``{'0': a, '1': b}``, which is how a form spells a list."""
    if not isinstance(value, dict) or list(value) != [str(index) for index in range(len(value))]:
        raise PydanticCustomError("array", "Invalid array")
    return list(value.values())


def _integer(value: Any) -> int:
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        raise PydanticCustomError("integer", "Invalid integer")
    return int(value)


def _boolean(value: Any) -> bool:
    if value not in ("true", "false"):
        raise PydanticCustomError("boolean", "Invalid boolean")
    return bool(value == "true")


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise PydanticCustomError("decimal", "Invalid decimal")
    return Decimal(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("string", "Invalid string")
    if not value:
        raise PydanticCustomError("empty", "Empty string")
    if len(value) > _LONGEST_TEXT:
        raise PydanticCustomError("too_long", "Invalid string: it is too long")
    return value


def _free_text(value: Any) -> str:
    """Read a value of a hash such as metadata, where the empty string takes a name away."""
    return "" if value == "" else _text(value)


_FREE_TEXT = Annotated[str, BeforeValidator(_free_text)]
_SCALARS: dict[Any, Any] = {
    int: Annotated[int, BeforeValidator(_integer)],
    bool: Annotated[bool, BeforeValidator(_boolean)],
    float: Annotated[Decimal, BeforeValidator(_decimal)],
    Decimal: Annotated[Decimal, BeforeValidator(_decimal)],
    str: Annotated[str, BeforeValidator(_text)],
}

_CODES = {
    "extra_forbidden": "parameter_unknown",
    "missing": "parameter_missing",
    "integer": "parameter_invalid_integer",
    "empty": "parameter_invalid_empty",
}


def _refusal(error: ValidationError, params: dict[str, Any]) -> StripeError:
    """Return the 400 for the problem that lies deepest: of a union's members, that is the one that was meant."""
    problem = max(error.errors(include_url=False), key=lambda found: len(_names(found["loc"], params)))
    names = _names(problem["loc"], params)
    param = names[0] + "".join(f"[{name}]" for name in names[1:]) if names else ""
    kind = problem["type"]
    return invalid(_sentence(kind, param, problem), param=param, code=_CODES.get(kind))


def _sentence(kind: str, param: str, problem: Any) -> str:
    if kind == "extra_forbidden":
        return f"Received unknown parameter: {param}"
    if kind == "missing":
        return f"Missing required param: {param}."
    if kind == "empty":
        return (
            f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{param}' cannot be unset. You should remove '{param}' from your request or supply a value."
        )
    if kind == "literal_error":
        return f"Invalid {param}: must be one of {problem['ctx']['expected']}"
    return f"{problem['msg']}: {problem['input']!r:.60} ({param})"


def _names(loc: tuple[int | str, ...], params: Any) -> list[str]:
    """Return the parameter's own names in pydantic's location, which also names the members of unions."""
    names: list[str] = []
    at = params
    for step, is_last in ((part, index == len(loc) - 1) for index, part in enumerate(loc)):
        if isinstance(at, dict) and str(step) in at:
            names.append(str(step))
            at = at[str(step)]
        elif is_last and isinstance(at, dict) and str(step).isidentifier():
            names.append(str(step))
    return names
