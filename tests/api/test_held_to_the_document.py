"""Schemathesis holds the server to its OpenAPI document, with valid requests and with others that it makes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.test.utils import override_settings
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.bot_tokens import token_for_everything

if TYPE_CHECKING:
    from schemathesis import APIOperation, Case

pytestmark = pytest.mark.django_db(transaction=True)

REQUESTS = 12
"""How many are made up of each sort for an operation: always the same ones, so that a failure comes again."""

OF_THE_DOMAIN = [positive_data_acceptance]
"""What the form of a request does not decide: a bot of the right form may be unknown, an amount may be too much."""


@pytest.fixture
def token(bot: Any, stripe: Any) -> str:
    return token_for_everything()


def operations() -> dict[str, APIOperation[Any, Any, Any, Any]]:
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
    schema.app = get_wsgi_application()
    return {found.ok().label: found.ok() for found in schema.get_all_operations()}


OPERATIONS = operations()
PROBES = {"GET /healthz", "GET /readyz"}  # whatever is sent to them is right
CASES = [(name, GenerationMode.POSITIVE) for name in OPERATIONS]
CASES += [(name, GenerationMode.NEGATIVE) for name in OPERATIONS if name not in PROBES]


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_the_server_does_what_its_document_says(token: str, name: str, mode: GenerationMode) -> None:
    @settings(
        max_examples=REQUESTS,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[name].as_strategy(generation_mode=mode))
    def every_response_conforms(case: Case) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, excluded_checks=OF_THE_DOMAIN)

    with override_settings(ALLOWED_HOSTS=["localhost"]):
        every_response_conforms()
