"""What routes and overrides share: their filters, and which of them a token may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import django_filters
from django.db.models import Value
from django.db.models.functions import Concat

from routing.api.authentication import permitted_bot, token_grant
from routing.registry.models import IN_FORCE, Override, Route

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

    from routing.identifiers import BotId

Rule = TypeVar("Rule", Route, Override)


class RuleFilters(django_filters.FilterSet):
    domain = django_filters.CharFilter("bot__domain__slug")
    region = django_filters.CharFilter("region__slug")
    business_category = django_filters.CharFilter("bot__category__slug")
    bot_name = django_filters.CharFilter("bot__name")


def permitted_rules(rules: QuerySet[Rule], request: Request) -> QuerySet[Rule]:
    """Return those in force now, of the bots that the token speaks for."""
    rules = rules.filter(IN_FORCE).select_related("bot__domain", "bot__category", "region")
    name = Concat("bot__domain__slug", Value(":"), "bot__category__slug", Value(":"), "bot__name")
    own = token_grant(request).bots.condition(
        bot="bot_identifier", domain="bot__domain__slug", category="bot__category__slug"
    )
    return rules.alias(bot_identifier=name).filter(own)


def named_bot(request: Request, fields: dict[str, Any]) -> BotId:
    """Return the bot that the fields name, if the token speaks for it."""
    return permitted_bot(request, f"{fields['domain']}:{fields['business_category']}:{fields['bot_name']}")
