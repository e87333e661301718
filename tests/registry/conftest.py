"""The registry that every test of it starts from."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

import pytest
from django.db import connections, transaction

from routing.registry.lock import lock_registry
from routing.registry.models import Domain, Region

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def registry(db: None) -> None:
    """Give the rows that the migrations make, and that a transactional test before this one has flushed."""
    Domain.objects.get_or_create(slug="stripe")
    Region.objects.get_or_create(slug="default")


@pytest.fixture
def held_registry(registry: None) -> Iterator[None]:
    """Let somebody else hold the registry's lock for as long as the test runs."""
    is_held, may_finish = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            lock_registry()
            is_held.set()
            may_finish.wait(30)
        connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(5)
    yield
    may_finish.set()
    holder.join()


@pytest.fixture
def live_key() -> str:
    return "sk_live_" + secrets.token_hex(16)
