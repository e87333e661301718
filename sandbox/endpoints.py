"""What one endpoint of the API is: the function that answers it and the parameters that the function acts on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.objects import Json
    from sandbox.work import Work


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the contract allows: its work on the account, its parameters, and the ids in its path."""

    work: Work
    params: dict[str, Any]
    path: str
    ids: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The first id in the path, which most calls have alone."""
        return self.ids[0]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``takes`` names the parameters acted on. What else Stripe knows is refused, so that nothing is ignored."""

    answer: Callable[[Call], Json]
    takes: frozenset[str]

    def check_taken(self, params: dict[str, Any]) -> None:
        for name in params.keys() - self.takes:
            raise invalid(f"Stripe knows the parameter {name} here, but this sandbox does not act on it.", param=name)


Endpoints = dict[tuple[str, str], Endpoint]


def endpoint(answer: Callable[[Call], Json], takes: str = "") -> Endpoint:
    return Endpoint(answer, frozenset({"expand", *takes.split()}))


def listing(answer: Callable[[Call], Json], takes: str = "") -> Endpoint:
    return endpoint(answer, f"{takes} limit starting_after ending_before")
