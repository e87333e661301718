"""No request is answered with a server error, and every answer of the API is JSON, every error a problem."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.api.odd_requests import METHODS, ODD_PATHS, OddRequest, requests
from tests.bot_tokens import token_for_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

pytestmark = pytest.mark.django_db(transaction=True)

_ONE_OF = 11
"""In an ordinary run one of so many is sent: a number that no list of odd values has as its length."""

_UNAVAILABLE = (502, 503)
"""What Stripe did, or the state of the database, is no error of the server."""


@pytest.fixture
def send(bot: Any, stripe: Any) -> Callable[[OddRequest], Any]:
    token, client = token_for_everything(), Client(raise_request_exception=False)

    def send_one(request: OddRequest) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **request.headers}
        content_type = headers.pop("Content-Type")
        return client.generic(request.method, request.address, request.body, content_type=content_type, headers=headers)

    return send_one


def wrong_answers(send: Callable[[OddRequest], Any], odd: Iterable[OddRequest]) -> list[str]:
    return [f"{request}: {problem}" for request in odd if (problem := wrong_with(send(request)))]


def wrong_with(response: Any) -> str:
    """Return what is wrong with a response; empty where nothing is."""
    if response.status_code >= 500 and response.status_code not in _UNAVAILABLE:
        return f"a server error, {response.status_code}"
    if 300 <= response.status_code < 400:
        return f"a redirect to {response['Location']}"
    if not response.content:
        return ""
    media_type = response.headers.get("Content-Type", "")
    expected = "application/problem+json" if response.status_code >= 400 else "application/json"
    if media_type != expected:
        return f"{response.status_code} with {media_type!r}"
    body = json.loads(response.content)
    return "" if response.status_code < 400 or body["detail"].endswith((".", "?")) else f"no sentence: {body['detail']}"


def test_a_part_of_all_odd_requests_is_answered_well(send):
    assert wrong_answers(send, islice(requests(), 0, None, _ONE_OF)) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(1, _ONE_OF))
def test_every_odd_request_is_answered_well(send, part):
    assert wrong_answers(send, islice(requests(), part, None, _ONE_OF)) == []


def test_every_odd_address_is_answered_well(send):
    assert wrong_answers(send, (OddRequest(method, path) for path in ODD_PATHS for method in METHODS)) == []


def test_head_is_answered_like_get_without_a_body(send):
    head, get = (send(OddRequest(method, "/api/v1/charges")) for method in ("HEAD", "GET"))

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.content))


@pytest.mark.parametrize(
    "address",
    ["/api/v1/balance?bot=finance:finance_router_bot&currency=usd", "/api/v1/changes/1?x=1", "/api/v1/charges?x=1"],
)
def test_a_parameter_that_a_call_does_not_have_is_refused(send, address):
    response = send(OddRequest("GET", address))

    assert response.status_code == 400
    assert response.json()["detail"].startswith("Unknown query parameter '")


def test_a_body_does_not_go_with_a_parameter(send):
    response = send(OddRequest("POST", "/api/v1/charges?amount=10", b"{}"))

    assert response.json()["detail"] == "Unknown query parameter 'amount'. The parameters are: dry_run."


def test_half_a_surrogate_pair_is_refused_wherever_it_is(send):
    for body in (b'{"\\ud800":1}', b'{"bot":"\\uDFFF"}', b'{"bot":"\xed\xa0\x80"}'):
        response = send(OddRequest("POST", "/api/v1/charges", body))
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


def test_the_document_is_the_same_bytes_and_need_not_be_sent_again():
    first = Client().get("/api/schema")
    again = Client().get("/api/schema", headers={"If-None-Match": first["ETag"], "Accept": "text/html"})

    assert (first.status_code, first["Content-Type"]) == (200, "application/json")
    assert "max-age" in first["Cache-Control"]
    assert (again.status_code, again.content) == (304, b"")
