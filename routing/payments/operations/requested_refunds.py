"""Makes the refunds that people request in the admin, each once: its number is the idempotency key."""

from __future__ import annotations

import logging

from django.db.models.functions import Now

from routing.errors import BillingError
from routing.identifiers import BotId
from routing.money import to_text
from routing.payments.operations.models import RequestedRefund
from routing.payments.operations.refunds import Refund, refund

logger = logging.getLogger(__name__)


def make_requested() -> None:
    """Make each refund that is requested and, where its domain needs that, approved."""
    for wanted in RequestedRefund.objects.filter(completed_at=None).select_related("payment").order_by("pk"):
        make(wanted)


def make(wanted: RequestedRefund) -> None:
    """Make the refund as the bot that charged would; what cannot be made now is tried again, or its problem kept."""
    own = RequestedRefund.objects.filter(pk=wanted.pk, completed_at=None)
    request = Refund(
        payment=str(wanted.payment_id),
        amount=to_text(wanted.amount_minor, wanted.currency),
        reason=wanted.reason,
        metadata={"requested_refund": str(wanted.pk)},
    )
    try:
        result = refund(BotId.parse(wanted.payment.bot), request, idempotency_key=f"requested-refund-{wanted.pk}")
    except BillingError as error:
        logger.warning("The %s, requested by %s, was not made: %s", wanted, wanted.requested_by, error)
        own.update(problem=str(error), **({} if error.retry_with_same_key else {"completed_at": Now()}))
    else:
        own.update(refund=result.payment.pk, problem="", completed_at=Now())
