"""Keeps secrets out of tracebacks: a collector of errors copies the local variables of every frame."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def without_inner_frames(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Let an error leave the function without the frames of what it has called, nor those of the error's causes.

    For a function that opens a secret: libraries that send it have it in their local variables as plain text. Its own
    arguments must show no secret either.
    """

    @wraps(function)
    def bounded(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            for each in _chain(error):
                each.__traceback__ = None
            raise

    return bounded


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all that it was raised from or during."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            waiting += [each.__cause__, each.__context__]
            yield each
