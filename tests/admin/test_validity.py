"""Whether a rule is in force, as the admin shows it: by the database's clock, whatever the process's own says."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from routing.registry.models import Override, Route

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(params=[3 * HOUR, -3 * HOUR], ids=["ahead", "behind"])
def wrong_clock(request, monkeypatch):
    """Let the process's clock be three hours wrong."""
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + request.param)


def badges(page) -> set[str]:
    return set(re.findall(r'class="badge badge-\w+">(In force|Scheduled|Ended)<', page.content.decode()))


@pytest.mark.usefixtures("wrong_clock")
@pytest.mark.parametrize(
    ("start", "end", "badge"),
    [(-HOUR, HOUR, "In force"), (HOUR, 2 * HOUR, "Scheduled"), (-2 * HOUR, -HOUR, "Ended")],
)
def test_a_wrong_clock_of_the_process_changes_nothing(finance, bot, start, end, badge):
    Override.objects.all().delete()
    Route.objects.update(valid_from=Now() + start, valid_until=Now() + end)

    routes = finance.get(reverse("admin:routing_route_changelist"))
    page = finance.get(reverse("admin:routing_bot_change", args=[bot.pk]))

    assert badges(routes) == badges(page) == {badge}


@pytest.mark.parametrize(("name", "count"), [("in_force", 0), ("scheduled", 1), ("ended", 0)])
def test_the_filter_agrees_with_the_badge(finance, bot, name, count):
    Route.objects.update(valid_from=Now() + HOUR)

    routes = finance.get(reverse("admin:routing_route_changelist"), {"status": name})

    assert routes.context["cl"].result_count == count
    assert badges(routes) == ({"Scheduled"} if count else set())
