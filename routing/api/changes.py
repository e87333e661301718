"""What a bot proposed, where its domain asks for another person's approval."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar, cast

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from routing.access.models import Scope
from routing.api.authentication import token_grant
from routing.api.parameters import StrictParameters
from routing.approval.models import ChangeRequest
from routing.approval.proposals import apply_or_propose
from routing.errors import NotFound
from routing.timestamps import to_iso
from stripe_billing_router import schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request

_Rule = TypeVar("_Rule")


class ChangeView(StrictParameters):
    scopes = {"GET": Scope.ROUTES_WRITE}

    @extend_schema(operation_id="get_change", responses={200: schemas.Change})
    def get(self, request: Request, change: int) -> Response:
        """Return what became of a change that this token has proposed."""
        proposed = ChangeRequest.objects.filter(pk=change, proposed_by=token_grant(request).description).first()
        if proposed is None:
            raise NotFound(f"This token has proposed no change {change}.")
        return Response(_representation(proposed))


def register(change: Callable[[], tuple[_Rule, bool]], represent: Callable[[_Rule], object]) -> Response:
    """Register a rule; respond with it, or with the change if that needs approval, which 202 says."""
    outcome = apply_or_propose(change)
    if isinstance(outcome, ChangeRequest):
        return Response(_representation(outcome), status=HTTPStatus.ACCEPTED)
    rule, is_new = outcome
    return Response(represent(rule), status=HTTPStatus.CREATED if is_new else HTTPStatus.OK)


def _representation(change: ChangeRequest) -> schemas.Change:
    return {
        "change": change.pk,
        "status": cast("schemas.ChangeStatus", change.status),
        "reason": change.decision_reason,
        "proposed_at": to_iso(change.proposed_at),
        "decided_at": to_iso(change.decided_at),
    }
