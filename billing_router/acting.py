"""Says for the audit log who makes a request, and gives the request an id that the log and the response share."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpResponseRedirect
from django.urls import reverse

from routing.api.authentication import TOKEN_NAME
from routing.approval.models import ChangeRequest
from routing.approval.proposals import PAGE_IF_PROPOSED, apply_or_propose
from routing.audit.acting import Acting, acting

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"

_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class SaysWhoActs:
    """Comes last, after the middleware that knows the user. A bot's token is named when it has been checked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Make what a page of the admin posts take effect, or propose it where it needs another person's approval."""
        if request.method != "POST" or not request.path.startswith(reverse("admin:index")):
            return None
        outcome = apply_or_propose(lambda: view(request, *args, **kwargs))
        if not isinstance(outcome, ChangeRequest):
            return outcome
        page: Callable[[ChangeRequest], HttpResponse] | None = getattr(request, PAGE_IF_PROPOSED, None)
        if page is not None:
            return page(outcome)
        messages.info(request, f"Proposed as {outcome}. It takes effect when another person has approved it.")
        return HttpResponseRedirect(reverse("admin:routing_changerequest_change", args=[outcome.pk]))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        with acting(lambda: _who(request, request_id)):
            response = self.get_response(request)
        response[HEADER] = request_id
        return response


def _who(request: HttpRequest, request_id: str) -> Acting:
    if token := request.META.get(TOKEN_NAME):
        return Acting("API", token, request_id=request_id)
    user = request.user
    if user is None or not user.is_authenticated:  # Django REST framework sets None
        return Acting("HTTP", "nobody signed in", request_id=request_id)
    return Acting("admin", user.get_username(), user.pk, request_id)
