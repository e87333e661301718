"""Ends sessions: every one twelve hours after signing in, and that of an approver once it was idle for half an hour."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

LENGTH = timedelta(hours=12)
IDLE = timedelta(minutes=30)

_NOTED_AGAIN = timedelta(minutes=1)
"""How often a session's use is written down: not with every page."""

_BEGUN_AT = "begun_at"
_USED_AT = "used_at"

_APPROVE = "routing.approve_change"


class EndSessions:
    """Comes after the middleware that knows the user and that of messages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.session.get(_BEGUN_AT) is not None and request.user.is_authenticated:
            self._end_or_note(request)
        return self.get_response(request)

    def _end_or_note(self, request: HttpRequest) -> None:
        now = time.time()
        used_at = request.session.get(_USED_AT, 0)
        if now - request.session[_BEGUN_AT] > LENGTH.total_seconds():
            _end(request, "You signed in more than twelve hours ago. Sign in again.")
        elif now - used_at > IDLE.total_seconds() and request.user.has_perm(_APPROVE):
            _end(request, "You can approve changes, and did nothing here for half an hour. Sign in again.")
        elif now - used_at > _NOTED_AGAIN.total_seconds():
            request.session[_USED_AT] = now


def _end(request: HttpRequest, reason: str) -> None:
    logout(request)
    messages.info(request, reason)


def _begin(request: HttpRequest, **_signal: Any) -> None:
    request.session[_BEGUN_AT] = request.session[_USED_AT] = time.time()


user_logged_in.connect(_begin)
