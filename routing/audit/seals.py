"""Seals the audit log, and verifies it: the seals make a chain, in which no entry can be changed unseen."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from django.db import connection, transaction

from routing.audit.models import AuditSeal
from routing.postgres.queries import execute

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger(__name__)

_MAX_ENTRIES = 10_000

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('billing_router.audit_seal'))"

_DIGEST = "encode(sha256(convert_to(to_jsonb(entry)::text, 'UTF8')), 'hex')"

_CHAIN = "encode(sha256(convert_to({before} || {entries}::text, 'UTF8')), 'hex')"

_SEAL = f"""
WITH taken AS (
    DELETE FROM routing_auditunsealed WHERE entry_id IN (
        SELECT entry_id FROM routing_auditunsealed JOIN routing_auditentry ON id = entry_id
        ORDER BY at, id LIMIT %s
    ) RETURNING entry_id
), sealed AS (
    SELECT jsonb_agg(jsonb_build_array(id, {_DIGEST}) ORDER BY at, id) AS entries,
           jsonb_agg(to_jsonb(entry) ORDER BY at, id) AS lines
    FROM routing_auditentry AS entry WHERE id IN (SELECT entry_id FROM taken)
), last AS (
    SELECT COALESCE(max(number), 0) AS number,
           COALESCE((SELECT digest FROM routing_auditseal ORDER BY number DESC LIMIT 1), '') AS digest
    FROM routing_auditseal
), made AS (
    INSERT INTO routing_auditseal (number, entries, digest)
    SELECT last.number + 1, sealed.entries, {_CHAIN.format(before="last.digest", entries="sealed.entries")}
    FROM sealed, last WHERE sealed.entries IS NOT NULL
    RETURNING number, digest
)
SELECT made.number, made.digest, sealed.lines FROM made, sealed
"""  # noqa: S608 (of this module's own texts)

_CHANGED_SEALS = f"""
WITH chain AS (
    SELECT number, digest, entries, lag(number, 1, 0::bigint) OVER ordered AS number_before,
           lag(digest, 1, '') OVER ordered AS digest_before
    FROM routing_auditseal WINDOW ordered AS (ORDER BY number)
)
SELECT number, number_before, digest IS DISTINCT FROM {_CHAIN.format(before="digest_before", entries="entries")}
FROM chain WHERE number <> number_before + 1
    OR digest IS DISTINCT FROM {_CHAIN.format(before="digest_before", entries="entries")}
ORDER BY number
"""  # noqa: S608 (of this module's own texts)

_CHANGED_ENTRIES = f"""
WITH sealed AS (
    SELECT number, (pair->>0)::uuid AS id, pair->>1 AS digest
    FROM routing_auditseal, jsonb_array_elements(entries) AS pair
)
SELECT COALESCE(sealed.id, entry.id), sealed.number, entry.id IS NULL, sealed.id IS NULL, entry.at
FROM sealed FULL JOIN routing_auditentry AS entry ON entry.id = sealed.id
WHERE entry.id IS NULL
    OR sealed.id IS NULL AND NOT EXISTS (SELECT FROM routing_auditunsealed WHERE entry_id = entry.id)
    OR sealed.id IS NOT NULL AND sealed.digest <> {_DIGEST}
ORDER BY sealed.number, entry.at
"""  # noqa: S608 (of this module's own texts)

_OVERDUE = """
SELECT count(*), min(at) FROM routing_auditunsealed JOIN routing_auditentry ON id = entry_id
WHERE at < now() - interval '10 minutes'
"""


def seal() -> list[AuditSeal]:
    """Seal what was written since the last seal, and log each entry and seal as a line of JSON.

    The lines are there before the seal is, so what is sealed was logged, once or more.
    """
    seals = []
    while made := _seal_some():
        seals.append(made)
    return seals


def _seal_some() -> AuditSeal | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        cursor.execute(_SEAL, [_MAX_ENTRIES])
        row = cursor.fetchone()
        if row is None:
            return None
        number, digest, lines = row
        for line in json.loads(lines):  # Django reads jsonb as text
            logger.info("audit %s", json.dumps(line, ensure_ascii=False))
        logger.info("audit seal %s", json.dumps({"seal": number, "digest": digest}))
    return AuditSeal(number=number, digest=digest)


def verify(kept: Mapping[int, str]) -> Iterator[str]:
    """Yield a sentence for each entry and seal that is missing, was changed, or was inserted.

    ``kept`` has the digests of seals by number, as they were logged elsewhere: whoever may rewrite the whole database
    can make a new chain, but not the one that was logged.
    """
    yield from _changed_seals()
    yield from _changed_entries()
    yield from _differences_from(kept)
    [(count, oldest)] = execute(_OVERDUE)
    if count:
        yield f"Sealing has stopped: {count} entries wait for it, the oldest since {oldest:%Y-%m-%d %H:%M} UTC."


def _changed_seals() -> Iterator[str]:
    for number, before, is_changed in execute(_CHANGED_SEALS):
        if number != before + 1:
            yield f"The seals from {before + 1} to {number - 1} were removed."
        elif is_changed:
            yield f"Seal {number} was changed."


def _changed_entries() -> Iterator[str]:
    for entry, number, is_missing, is_inserted, at in execute(_CHANGED_ENTRIES):
        if is_missing:
            yield f"Entry {entry} was removed. Seal {number} names it."
        elif is_inserted:
            yield f"Entry {entry} of {at:%Y-%m-%d %H:%M:%S} UTC was inserted by hand: no trigger of the log wrote it."
        else:
            yield f"Entry {entry} of {at:%Y-%m-%d %H:%M:%S} UTC was changed. Seal {number} has what it was."


def _differences_from(kept: Mapping[int, str]) -> Iterator[str]:
    digests = dict(AuditSeal.objects.filter(number__in=kept).values_list("number", "digest"))
    for number, digest in sorted(kept.items()):
        if number not in digests:
            yield f"Seal {number} was logged and is missing."
        elif digests[number] != digest:
            yield f"Seal {number} is not the one that was logged."
