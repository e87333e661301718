"""Which columns of the ledger a search term is looked up in."""

from __future__ import annotations

import uuid
from functools import reduce
from operator import or_

from django.db.models import Q

from routing.payments.kinds import ID_COLUMNS, type_of_id

_OTHER_COLUMNS = {
    "cus_": "customer_id",
    "prod_": "product_id",
    "price_": "price_id",
    "acct_": "account_id",
    "req_": "stripe_request_id",
}
"""By prefix: the columns of IDs that are not of an object which the payment itself made."""


def match_id(term: str) -> Q | None:
    """Match payments by a payment ID or a Stripe ID; None where the term is neither.

    A new customer has its own ID in ``object_id``; a payment has its payer's in ``customer_id``.
    """
    try:
        return Q(pk=uuid.UUID(term))
    except ValueError:
        pass
    stripe_type = type_of_id(term)
    columns = [stripe_type.id_column] if stripe_type else []
    columns += [column for prefix, column in _OTHER_COLUMNS.items() if term.startswith(prefix)]
    return _match_any(columns, term) if columns else None


def match_term(term: str) -> Q:
    """Match payments by any ID, by idempotency key, or by a part of the bot's name.

    An ID whose prefix is not known may be in any column that has the ID of an object.
    """
    return match_id(term) or Q(idempotency_key=term) | Q(bot__contains=term) | _match_any(ID_COLUMNS, term)


def _match_any(columns: list[str], term: str) -> Q:
    return reduce(or_, (Q(**{column: term}) for column in columns))
