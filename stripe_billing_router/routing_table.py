"""The registry's routes as a live, read-only mapping."""

from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from types import MappingProxyType
from typing import NoReturn, TypeAlias, cast

from stripe_billing_router.errors import InvalidRequest, NotFound, RoutingError
from stripe_billing_router.schemas import Route

RouteKey: TypeAlias = tuple[str, str, str, str]
ReadOnlyRoute: TypeAlias = Mapping[str, str]

_FIELDS = ("domain", "region", "business_category", "bot_name")


class RoutingTable(Mapping[RouteKey, ReadOnlyRoute]):
    """``(domain, region, business_category, bot_name) -> route``, read from the router at each use.

    ``ROUTING_TABLE[("stripe", "default", "finance", "finance_router_bot")]["price_id"]`` is one request; iterating,
    ``len``, ``items`` and ``values`` read the whole list. A key that is not registered, or is not four strings, raises
    ``KeyError``. To change a route, call ``register_route``. The token needs the scope ``read``.
    """

    __slots__ = ("_list_routes",)

    def __init__(self, list_routes: Callable[..., list[Route]]) -> None:
        self._list_routes = list_routes

    def __getitem__(self, key: RouteKey) -> ReadOnlyRoute:
        if not _is_route_key(key):
            raise KeyError(key)
        try:
            routes = self._list_routes(**dict(zip(_FIELDS, key, strict=True)))
        except (RoutingError, NotFound, InvalidRequest) as cause:
            raise KeyError(key) from cause
        for route in routes:
            if _route_key(route) == key:
                return _read_only(route)
        raise KeyError(key)

    def __iter__(self) -> Iterator[RouteKey]:
        return (_route_key(route) for route in self._list_routes())

    def __len__(self) -> int:
        return len(self._list_routes())

    def items(self) -> ItemsView[RouteKey, ReadOnlyRoute]:
        return _Items(self)

    def values(self) -> ValuesView[ReadOnlyRoute]:
        return _Values(self)

    def __repr__(self) -> str:
        return "<ROUTING_TABLE: live routes, (domain, region, business_category, bot_name) -> route>"

    def entries(self) -> Iterator[tuple[RouteKey, ReadOnlyRoute]]:
        """Read the whole list once."""
        return ((_route_key(route), _read_only(route)) for route in self._list_routes())

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("ROUTING_TABLE is read-only: call register_route or register_override to change a route.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    pop = popitem = setdefault = update = clear = _refuse


class _Items(ItemsView[RouteKey, ReadOnlyRoute]):
    """Reads the list once, where the inherited one would look up every key."""

    _mapping: RoutingTable

    def __iter__(self) -> Iterator[tuple[RouteKey, ReadOnlyRoute]]:
        return self._mapping.entries()


class _Values(ValuesView[ReadOnlyRoute]):
    """Reads the list once, where the inherited one would look up every key."""

    _mapping: RoutingTable

    def __iter__(self) -> Iterator[ReadOnlyRoute]:
        return (route for _, route in self._mapping.entries())


def _is_route_key(key: object) -> bool:
    return (
        isinstance(key, tuple) and len(key) == len(_FIELDS) and all(isinstance(field, str) and field for field in key)
    )


def _route_key(route: Route) -> RouteKey:
    return route["domain"], route["region"], route["business_category"], route["bot_name"]


def _read_only(route: Route) -> ReadOnlyRoute:
    return MappingProxyType(cast("dict[str, str]", route["route"]))
