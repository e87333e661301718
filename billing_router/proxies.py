"""Believes the ``X-Forwarded`` headers of the deployment's own proxies, and of nobody else."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

_CLIENT = "REMOTE_ADDR"

_FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PROTO",
)


class TrustProxies:
    """Make ``REMOTE_ADDR`` the client's: the last of the forwarded addresses that is no proxy of ours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        peer = request.META.get(_CLIENT, "")
        if _is_trusted(peer):
            request.META[_CLIENT] = _client(peer, request.META.get("HTTP_X_FORWARDED_FOR", ""))
        else:
            for name in _FORWARDED:
                request.META.pop(name, None)
        return self.get_response(request)


def _client(peer: str, forwarded: str) -> str:
    client = peer
    for address in reversed(forwarded.split(",")):
        if not _is_trusted(client) or not _is_address(address.strip()):
            break
        client = address.strip()
    return client


def _is_trusted(address: str) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in settings.TRUSTED_PROXIES)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
