"""Issues bot tokens, and authenticates the bots that call."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import psycopg
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from routing.access import named_bots
from routing.access.models import EVERY_QUALIFIER, BotToken, Scope
from routing.access.named_bots import NamedBots
from routing.audit.acting import SETTING, Acting
from routing.errors import InvalidRequest, NotAuthenticated, NotPermitted
from routing.identifiers import parse_pattern
from routing.postgres import connection
from stripe_billing_router.secret_patterns import BOT_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from routing.identifiers import BotId

_TOKEN = re.compile(BOT_TOKEN + r"([0-9a-f]{12})_[A-Za-z0-9_-]{43}")

LIFETIME = timedelta(days=90)
"""Of a token, unless another is asked for."""

EXPIRES_SOON = timedelta(days=14)
"""Before a token expires, when it should be rotated."""

OVERLAP = timedelta(days=7)
"""How long a token that was rotated stays valid beside the new one."""

_MAX_NETWORKS_SEEN = 100

_MAX_QUALIFIER = 64
"""Characters of its key, and of its value."""

_FIND = """
SELECT token.id, name, digest, bots, scopes, qualifiers, token.networks, expires_at,
       expires_at <= clock_timestamp() AS has_expired,
       COALESCE(token_use.networks, '{}') AS networks_seen,
       COALESCE(token_use.at < clock_timestamp() - interval '1 hour', true) AS is_use_unnoted
FROM routing_bottoken AS token LEFT JOIN routing_tokenuse AS token_use ON token_id = token.id
WHERE prefix = %s AND revoked_at IS NULL
"""

_NOTE_USE = """
INSERT INTO routing_tokenuse AS token_use (token_id, at, networks)
VALUES (%(token)s, clock_timestamp(), %(networks)s)
ON CONFLICT (token_id) DO UPDATE SET at = excluded.at, networks = CASE
    WHEN excluded.networks <@ token_use.networks OR cardinality(token_use.networks) >= %(max)s THEN token_use.networks
    ELSE token_use.networks || excluded.networks END
"""

_REFUSED = (
    "The bot token is missing, mistyped or revoked. Send 'Authorization: Bearer brt_…' with a token from issue_token."
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """What the caller's token allows. ``prefix`` tells it from every other token."""

    name: str
    prefix: str
    bots: NamedBots
    scopes: frozenset[str]
    qualifiers: frozenset[str] = frozenset({EVERY_QUALIFIER})
    is_authenticated: bool = True  # Django REST framework requires it of a user

    @property
    def description(self) -> str:
        """What the audit log and a change call the token."""
        return f"token {self.name} ({self.prefix}…)"

    def require_scope(self, scope: Scope) -> None:
        if scope not in self.scopes:
            raise NotPermitted(f"The token {self.name!r} does not allow this: it needs the scope {scope.value!r}.")

    def require_bot(self, bot: BotId) -> None:
        if str(bot) not in self.bots:
            raise NotPermitted(f"The token {self.name!r} does not belong to the bot {str(bot)!r}.")

    def require_qualifiers(self, named: Mapping[str, str]) -> None:
        """Refuse a qualifier that the token may not name: it would choose another price or customer."""
        if EVERY_QUALIFIER in self.qualifiers:
            return
        for qualifier in (f"{key}={value}" for key, value in named.items()):
            if qualifier not in self.qualifiers:
                allowed = ", ".join(sorted(self.qualifiers)) or "none"
                raise NotPermitted(
                    f"The token {self.name!r} does not allow the qualifier {qualifier!r:.150}; it allows: {allowed}. "
                    "Ask whoever issues the bot's tokens for one that does."
                )


@dataclass(frozen=True, slots=True)
class Restrictions:
    """From which networks a token may be used, anywhere if none; and the qualifiers that its calls may name.

    A qualifier is written ``key=value``; ``*`` is every one.
    """

    networks: Iterable[str] = ()
    qualifiers: Iterable[str] = (EVERY_QUALIFIER,)


def issue(
    name: str,
    bots: Iterable[str],
    scopes: Iterable[str],
    *,
    lifetime: timedelta | None = LIFETIME,
    restrictions: Restrictions = Restrictions(),
) -> str:
    """Issue a token and return it; it cannot be shown again. None is the ``lifetime`` of one that never expires.

    ``bots`` are names of bots, or of several as ``named_bots`` has them.

    Raises ``InvalidRequest`` for an unknown scope, for a network or a qualifier that is none, and for a token that
    would register routes for bots that nobody has listed: whoever had it could have any of them bill anybody.
    """
    prefix = secrets.token_hex(6)
    token = f"{BOT_TOKEN}{prefix}_{secrets.token_urlsafe(32)}"
    bots, scopes = sorted(set(map(parse_pattern, bots))), sorted(set(scopes))
    if unknown := sorted(set(scopes) - set(Scope.values)):
        raise InvalidRequest(f"There is no scope {unknown[0]!r}. The scopes are: {', '.join(Scope.values)}.")
    if named_bots.are_open(bots) and Scope.ROUTES_WRITE in scopes:
        raise InvalidRequest(
            f"A token for every bot, or all of a domain or category, cannot have the scope {Scope.ROUTES_WRITE.value}. "
            "Name the bots, or leave it out."
        )
    BotToken.objects.create(
        name=name,
        prefix=prefix,
        digest=_digest(token),
        bots=bots,
        scopes=scopes,
        qualifiers=sorted(set(map(_qualifier, restrictions.qualifiers))),
        networks=sorted(set(map(_network, restrictions.networks))),
        expires_at=None if lifetime is None else timezone.now() + lifetime,
    )
    return token


def rotate(token: BotToken, *, lifetime: timedelta | None = LIFETIME, overlap: timedelta = OVERLAP) -> str:
    """Issue a token that may do what this one may, which expires after ``overlap`` unless it does so sooner."""
    issued = issue(
        token.name,
        token.bots,
        allowed_scopes(token.bots, token.scopes),
        lifetime=lifetime,
        restrictions=Restrictions(token.networks, token.qualifiers),
    )
    BotToken.objects.filter(digest=_digest(issued)).update(succeeds=token.succeeds or token)
    ends_at = timezone.now() + overlap
    ending = BotToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=ends_at), pk=token.pk)
    ending.update(expires_at=ends_at)
    return issued


def authenticate(token: str, address: str | None = None) -> Grant:
    """Return what ``token`` allows, as of now, to a caller at ``address``; raise ``NotAuthenticated``."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise NotAuthenticated(_REFUSED)
    with connection() as database:
        row = database.execute(_FIND, [match[1]]).fetchone()
    if row is None or not hmac.compare_digest(row["digest"], _digest(token)):
        raise NotAuthenticated(_REFUSED)
    if row["has_expired"]:
        raise NotAuthenticated(
            f"The bot token {row['name']!r} expired on {row['expires_at']:%Y-%m-%d}. Ask for a new one: "
            f"manage.py rotate_token {match[1]} issues it."
        )
    if row["networks"] and not _is_within(address, row["networks"]):
        raise NotAuthenticated(f"The bot token {row['name']!r} may not be used from {address or 'here'}.")
    scopes = allowed_scopes(row["bots"], row["scopes"])
    grant = Grant(row["name"], match[1], NamedBots(frozenset(row["bots"])), scopes, frozenset(row["qualifiers"]))
    network = _network_of(address)
    is_new = network not in row["networks_seen"] and len(row["networks_seen"]) < _MAX_NETWORKS_SEEN
    if row["is_use_unnoted"] or (network and is_new):
        _note_use(row["id"], grant, network)
    return grant


def allowed_scopes(bots: Iterable[str], scopes: Iterable[str]) -> frozenset[str]:
    """Leave out what no token for these bots may do: to register routes for bots that nobody has listed."""
    return frozenset(scopes) - ({Scope.ROUTES_WRITE} if named_bots.are_open(bots) else frozenset())


def _note_use(token: int, grant: Grant, network: str | None) -> None:
    """Write down that the token is used, and from where. A call goes on where that cannot be written."""
    acting = json.dumps(asdict(Acting("API", grant.description)))
    values = {"token": token, "networks": [network] if network else [], "max": _MAX_NETWORKS_SEEN}
    try:
        with connection() as database, database.transaction():
            database.execute("SELECT set_config(%s, %s, true)", [SETTING, acting])
            database.execute(_NOTE_USE, values)
    except psycopg.Error as error:
        logger.warning("The use of the %s could not be noted: %s", grant.description, error)


def _qualifier(text: str) -> str:
    key, equals, value = text.partition("=")
    if text != EVERY_QUALIFIER and not (0 < len(key) <= _MAX_QUALIFIER and 0 < len(value) <= _MAX_QUALIFIER and equals):
        raise InvalidRequest(f"{text!r:.150} is no qualifier. Write key=value, such as business=enterprise.")
    return text


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise InvalidRequest(f"{text!r} is no network. Give an address, or a network such as 10.0.0.0/24.") from None


def _is_within(address: str | None, networks: Iterable[str]) -> bool:
    return address is not None and any(ip_address(address) in ip_network(network) for network in networks)


def _network_of(address: str | None) -> str | None:
    """Return the network of an address that is written down: of the size that a site has."""
    if address is None:
        return None
    bits = 24 if ip_address(address).version == 4 else 48  # noqa: PLR2004 (of the Internet Protocol)
    return str(ip_network(f"{address}/{bits}", strict=False))


def _digest(token: str) -> bytes:
    return hmac.digest(settings.TOKEN_PEPPER.encode(), token.encode(), hashlib.sha256)
