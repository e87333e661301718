"""Whether a route or an override applies now, and for how long: in queries, and to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from routing.admin.shared.appearance import badge, format_time

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

IN_FORCE = (Q(valid_from=None) | Q(valid_from__lte=Now())) & (Q(valid_until=None) | Q(valid_until__gt=Now()))


def validity_badge(rule: Any) -> SafeString:
    now = timezone.now()
    if rule.valid_from and rule.valid_from > now:
        return badge("scheduled", "info")
    return badge("ended", "quiet") if rule.valid_until and rule.valid_until <= now else badge("in force", "good")


def format_period(rule: Any) -> SafeString | str:
    ends = [("from", rule.valid_from), ("until", rule.valid_until)]
    return format_html_join("", "<div>{} {}</div>", ((word, format_time(at)) for word, at in ends if at)) or "always"


def rule_heading(rule: Any) -> SafeString:
    """Return the heading of a route or an override on its bot's page."""
    region = f"Region {rule.region}" if rule.region else "Every region"
    qualifier = f": {rule.key}={rule.value}" if hasattr(rule, "key") else ""
    return format_html("{} {}", region + qualifier, validity_badge(rule))
