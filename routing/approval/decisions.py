"""Decides change requests: another person approves one, which applies it, or rejects it with a reason."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from routing.approval.models import ChangeApproval, ChangeItem, ChangeRequest
from routing.approval.triggers import LEFT_OUT
from routing.errors import InvalidRequest, NotPermitted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routing.audit.acting import Person

logger = logging.getLogger(__name__)

Status = ChangeRequest.Status


class _Stale(Exception):  # noqa: N818 (it never leaves this module)
    """Why an item no longer applies."""


def approve(request_id: int, person: Person) -> ChangeRequest:
    """Approve the change, and apply all of it; where that is no longer possible, it is out of date and says why.

    Raises ``NotPermitted`` for the one who proposed it, ``InvalidRequest`` if it is no longer open.
    """
    try:
        with transaction.atomic():
            request = _lock_open(request_id)
            if is_own(request, person):
                raise NotPermitted("You proposed this change, so another person must approve it.")
            ChangeApproval.objects.create(request=request, person=person.name, person_id=person.id)
            _decide(request, Status.APPLIED, person)
            _apply(request.items.all())
    except _Stale as stale:
        with transaction.atomic():
            _decide(_lock_open(request_id), Status.STALE, person, str(stale))
    return ChangeRequest.objects.get(pk=request_id)


def reject(request_id: int, person: Person, reason: str) -> ChangeRequest:
    """Reject the change; raises ``InvalidRequest`` without a reason, or if it is no longer open."""
    if not reason.strip():
        raise InvalidRequest("Give the reason, so that the person who proposed it knows what to change.")
    with transaction.atomic():
        return _decide(_lock_open(request_id), Status.REJECTED, person, reason.strip())


def withdraw(request_id: int, person: Person) -> ChangeRequest:
    """Withdraw one's own change; raises ``NotPermitted`` for anybody else."""
    with transaction.atomic():
        request = _lock_open(request_id)
        if not is_own(request, person):
            raise NotPermitted("Only the person who proposed a change can withdraw it. You can reject it instead.")
        return _decide(request, Status.WITHDRAWN, person)


def leave_out(request_id: int, item_id: int, person: Person) -> None:
    """Take one row out of one's own change; what was approved is to be approved again."""
    with transaction.atomic():
        request = _lock_open(request_id)
        if not is_own(request, person):
            raise NotPermitted("Only the person who proposed a change can edit it.")
        if request.items.count() == 1:
            raise InvalidRequest("Nothing would be left of the change. Withdraw it instead.")
        request.items.filter(pk=item_id).delete()


def is_own(request: ChangeRequest, person: Person) -> bool:
    """Return whether the person proposed it."""
    return person.is_same_as(request.proposed_by, request.proposed_by_id)


def outdated_items(request: ChangeRequest) -> list[str]:
    """Return a sentence for each row that is no longer as it was when the change was proposed."""
    return [_outdated(item) for item in request.items.all() if _present(item) != item.before]


def _lock_open(request_id: int) -> ChangeRequest:
    request = ChangeRequest.objects.select_for_update().filter(pk=request_id).first()
    if request is None:
        raise InvalidRequest(f"There is no change {request_id}.")
    if request.status != Status.OPEN:
        raise InvalidRequest(f"Change {request_id} was decided already: it is {request.get_status_display()}.")
    return request


def _decide(request: ChangeRequest, status: Status, person: Person, reason: str = "") -> ChangeRequest:
    ChangeRequest.objects.filter(pk=request.pk).update(
        status=status, decided_at=Now(), decided_by=person.name, decision_reason=reason
    )
    logger.info("Change %s is %s, by %s.", request.pk, status.label, person.name)
    request.refresh_from_db()
    return request


def _apply(items: Iterable[ChangeItem]) -> None:
    """Write each row as it was proposed; what is deleted goes first, and makes room for what is added."""
    ordered = sorted(items, key=lambda item: (item.after is not None, item.before is None, item.pk))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for item in ordered:
                if not _write(cursor, item):
                    raise _Stale(_outdated(item))
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    except IntegrityError as error:
        raise _Stale(f"The database refused it, because something else has changed since: {error}") from error


def _write(cursor: Any, item: ChangeItem) -> bool:
    """Add, change or delete the item's row; return whether it was as it had been when the change was proposed."""
    table = connection.ops.quote_name(item.table_name)
    columns = ", ".join(connection.ops.quote_name(column) for column in item.after or ())
    proposed = f"SELECT {columns} FROM jsonb_populate_record(NULL::{table}, %(after)s)"  # noqa: S608 (quoted names)
    present = "WHERE id = %(id)s AND to_jsonb(row) - %(left_out)s::text[] = %(before)s"
    if item.before is None:
        statement = f"INSERT INTO {table} ({columns}) {proposed}"
    elif item.after is None:
        statement = f"DELETE FROM {table} AS row {present}"  # noqa: S608 (quoted names)
    else:
        statement = f"UPDATE {table} AS row SET ({columns}) = ({proposed}) {present}"  # noqa: S608 (quoted names)
    values = {
        "id": int(item.object_id),
        "left_out": _left_out(item),
        "before": json.dumps(item.before),
        "after": json.dumps(item.after),
    }
    cursor.execute(statement, values)
    return bool(cursor.rowcount)


def _present(item: ChangeItem) -> Any:
    table = connection.ops.quote_name(item.table_name)
    with connection.cursor() as cursor:
        statement = f"SELECT to_jsonb(row) - %s::text[] FROM {table} AS row WHERE id = %s"  # noqa: S608 (a table's quoted name)
        cursor.execute(statement, [_left_out(item), int(item.object_id)])
        row = cursor.fetchone()
    return json.loads(row[0]) if row else None  # Django reads jsonb as text


def _left_out(item: ChangeItem) -> list[str]:
    return list(LEFT_OUT.get(item.table_name, ()))


def _outdated(item: ChangeItem) -> str:
    return f"{item.object_name} has changed since this was proposed. Propose it again."
