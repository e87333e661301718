"""A cap on a bot token: whoever has the token moves no more, whatever its bots may, and rotating it changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from routing.access import tokens
from routing.access.models import BotToken, Scope
from routing.caps.models import Cap, CapUsage
from routing.payments.ledger.models import Payment
from routing.registry.models import Domain
from tests.conftest import BOT
from tests.payments.caps import add_cap
from tests.payments.threads import closing_connection

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("stripe")]

FULL_NAME = f"stripe:{BOT}" if BOT.count(":") == 1 else BOT


def issue(name: str = "invoicing") -> tuple[str, BotToken]:
    token = tokens.issue(name, [FULL_NAME], Scope.values)
    return token, BotToken.objects.get(prefix=token[4:16])


def charge(token: str, key: str, amount: str) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    return Client().post("/api/v1/charges", {"bot": BOT, "amount": amount}, "application/json", headers=headers)


def whoami(token: str) -> Any:
    return Client().get("/api/v1/whoami", headers={"Authorization": f"Bearer {token}"}).json()


def test_a_cap_limits_its_token_and_no_other(bot):
    first, row = issue()
    second, _ = issue("other")
    add_cap(1000, token=row)

    assert charge(first, "order-1", "7").status_code == 201
    refused = charge(first, "order-2", "4").json()

    assert refused["code"] == "cap_exceeded"
    assert refused["cap"] | {"since": ""} == {
        "measure": "gross", "per": "day", "scope": "token invoicing", "since": "", "limit": "10.00 USD",
        "used": "7.00 USD", "reserved": "0.00 USD", "left": "3.00 USD",
    }  # fmt: skip
    assert charge(second, "order-3", "50").status_code == 201
    assert charge(first, "order-4", "3").json()["caps"][0]["left"] == "0.00 USD"


def test_rotating_the_token_gives_no_more(bot):
    first, row = issue()
    add_cap(1000, token=row)
    charge(first, "order-1", "7")
    second = tokens.rotate(row)
    third = tokens.rotate(BotToken.objects.get(prefix=second[4:16]))

    for token in (first, second, third):
        assert charge(token, f"big-{token[4:16]}", "3.01").json()["code"] == "cap_exceeded"
    assert charge(second, "order-2", "2").status_code == 201
    assert [limit["left"] for limit in whoami(third)["limits"]] == ["1.00 USD"]
    assert charge(third, "order-3", "1").status_code == 201
    assert CapUsage.objects.get().used == 1000


def test_a_cap_that_is_made_later_counts_what_the_token_has_moved(bot):
    first, row = issue()
    second, _ = issue("other")
    charge(first, "order-1", "7")
    charge(second, "order-2", "5")

    add_cap(1000, token=row)

    assert charge(first, "order-3", "3.01").json()["code"] == "cap_exceeded"
    assert CapUsage.objects.get().used == 700


def test_it_is_never_exceeded_by_many_at_once(bot):
    first, row = issue()
    add_cap(1000, token=row)
    both = (first, tokens.rotate(row))

    def work(number: int) -> int:
        return charge(both[number % 2], f"order-{number}", "1").status_code

    with ThreadPoolExecutor(16) as workers:
        statuses = list(workers.map(closing_connection(work), range(32)))

    assert statuses.count(201) == 10
    assert Payment.objects.filter(status="succeeded").count() == 10


def test_a_cap_is_on_one_thing(bot):
    _, row = issue()

    with pytest.raises(ValidationError, match="Choose only one"):
        add_cap(1000, token=row, bot=bot)
    add_cap(1000, token=row)
    with pytest.raises(ValidationError, match="already exists"):
        add_cap(2000, token=row)


def test_a_cap_on_a_token_needs_approval_where_its_bots_do(bot):
    from routing.approval.models import ChangeRequest
    from routing.approval.proposals import apply_or_propose

    _, row = issue()
    Domain.objects.update(requires_approval=True)

    change = apply_or_propose(lambda: add_cap(1000, token=row))

    assert isinstance(change, ChangeRequest)
    assert change.domains == ["stripe"]
    assert not Cap.objects.exists()


def test_whoami_says_what_the_token_allows(bot):
    limits = tokens.Restrictions(["127.0.0.0/8"], ["region=eu"])
    token = tokens.issue("invoicing", [FULL_NAME, "sales:*"], ["charge"], restrictions=limits)
    row = BotToken.objects.get(prefix=token[4:16])

    assert whoami(token) == {
        "name": "invoicing", "prefix": token[:16], "bots": [FULL_NAME, "stripe:sales:*"], "scopes": ["charge"],
        "qualifiers": ["region=eu"], "networks": ["127.0.0.0/8"], "limits": [],
        "expires_at": row.expires_at.isoformat().replace("+00:00", "Z"),
    }  # fmt: skip
    assert Client().get("/api/v1/whoami").status_code == 401
