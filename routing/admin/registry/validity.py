"""Whether a route or an override applies now, and for how long, as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models.functions import Now
from django.utils.html import format_html, format_html_join

from routing.admin.shared.appearance import badge, format_time

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.utils.safestring import SafeString


def with_read_time(rules: QuerySet[Any]) -> QuerySet[Any]:
    """Add the time at which each rule is read, by the database's clock, which ``validity_badge`` needs."""
    return rules.annotate(read_at=Now())


def validity_badge(rule: Any) -> SafeString:
    if rule.period.holds(rule.read_at):
        return badge("in force", "good")
    is_scheduled = rule.valid_from is not None and rule.valid_from > rule.read_at
    return badge("scheduled", "info") if is_scheduled else badge("ended", "quiet")


def format_period(rule: Any) -> SafeString | str:
    ends = [("from", rule.valid_from), ("until", rule.valid_until)]
    return format_html_join("", "<div>{} {}</div>", ((word, format_time(at)) for word, at in ends if at)) or "always"


def rule_heading(rule: Any) -> SafeString:
    """Return the heading of a route or an override on its bot's page."""
    region = f"Region {rule.region}" if rule.region else "Every region"
    qualifier = f": {rule.key}={rule.value}" if hasattr(rule, "key") else ""
    return format_html("{} {}", region + qualifier, validity_badge(rule))
