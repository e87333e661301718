"""Objects at Stripe are compared however new they are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from routing.payments.reconciliation import comparison


@pytest.fixture(autouse=True)
def _nothing_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no object count as in flight, as those of the last minutes do."""
    monkeypatch.setattr(comparison, "IN_FLIGHT", timedelta(days=-1))
