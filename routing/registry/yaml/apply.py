"""Writes a plan to the database, in few statements even for a large file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from routing.registry.models import ROUTE_FIELDS, Bot, Category, Domain, Override, Region, Route
from routing.registry.yaml.problems import ImportRefusedError, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from routing.identifiers import BotId
    from routing.registry.yaml.document import Progress
    from routing.registry.yaml.plan import Change, Plan

    _Item = TypeVar("_Item")
    _Named = TypeVar("_Named", Region, Category)
    _Rule = TypeVar("_Rule", Route, Override)

_BATCH = 5_000
"""Rows per statement; about a second each, so that progress is visible."""


def apply(plan: Plan, progress: Progress) -> None:
    """Write the plan. Call it in the transaction that locked the registry and made the plan.

    A changed row is deleted and inserted under the same ID, so that two periods can be swapped without overlapping in
    between. Raises ``ImportRefusedError`` if the plan breaks a rule of the database.
    """
    writer = _Writer(progress, total=len(plan.removed) + 2 * len(plan.changed) + len(plan.added))
    writer.delete([*plan.removed, *plan.changed])
    writer.insert([*plan.changed, *plan.added], plan.bots)
    _remove_unused(plan)


class _Writer:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._written = 0

    def delete(self, changes: Sequence[Change]) -> None:
        self._delete(Route, [change.old.id for change in changes if change.old and not change.key.qualifier])
        self._delete(Override, [change.old.id for change in changes if change.old and change.key.qualifier])

    def _delete(self, model: type[Route | Override], rows: Sequence[int]) -> None:
        for batch in _batches(rows):
            model._default_manager.filter(id__in=batch).delete()  # noqa: SLF001 (Django's documented API)
            self._count(batch)

    def insert(self, changes: Sequence[Change], existing: Mapping[BotId, int]) -> None:
        bots = _create_missing_bots(existing, {change.key.bot for change in changes})
        regions = _get_or_create_ids(Region, {change.key.region for change in changes if change.key.region})
        self._insert(Route, [change for change in changes if not change.key.qualifier], bots, regions)
        self._insert(Override, [change for change in changes if change.key.qualifier], bots, regions)

    def _insert(
        self, model: type[_Rule], changes: Sequence[Change], bots: Mapping[BotId, int], regions: Mapping[str, int]
    ) -> None:
        for batch in _batches(changes):
            rows = [model(**_columns(change, bots, regions)) for change in batch]
            try:
                with transaction.atomic():
                    model._default_manager.bulk_create(rows)  # noqa: SLF001 (Django's documented API)
            except IntegrityError:
                raise ImportRefusedError(list(_refusals(batch, rows))) from None
            self._count(batch)

    def _count(self, batch: Sequence[object]) -> None:
        self._written += len(batch)
        self._progress("Writing", self._written, self._total)


def _columns(change: Change, bots: Mapping[BotId, int], regions: Mapping[str, int]) -> dict[str, Any]:
    key, fields = change.key, change.new
    if fields is None:
        raise AssertionError(change)
    return {
        "id": change.old.id if change.old else None,
        "bot_id": bots[key.bot],
        "region_id": regions[key.region] if key.region else None,
        "valid_from": fields.period.start,
        "valid_until": fields.period.end,
        **dict(zip(ROUTE_FIELDS, fields.values, strict=True)),
        **(key.qualifier._asdict() if key.qualifier else {}),
    }


def _refusals(batch: Sequence[Change], rows: Sequence[Route | Override]) -> Iterator[Problem]:
    """Save the rows one by one, and yield for each that the database refuses its reason."""
    for change, row in zip(batch, rows, strict=True):
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError as error:
            reason = str(error).splitlines()[0]
            yield Problem(f"The database refuses {change.key} ({change.new}): {reason}.")


def _create_missing_bots(existing: Mapping[BotId, int], desired: Collection[BotId]) -> dict[BotId, int]:
    """Return the IDs of all bots; creates those that are missing, with their domains and categories."""
    missing = sorted(bot for bot in desired if bot not in existing)
    domains = _get_or_create_domains({bot.domain for bot in missing})
    categories = _get_or_create_ids(Category, {bot.category for bot in missing})
    rows = [Bot(domain_id=domains[bot.domain], category_id=categories[bot.category], name=bot.name) for bot in missing]
    created = Bot.objects.bulk_create(rows, batch_size=_BATCH)
    return {**existing, **{bot: row.pk for bot, row in zip(missing, created, strict=True)}}


def _get_or_create_domains(slugs: Collection[str]) -> dict[str, int]:
    """Return the IDs by name; refuses a new domain whose key would be another's."""
    domains = dict(Domain.objects.filter(slug__in=slugs).values_list("slug", "id"))
    for slug in sorted(set(slugs) - domains.keys()):
        domain = Domain(slug=slug)
        try:
            domain.full_clean()
        except ValidationError as error:
            message = f"The domain {slug!r} cannot be created. {' '.join(error.messages)}"
            raise ImportRefusedError([Problem(message)]) from None
        domain.save()
        domains[slug] = domain.pk
    return domains


def _get_or_create_ids(model: type[_Named], slugs: Collection[str]) -> dict[str, int]:
    """Return the IDs by name; creates the rows that are missing."""
    found = dict(model._default_manager.filter(slug__in=slugs).values_list("slug", "id"))  # noqa: SLF001 (as above)
    missing = [model(slug=slug) for slug in sorted(slugs) if slug not in found]
    return found | {row.slug: row.pk for row in model._default_manager.bulk_create(missing)}  # noqa: SLF001 (as above)


def _remove_unused(plan: Plan) -> None:
    unused = plan.unused
    for batch in _batches(unused.bots):
        Bot.objects.filter(id__in=[plan.bots[bot] for bot in batch]).delete()
    if unused.categories:
        Category.objects.filter(slug__in=unused.categories).delete()
    if unused.regions:
        Region.objects.filter(slug__in=unused.regions).delete()


def _batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
