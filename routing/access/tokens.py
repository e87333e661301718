"""Issues bot tokens, and authenticates the bots that call."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from routing.access.models import EVERY_BOT, BotToken, Scope
from routing.errors import InvalidRequest, NotAuthenticated, NotPermitted
from routing.postgres import connection
from stripe_billing_router.secret_patterns import BOT_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routing.identifiers import BotId

_TOKEN = re.compile(BOT_TOKEN + r"([0-9a-f]{12})_[A-Za-z0-9_-]{43}")

_FIND = "SELECT name, digest, bots, scopes FROM routing_bottoken WHERE prefix = %s AND revoked_at IS NULL"

_REFUSED = (
    "The bot token is missing, mistyped or revoked. Send 'Authorization: Bearer brt_…' with a token from issue_token."
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What the caller's token allows. ``prefix`` tells it from every other token."""

    name: str
    prefix: str
    bots: frozenset[str]
    scopes: frozenset[str]
    is_authenticated: bool = True  # Django REST framework requires it of a user

    @property
    def description(self) -> str:
        """What the audit log and a change call the token."""
        return f"token {self.name} ({self.prefix}…)"

    def require_scope(self, scope: Scope) -> None:
        if scope not in self.scopes:
            raise NotPermitted(f"The token {self.name!r} does not allow this: it needs the scope {scope.value!r}.")

    def require_bot(self, bot: BotId) -> None:
        if not self.includes_bot(str(bot)):
            raise NotPermitted(f"The token {self.name!r} does not belong to the bot {str(bot)!r}.")

    def includes_bot(self, bot: str) -> bool:
        return bot in self.bots or EVERY_BOT in self.bots


def issue(name: str, bots: Iterable[str], scopes: Iterable[str]) -> str:
    """Issue a token and return it; it cannot be shown again."""
    prefix = secrets.token_hex(6)
    token = f"{BOT_TOKEN}{prefix}_{secrets.token_urlsafe(32)}"
    unknown = sorted(set(scopes) - set(Scope.values))
    if unknown:
        raise InvalidRequest(f"There is no scope {unknown[0]!r}. The scopes are: {', '.join(Scope.values)}.")
    BotToken.objects.create(
        name=name, prefix=prefix, digest=_digest(token), bots=sorted(set(bots)), scopes=sorted(set(scopes))
    )
    return token


def authenticate(token: str) -> Grant:
    """Return what ``token`` allows, as of now; raise ``NotAuthenticated``."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise NotAuthenticated(_REFUSED)
    with connection() as database:
        row = database.execute(_FIND, [match[1]]).fetchone()
    if row is None or not hmac.compare_digest(row["digest"], _digest(token)):
        raise NotAuthenticated(_REFUSED)
    return Grant(row["name"], match[1], frozenset(row["bots"]), frozenset(row["scopes"]))


def _digest(token: str) -> bytes:
    return hmac.digest(settings.TOKEN_PEPPER.encode(), token.encode(), hashlib.sha256)
