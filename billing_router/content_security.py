"""What a browser may load and run on each page: the router's own files, and nothing that was written into a page.

The admin's Alpine.js evaluates the attributes of its own templates, which takes ``unsafe-eval``; no page has a script
in its text, and none loads anything from elsewhere. Whatever is not a page loads nothing at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.urls import reverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

_HEADER = "Content-Security-Policy"

_NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

_PAGE = (
    "default-src 'none'; script-src 'self'{eval}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'{sign_in}"
)


class ContentSecurity:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault(_HEADER, _policy(request.path))
        return response


def _policy(path: str) -> str:
    if path.startswith(reverse("admin:index")):
        provider = f" {settings.IDENTITY_PROVIDER_ORIGIN}" if settings.IDENTITY_PROVIDER_ORIGIN else ""
        return _PAGE.format(eval=" 'unsafe-eval'", sign_in=provider)
    return _PAGE.format(eval="", sign_in="") if path == reverse("docs") else _NOTHING
