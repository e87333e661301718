"""The pages of caps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from routing.caps.models import Cap
from tests.database_roles import as_administrator

pytestmark = pytest.mark.django_db


def test_a_limit_is_written_in_the_currencys_own_units(finance):
    words = {
        "measure": "gross",
        "per": "day",
        "currency": "usd",
        "limit": "1500.50",
        "bot": "",
        "category": "",
        "domain": "",
    }

    response = finance.post(reverse("admin:routing_cap_add"), words)

    assert response.status_code == 302
    assert Cap.objects.get().limit == 150050


@pytest.mark.parametrize(("currency", "limit"), [("usd", "1.005"), ("usd", "lots"), ("", "1.5"), ("usd", "")])
def test_a_limit_that_is_none_is_refused_beside_its_field(finance, currency, limit):
    measure = "gross" if currency else "count"
    words = {"measure": measure, "per": "day", "currency": currency, "limit": limit}

    response = finance.post(reverse("admin:routing_cap_add"), words)

    assert response.status_code == 200
    assert response.context["adminform"].form.errors["limit"]


@pytest.mark.parametrize("per", ["month", "24h"])
def test_the_list_shows_what_is_used_reserved_and_remaining(finance, per):
    cap = Cap.objects.create(measure="gross", per=per, currency="usd", limit=150050)
    now = timezone.now()
    with as_administrator():
        cap.usages.create(since=now, used=60000, reserved=50)
        cap.usages.create(since=now - timedelta(minutes=1), used=40000)
        cap.usages.create(since=now - timedelta(days=40), used=777_00, reserved=888)

    page = finance.get(reverse("admin:routing_cap_changelist")).content.decode()

    for text in ("Everywhere", "1,500.50 USD", "1,000.00 USD", "0.50 USD", "500.00 USD"):
        assert text in page
