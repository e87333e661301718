"""Proposes what needs approval: any change is tried, undone, and written down as a change request.

So every road proposes in the same way, an admin page with its inline rows as much as the API and an import, and what is
proposed has passed every constraint.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import DatabaseError, connection, transaction

from routing.approval.domains import domains_of
from routing.approval.models import ChangeItem, ChangeRequest
from routing.approval.triggers import LEFT_OUT, NEEDS_APPROVAL
from routing.audit import acting
from routing.postgres.queries import execute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_Row = tuple[str, str]
"""A table and an id in it."""

_State = tuple[dict[_Row, dict[str, Any]], dict[_Row, set[str]]]
"""All columns of some rows, and the names of the domains that each belongs to."""

PAGE_IF_PROPOSED = "page_if_proposed"
"""An attribute of a request: the function of a change that answers it, where its change is proposed."""

_TOUCHED = """
SELECT table_name, object_id, (array_agg(object_name ORDER BY at DESC))[1] FROM routing_auditentry
WHERE at >= transaction_timestamp() AND transaction_id = pg_current_xact_id()::text
GROUP BY table_name, object_id ORDER BY min(at)
"""


def apply_or_propose(change: Callable[[], _Result], reason: str = "") -> _Result | ChangeRequest:
    """Make the change, and return what it returns; or, where it needs approval, undo and propose it.

    Whoever acts is the one who proposes it. What ``change`` raises undoes it as well.
    """
    with transaction.atomic():
        before_it = transaction.savepoint()
        try:
            result = change()
            if _is_permitted():
                transaction.savepoint_commit(before_it)
                return result
        except BaseException:
            transaction.savepoint_rollback(before_it)
            raise
        names = _touched()
        after = _read(names), domains_of(names)
        transaction.savepoint_rollback(before_it)
        return _propose(names, (_read(names), domains_of(names)), after, reason)


def needs_approval(error: BaseException) -> bool:
    """Return whether the database has refused a change that another person must approve."""
    return getattr(error.__cause__, "sqlstate", None) == NEEDS_APPROVAL


def _is_permitted() -> bool:
    """Ask what is asked at the commit, and leave what was done as it is."""
    try:
        with transaction.atomic():
            execute("SET CONSTRAINTS ALL IMMEDIATE")
    except DatabaseError as error:
        if not needs_approval(error):
            raise
        return False
    execute("SET CONSTRAINTS ALL DEFERRED")
    return True


def _touched() -> dict[_Row, str]:
    return {(table, row_id): name for table, row_id, name in execute(_TOUCHED)}


def _read(rows: Iterable[_Row]) -> dict[_Row, dict[str, Any]]:
    """Return all columns of those rows that exist."""
    ids: dict[str, list[str]] = {}
    for table, row_id in rows:
        ids.setdefault(table, []).append(row_id)
    return {
        (table, row_id): json.loads(values)  # Django reads jsonb as text
        for table, wanted in ids.items()
        for row_id, values in execute(
            f"SELECT row.id::text, to_jsonb(row) - %s::text[] FROM {connection.ops.quote_name(table)} AS row "  # noqa: S608 (a table's quoted name)
            "WHERE row.id = ANY(%s)",
            [list(LEFT_OUT.get(table, ())), [int(row_id) for row_id in wanted]],
        )
    }


def _propose(names: dict[_Row, str], before: _State, after: _State, reason: str) -> ChangeRequest:
    """Write the change request; who proposes the same again while it is open gets the first one."""
    who = acting.current() or acting.Acting("SQL")
    proposer = {"proposed_by": who.actor or "nobody who is known", "proposed_by_id": who.actor_id}
    (was, domains_before), (shall_be, domains_after) = before, after
    changed = [row for row in names if was.get(row) != shall_be.get(row)]
    items = [
        ChangeItem(
            table_name=row[0], object_id=row[1], object_name=names[row], before=was.get(row), after=shall_be.get(row)
        )
        for row in changed
    ]
    for proposed in ChangeRequest.objects.filter(status=ChangeRequest.Status.OPEN, **proposer):
        if _content(proposed.items.all()) == _content(items):
            return proposed
    domains = set().union(*(domains_before[row] | domains_after[row] for row in changed))
    request = ChangeRequest.objects.create(
        reason=reason or who.reason, road=who.road, domains=sorted(domains), **proposer
    )
    for item in items:
        item.request = request
    ChangeItem.objects.bulk_create(items, batch_size=1000)
    logger.info("Change %s was proposed by %s: %s rows.", request.pk, request.proposed_by, len(items))
    return request


def _content(items: Iterable[ChangeItem]) -> list[str]:
    """Return what the items come to, without the numbers and the time that a new row gets each time it is tried."""

    def values(row: dict[str, Any] | None) -> dict[str, Any] | None:
        return row and {
            name: value
            for name, value in row.items()
            if name != "created_at" and not (name.endswith("id") and isinstance(value, int))
        }

    return sorted(
        json.dumps([item.table_name, item.object_name, values(item.before), values(item.after)], sort_keys=True)
        for item in items
    )
