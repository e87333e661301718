"""Query parameters: what a call does not know is refused, as a misspelled one would be ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.views import APIView

from routing.api.sensitive import refuse_sensitive
from routing.errors import InvalidRequest

if TYPE_CHECKING:
    from rest_framework.request import Request

_READS = ("GET", "HEAD")


class StrictParameters(APIView):
    """For a view; ``parameters`` are those of its GET. The filters of a list refuse what they do not know.

    ``write_parameters`` are those of its other methods.
    """

    parameters: frozenset[str] = frozenset()
    write_parameters: frozenset[str] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        is_read = request.method in _READS
        if is_read and getattr(self, "filterset_class", None):
            return
        require_single_values(request, self.parameters if is_read else self.write_parameters)


def require_single_values(request: Request, known: frozenset[str], several: frozenset[str] = frozenset()) -> None:
    """Refuse a parameter that is not ``known``, and one that is given twice and not one of ``several``."""
    refuse_sensitive(dict(request.query_params.lists()))
    if unknown := sorted(set(request.query_params) - known):
        names = f"The parameters are: {', '.join(sorted(known))}." if known else "This call has none."
        raise InvalidRequest(f"Unknown query parameter {unknown[0]!r:.60}. {names}")
    for name, values in request.query_params.lists():
        if len(values) > 1 and name not in several:
            raise InvalidRequest(f"The query parameter {name!r} was given {len(values)} times. Give it once.")
