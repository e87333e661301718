"""Which currencies the database accepts: one function, so that a new currency changes no constraint.

After a change of ``money.CURRENCIES``, a migration runs ``CREATE_FUNCTION`` again; a test holds the two equal.
"""

from __future__ import annotations

from django.db.models import BooleanField, Func

from routing.money import CURRENCIES

CREATE_FUNCTION = f"""
CREATE OR REPLACE FUNCTION routing_is_currency(code text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN code = ANY ('{{{",".join(sorted(CURRENCIES))}}}'::text[])
"""


class IsCurrency(Func):
    """Whether a column holds a currency that Stripe charges; null where the column is null."""

    function = "routing_is_currency"
    output_field = BooleanField()
