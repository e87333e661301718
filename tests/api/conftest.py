"""How the tests call the API, and what every problem must have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from routing.access import tokens
from routing.access.models import Scope

BOT = "finance:finance_router_bot"


class Caller:
    """Calls the API with a token, as a bot does."""

    def __init__(self, token: str) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    def send(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        text = body if isinstance(body, (str, bytes)) else json.dumps(body) if body is not None else ""
        headers = {"Idempotency-Key": key} if key else {}
        return self.client.generic(method, f"/api/v1{path}", text, content_type="application/json", headers=headers)

    def charge(self, key: str | None = "order-1", **fields: Any) -> Any:
        return self.send("POST", "/charges", {"bot": BOT, **fields}, key)


@pytest.fixture
def caller(bot) -> Caller:
    return Caller(tokens.issue("test", ["stripe:" + BOT], Scope.values))


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    problem = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert problem["code"] == code
    assert {"type", "title", "status", "detail", "money_may_have_moved", "retry_with_same_key"} <= set(problem)
    return problem
