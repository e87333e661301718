"""Who may use the demo: a token for bots, a password for the admin. Both are new each time."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User
from django.db.models.functions import Now

from routing.access import tokens
from routing.access.models import BotToken, Scope
from routing.identifiers import EVERY


def issue_token() -> str:
    """Issue a token that may do all that one may for every bot, and revoke that of an earlier demo."""
    BotToken.objects.filter(name="demo", revoked_at=None).update(revoked_at=Now())
    return tokens.issue("demo", [EVERY], tokens.allowed_scopes([EVERY], Scope.values))


def set_password(username: str) -> str:
    """Give the superuser, who is created where there is none, a new password, and return it."""
    password = secrets.token_urlsafe(9)
    user, _ = User.objects.get_or_create(username=username, defaults={"is_staff": True, "is_superuser": True})
    user.set_password(password)
    user.save()
    return password
