"""Every endpoint is called, and each real response is held against the OpenAPI document."""

from __future__ import annotations

import inspect
import json
import re
import secrets
from datetime import datetime
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints
from urllib.parse import unquote

import pytest
from django.test import Client as HttpClient
from django.urls import URLPattern, URLResolver, get_resolver
from jsonschema import Draft202012Validator, FormatChecker

from routing.approval.models import ChangeRequest
from routing.caps.models import Measure, Per
from routing.keys import reset_keyring
from routing.payments.kinds import Kind
from routing.payments.states import Status
from stripe_billing_router import Client, calls, errors, schemas
from tests.api.examples import BOT, Api, charges, customers, registry, server
from tests.bot_tokens import token_for_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.api.examples import Example
    from tests.conftest import Stripe

Document = dict[str, Any]

EXAMPLES = [*charges.examples, *customers.examples, *registry.examples, *server.examples]

NAMES = {"business_category": "finance", "bot_name": "finance_router_bot"}
IDS = {"product_id": "prod_a", "price_id": "price_a", "customer_id": "cus_a"}
CALLS: dict[Callable[..., calls.Call[Any]], calls.Call[Any]] = {
    calls.charge: calls.charge(BOT, 10),
    calls.refund: calls.refund(BOT, "pi_a"),
    calls.create_customer: calls.create_customer(BOT),
    calls.create_subscription: calls.create_subscription(BOT),
    calls.create_checkout_session: calls.create_checkout_session(BOT, success_url="https://example.com/s"),
    calls.get_balance: calls.get_balance(BOT),
    calls.cancel_subscription: calls.cancel_subscription(BOT, "sub_a"),
    calls.get_change: calls.get_change(4711),
    calls.get_payment: calls.get_payment("{payment_id}"),
    calls.list_payments: calls.list_payments(),
    calls.whoami: calls.whoami(),
    calls.resolve: calls.resolve(BOT),
    calls.list_routes: calls.list_routes(),
    calls.register_route: calls.register_route("finance", "finance_router_bot", IDS),
    calls.register_override: calls.register_override({**NAMES, "key": "tier", "value": "gold", "route": IDS}),
}

NOT_OF_THE_API = {"/", "/api/schema", "/api/docs"}

formats = FormatChecker(["date", "uuid"])


@formats.checks("date-time", ValueError)
def is_date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@pytest.fixture
def api(bot: Any, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> Api:
    secret = "whsec_" + secrets.token_hex(16)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", secret)
    reset_keyring()
    return Api(stripe, secret, token_for_everything())


@pytest.fixture(scope="module")
def document() -> Document:
    """Return the document as the router serves it, with every object closed: it has the named fields and no others."""
    served = HttpClient(headers={"Accept": "application/vnd.oai.openapi+json"}).get("/api/schema")
    return closed(json.loads(served.content))


def closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: closed(part) for name, part in schema.items()}
    return {"additionalProperties": False, **parts} if isinstance(schema.get("properties"), dict) else parts


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def validate(value: Any, schema: Document, document: Document) -> None:
    components = {"components": document["components"]}
    Draft202012Validator(schema | components, format_checker=formats).validate(value)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.call.__name__)
def test_every_response_is_as_documented(document: Document, api: Api, example: Example) -> None:
    response = example.call(api)

    assert response.status_code == example.status, response.content
    operation = dict(operations(document))[example.operation]
    documented = operation["responses"][documented_status(example, operation)]
    assert list(documented["content"]) == [response["Content-Type"]]
    validate(response.json(), documented["content"][response["Content-Type"]]["schema"], document)
    if response["Content-Type"] == "application/problem+json":
        assert response.json()["status"] == example.status
    if not example.is_error:
        validate_request(response, operation, document)


def documented_status(example: Example, operation: Document) -> str:
    status = str(example.status)
    return "default" if example.is_error and status not in operation["responses"] else status


def validate_request(response: Any, operation: Document, document: Document) -> None:
    parameters = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
    assert set(response.wsgi_request.GET) <= parameters
    if "requestBody" in operation:
        validate(json.loads(response.sent), operation["requestBody"]["content"]["application/json"]["schema"], document)


def test_an_unknown_url_is_a_documented_problem(document: Document) -> None:
    response = HttpClient().get("/api/v1/nothing")

    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")
    validate(response.json(), {"$ref": "#/components/schemas/Problem"}, document)


def test_every_documented_response_has_an_example(document: Document) -> None:
    documented = dict(operations(document))

    assert {(example.operation, documented_status(example, documented[example.operation])) for example in EXAMPLES} == {
        (name, status) for name, operation in documented.items() for status in operation["responses"]
    }


def test_every_url_of_the_api_is_documented(document: Document) -> None:
    assert set(urls(get_resolver(), "/")) - NOT_OF_THE_API == set(document["paths"])


def urls(resolver: URLResolver, prefix: str) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        url = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            yield url
        elif not url.startswith("/admin/"):
            yield from urls(pattern, url)


def test_every_operation_has_a_name_of_its_own_and_a_summary(document: Document) -> None:
    names = {operation["operationId"]: name for name, operation in operations(document)}

    assert len(names) == len(dict(operations(document)))
    assert {call.__name__ for call in CALLS} <= set(names)
    assert [name for name, operation in operations(document) if not operation["summary"]] == []


def test_every_request_has_an_example_that_is_valid(document: Document) -> None:
    for name, operation in operations(document):
        if "webhooks" in name or "requestBody" not in operation:
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        (example,) = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["examples"]
        validate(example, schema, document)


def test_every_error_is_in_the_documents_table(document: Document) -> None:
    rows = re.findall(r"^[|] `(\w+)` [|] (\d+) [|]", document["info"]["description"], re.MULTILINE)

    assert {code: int(status) for code, status in rows} == {
        **{kind.code: kind.status for kind in errors.all_errors()},
        "method_not_allowed": 405,
        "unsupported_media_type": 415,
        "internal_error": 500,
    }
    assert dict(rows)["cap_exceeded"] == "422"


@pytest.mark.parametrize(
    ("method", "body", "media_type", "code"),
    [
        ("DELETE", "{}", "application/json", "method_not_allowed"),
        ("POST", "a=1", "application/x-www-form-urlencoded", "unsupported_media_type"),
    ],
)
def test_what_the_framework_refuses_is_in_the_table(document: Document, api: Api, method, body, media_type, code):
    headers = {"Authorization": f"Bearer {api.token}"}
    answer = HttpClient().generic(method, "/api/v1/charges", body, content_type=media_type, headers=headers).json()

    assert answer["code"] == code
    assert f"| `{code}` | {answer['status']} |" in document["info"]["description"]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_the_client_returns_what_is_documented(document: Document, call: Callable[..., calls.Call[Any]]) -> None:
    request = CALLS[call].request
    (value,) = get_args(get_type_hints(call)["return"])
    path = unquote(request.path).replace("/4711", "/{change}").replace("/sub_a/", "/{subscription}/")
    responses = dict(operations(document))[f"{request.method} /api/v1{path}"]["responses"]

    if get_origin(value) is UnionType:
        value, proposed = get_args(value)
        assert schema_in(responses["202"]) == {"$ref": f"#/components/schemas/{proposed.__name__}"}

    schema = schema_in(responses.get("201") or responses["200"])

    if get_origin(value) is list:
        (value,) = get_args(value)
        page = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        schema = page["properties"]["results"]["items"]
    assert schema == {"$ref": f"#/components/schemas/{value.__name__}"}


def schema_in(response: Document) -> Any:
    return response["content"]["application/json"]["schema"]


def test_every_call_of_the_client_is_compared() -> None:
    public = {call for name, call in inspect.getmembers(calls, inspect.isfunction) if hasattr(Client, name)}

    assert set(CALLS) == public


@pytest.mark.parametrize(
    ("literal", "choices"),
    [
        (schemas.Status, Status),
        (schemas.Kind, Kind),
        (schemas.Measure, Measure),
        (schemas.Per, Per),
        (schemas.ChangeStatus, ChangeRequest.Status),
    ],
)
def test_the_clients_literals_are_the_servers_choices(literal, choices) -> None:
    assert set(get_args(literal)) == set(choices.values)
