"""Registers a route or an override: what the API and the client may change in the registry.

Both change the rule that is in force now, and write nothing if it already has the same fields.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from django.db import transaction

from routing.errors import InvalidRequest, UnknownBot, UnknownDomain, UnknownRegion
from routing.postgres.queries import database_time
from routing.registry.fields import check_override_key, check_slug, override_fields, route_fields, safe_repr
from routing.registry.lock import lock_registry
from routing.registry.models import ROUTE_FIELDS, Bot, Category, Domain, Override, Region, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from django.db.models import QuerySet

    from routing.identifiers import BotId

_Rule = TypeVar("_Rule", Route, Override)


Permit: TypeAlias = "Callable[[BotId, Mapping[str, str | None]], None]"


def permit_all(_bot: BotId, _values: Mapping[str, str | None]) -> None:
    """Permit everything, to a person or to a file of theirs."""


def register_route(
    bot: BotId, region: str, fields: Mapping[str, object], *, permit: Permit = permit_all
) -> tuple[Route, bool]:
    """Make ``fields`` the bot's route in ``region``; return the route and whether it is new.

    ``permit`` raises an error for what the caller may not register; it is asked while the registry is locked.

    Creates the category, the region and the bot if they are missing; the domain must exist. Raises ``UnknownDomain``,
    ``InvalidRequest`` and its kinds, or ``RegistryBusy``.
    """
    values = route_fields(fields)
    _check_names(bot, region)
    existing = Route.objects.filter(**_bot_filter(bot), region__slug=region)
    if (route := _in_force(existing, database_time())) and _has_fields(route, values):
        return route, False
    with transaction.atomic():
        lock_registry()
        permit(bot, values)
        region_row, _ = Region.objects.get_or_create(slug=region)
        return _save(Route(bot=_get_or_create_bot(bot), region=region_row, **values), existing)


def register_override(  # noqa: PLR0913 (what names an override, and what it changes)
    bot: BotId, region: str | None, key: str, value: str, fields: Mapping[str, object], *, permit: Permit = permit_all
) -> tuple[Override, bool]:
    """Make ``fields`` what key=value changes on the bot's route; return the override and whether it is new.

    ``region`` None means every region. Domain, bot and region must exist. Raises ``UnknownDomain``, ``UnknownBot``,
    ``UnknownRegion``, ``InvalidRequest`` and its kinds, or ``RegistryBusy``.
    """
    values = override_fields(fields)
    check_override_key(key)
    check_slug("override's value", value)
    _check_names(bot, region)
    existing = Override.objects.filter(**_bot_filter(bot), region=_get_region(region), key=key, value=value)
    if (override := _in_force(existing, database_time())) and _has_fields(override, values):
        return override, False
    with transaction.atomic():
        lock_registry()
        permit(bot, values)
        new = Override(bot=_get_bot(bot), region=_get_region(region), key=key, value=value, **values)
        return _save(new, existing)


def _check_names(bot: BotId, region: str | None) -> None:
    for kind, name in zip(("domain", "business category", "bot name"), astuple(bot), strict=True):
        check_slug(kind, name)
    if region is not None:
        check_slug("region", region)


def _bot_filter(bot: BotId) -> dict[str, str]:
    return {"bot__domain__slug": bot.domain, "bot__category__slug": bot.category, "bot__name": bot.name}


def _get_or_create_bot(bot: BotId) -> Bot:
    category, _ = Category.objects.get_or_create(slug=bot.category)
    row, _ = Bot.objects.get_or_create(domain=_get_domain(bot), category=category, name=bot.name)
    return row


def _get_bot(bot: BotId) -> Bot:
    row = Bot.objects.filter(domain=_get_domain(bot), category__slug=bot.category, name=bot.name).first()
    if row is None:
        raise UnknownBot(
            f"The bot {str(bot)!r} is not registered. Check its spelling, or register a route for it.", field="bot"
        )
    return row


def _get_domain(bot: BotId) -> Domain:
    domain = Domain.objects.filter(slug=bot.domain).first()
    if domain is None:
        domains = ", ".join(Domain.objects.values_list("slug", flat=True)) or "none yet"
        raise UnknownDomain(f"The domain {bot.domain!r} is not supported. Supported: {domains}.", field="domain")
    return domain


def _get_region(region: str | None) -> Region | None:
    if region is None:
        return None
    row = Region.objects.filter(slug=region).first()
    if row is None:
        raise UnknownRegion(
            f"The region {safe_repr(region)} is not registered. Register a route in it first.", field="region"
        )
    return row


def _save(new: _Rule, existing: QuerySet[_Rule]) -> tuple[_Rule, bool]:
    """Give the rule in force the fields of ``new``, or save ``new`` if none is in force."""
    rules, now = list(existing.all()), database_time()
    rule = _in_force(rules, now)
    if rule is None:
        new.valid_from = _start(new, rules, now)
        new.save(force_insert=True)
        return new, True
    values = {field: getattr(new, field) for field in ROUTE_FIELDS}
    if not _has_fields(rule, values):
        for field, value in values.items():
            setattr(rule, field, value)
        rule.save(update_fields=ROUTE_FIELDS)
    return rule, False


def _in_force(rules: Iterable[_Rule], now: datetime) -> _Rule | None:
    return next((rule for rule in rules if rule.period.holds(now)), None)


def _has_fields(rule: Route | Override, values: Mapping[str, str | None]) -> bool:
    return all(getattr(rule, field) == values.get(field) for field in ROUTE_FIELDS)


def _start(new: _Rule, rules: list[_Rule], now: datetime) -> datetime | None:
    """Return when a new rule starts: without a start, or now if an earlier one has ended."""
    later = [rule.valid_from for rule in rules if rule.valid_from and rule.valid_from > now]
    if later:
        raise InvalidRequest(
            f"{new} is already scheduled from {min(later):%Y-%m-%d %H:%M %Z}, and nothing is in force until then. "
            "Ask finance to change the scheduled one, or try again once it is in force."
        )
    return now if rules else None
