"""Every answer is JSON, whatever the caller says that it accepts: there is nothing else to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.negotiation import DefaultContentNegotiation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request


class JSONAlone(DefaultContentNegotiation):
    def select_renderer(
        self,
        request: Request,  # noqa: ARG002 (Django REST framework's signature)
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002 (as above)
    ) -> tuple[Any, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)
