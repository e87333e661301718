"""The registry's routes as a live, read-only mapping."""

from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from types import MappingProxyType
from typing import NoReturn, TypeAlias, cast

from stripe_billing_router.errors import InvalidRequest, NotFound, RoutingError
from stripe_billing_router.shapes import RegisteredRoute

RouteKey: TypeAlias = tuple[str, str, str, str]
ReadOnlyRoute: TypeAlias = Mapping[str, str]

_PARTS = ("domain", "region", "business_category", "bot_name")


class RoutingTable(Mapping[RouteKey, ReadOnlyRoute]):
    """``(domain, region, business_category, bot_name) -> route``, asked of the router at each use.

    ``ROUTING_TABLE[("stripe", "default", "finance", "finance_router_bot")]["price_id"]`` is one request; iterating,
    ``len``, ``items`` and ``values`` read the whole list. A key that is not registered, or is not four texts, raises
    ``KeyError``. To change a route, call ``register_route``. The token needs the scope ``read``.
    """

    __slots__ = ("_list_routes",)

    def __init__(self, list_routes: Callable[..., list[RegisteredRoute]]) -> None:
        self._list_routes = list_routes

    def __getitem__(self, key: RouteKey) -> ReadOnlyRoute:
        if not _is_route_key(key):
            raise KeyError(key)
        try:
            found = self._list_routes(**dict(zip(_PARTS, key, strict=True)))
        except (RoutingError, NotFound, InvalidRequest) as cause:
            raise KeyError(key) from cause
        for entry in found:
            if _key_of(entry) == key:
                return _read_only(entry)
        raise KeyError(key)

    def __iter__(self) -> Iterator[RouteKey]:
        return (_key_of(entry) for entry in self._list_routes())

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
        return ((_key_of(entry), _read_only(entry)) for entry in self._list_routes())

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("ROUTING_TABLE is read-only: call register_route or register_override to change a route.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    pop = popitem = setdefault = update = clear = _refuse


class _Items(ItemsView[RouteKey, ReadOnlyRoute]):
    """Reads the list once, where the inherited one would ask for every key."""

    _mapping: RoutingTable

    def __iter__(self) -> Iterator[tuple[RouteKey, ReadOnlyRoute]]:
        return self._mapping.entries()


class _Values(ValuesView[ReadOnlyRoute]):
    """Reads the list once, where the inherited one would ask for every key."""

    _mapping: RoutingTable

    def __iter__(self) -> Iterator[ReadOnlyRoute]:
        return (route for _, route in self._mapping.entries())


def _is_route_key(key: object) -> bool:
    return isinstance(key, tuple) and len(key) == len(_PARTS) and all(isinstance(part, str) and part for part in key)


def _key_of(entry: RegisteredRoute) -> RouteKey:
    return entry["domain"], entry["region"], entry["business_category"], entry["bot_name"]


def _read_only(entry: RegisteredRoute) -> ReadOnlyRoute:
    return MappingProxyType(cast("dict[str, str]", entry["route"]))
