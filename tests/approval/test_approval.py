"""Nobody moves money alone: what needs approval is proposed by one person and takes effect when another approves it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.utils import timezone

from routing.access.models import BotToken
from routing.access.tokens import issue, rotate
from routing.approval.decisions import approve, leave_out, outdated_items, reject, withdraw
from routing.approval.models import ChangeApproval, ChangeItem, ChangeRequest
from routing.approval.proposals import apply_or_propose, needs_approval
from routing.audit.acting import Acting, Person, acting
from routing.audit.models import AuditEntry
from routing.caps.models import Cap
from routing.errors import InvalidRequest, NotPermitted
from routing.registry.models import Bot, Category, Domain, Override, Pause, Region, Route
from routing.registry.pausing import pause_everything, resume_everything

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db(transaction=True)

ANN = Person("ann", 1)
BOB = Person("bob", 2)

Status = ChangeRequest.Status


@pytest.fixture
def bot(db) -> Bot:
    """``stripe:finance:invoicer`` in a domain whose changes need approval."""
    domain, _ = Domain.objects.get_or_create(slug="stripe")
    bot = Bot.objects.create(domain=domain, category=Category.objects.create(slug="finance"), name="invoicer")
    region, _ = Region.objects.get_or_create(slug="default")
    Route.objects.create(bot=bot, region=region, product_id="prod_A1", price_id="price_A1", customer_id="cus_A1")
    Override.objects.create(bot=bot, key="business", value="enterprise", price_id="price_B2")
    Cap.objects.create(bot=bot, measure="gross", per="day", currency="usd", limit=1000)
    User.objects.create_user("carl")
    Group.objects.create(name="finance")
    issue("invoicing", [str(bot)], ["charge"])
    Domain.objects.create(slug="free")
    Domain.objects.filter(pk=domain.pk).update(requires_approval=True)
    return bot


def propose(change: Callable[[], Any], by: str = "ann", number: int | None = 1) -> ChangeRequest:
    with acting(lambda: Acting("admin", by, number)):
        request = apply_or_propose(change, "the prices of 2027")
    assert isinstance(request, ChangeRequest)
    return request


def _move_to_another_domain() -> None:
    Bot.objects.update(domain=Domain.objects.get(slug="free"))


def _route(bot: Bot) -> None:
    region = Region.objects.create(slug="eu")
    Route.objects.create(bot=bot, region=region, product_id="prod_A1", price_id="price_EU", customer_id="cus_A1")


GUARDED: dict[str, Callable[[Bot], Any]] = {
    "a domain's account": lambda _: Domain.objects.filter(slug="stripe").update(account_id="acct_other1"),
    "a domain's key": lambda _: Domain.objects.filter(slug="stripe").update(key_path="secret/data/other"),
    "that approval is asked for": lambda _: Domain.objects.filter(slug="stripe").update(requires_approval=False),
    "a bot": lambda bot: Bot.objects.create(domain=bot.domain, category=bot.category, name="other"),
    "a bot's domain": lambda _: _move_to_another_domain(),
    "a bot's end": lambda bot: Bot.objects.get(pk=bot.pk).delete(),
    "a price": lambda _: Route.objects.update(price_id="price_40_times"),
    "a customer": lambda _: Route.objects.update(customer_id="cus_other"),
    "a new route": _route,
    "a route's end": lambda _: Route.objects.update(valid_until=timezone.now()),
    "an override": lambda _: Override.objects.update(price_id="price_40_times"),
    "an override's end": lambda _: Override.objects.all().delete(),
    "a cap's limit": lambda _: Cap.objects.update(limit=100_000),
    "a cap's end": lambda _: Cap.objects.all().delete(),
    "a cap on everything": lambda _: Cap.objects.create(measure="gross", per="day", currency="usd", limit=1),
    "a category's name": lambda _: Category.objects.update(slug="sales"),
    "a region's name": lambda _: Region.objects.filter(slug="default").update(slug="world"),
    "a token": lambda bot: issue("other", [str(bot)], ["charge"]),
    "a token for every bot": lambda _: issue("other", ["*"], ["charge"]),
    "a token's scopes": lambda _: BotToken.objects.update(scopes=["charge", "refund"]),
    "a token's networks": lambda _: BotToken.objects.update(networks=["0.0.0.0/0"]),
    "a longer life of a token": lambda _: BotToken.objects.update(expires_at=F("expires_at") + timedelta(days=1)),
    "an endless token": lambda _: BotToken.objects.update(expires_at=None),
    "the successor of a token": lambda _: rotate(BotToken.objects.get()),
    "a new user": lambda _: User.objects.create_user("eve"),
    "a superuser": lambda _: User.objects.filter(username="carl").update(is_superuser=True),
    "a name": lambda _: User.objects.filter(username="carl").update(username="dora"),
    "a membership": lambda _: User.objects.get(username="carl").groups.add(Group.objects.get()),
    "a user's permission": lambda _: User.objects.get(username="carl").user_permissions.add(
        Permission.objects.all()[0]
    ),
    "a group's permission": lambda _: Group.objects.get().permissions.add(Permission.objects.all()[0]),
}


def state() -> list[Any]:
    models = (Domain, Region, Category, Bot, Route, Override, Cap, BotToken, Pause, User, Group)
    rows = [list(model.objects.order_by("pk").values()) for model in models]
    given = (User.groups.through, User.user_permissions.through, Group.permissions.through)
    return [*rows, *(list(through.objects.values_list()) for through in given)]


@pytest.mark.parametrize("name", GUARDED)
def test_the_database_refuses_what_nobody_has_approved(bot, name):
    before = state()

    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        GUARDED[name](bot)

    assert needs_approval(refused.value)
    assert state() == before


@pytest.mark.parametrize("name", GUARDED)
def test_it_is_proposed_and_takes_effect_when_another_person_approves_it(bot, name):
    before = state()
    request = propose(lambda: GUARDED[name](bot))
    meanwhile = state()
    approved = approve(request.pk, BOB)

    assert meanwhile == before
    assert (request.proposed_by, request.reason, request.status) == ("ann", "the prices of 2027", Status.OPEN)
    assert (approved.status, approved.decided_by) == (Status.APPLIED, "bob")
    assert state() != before


FREE: dict[str, Callable[[Bot], Any]] = {
    "a pause of the bot": lambda _: Bot.objects.update(is_paused=True),
    "a pause of the category": lambda _: Category.objects.update(is_paused=True),
    "a pause of the domain": lambda _: Domain.objects.update(is_paused=True),
    "a pause of everything": lambda _: pause_everything(by="ann"),
    "a revoked token": lambda _: BotToken.objects.update(revoked_at=timezone.now()),
    "a shorter life of a token": lambda _: BotToken.objects.update(expires_at=timezone.now()),
    "a bot's owner": lambda _: Bot.objects.update(owner="Ann"),
    "a password of one's own": lambda _: User.objects.update(password="!"),
    "another domain": lambda _: Domain.objects.filter(slug="free").update(account_id="acct_other1"),
}


@pytest.mark.parametrize("name", FREE)
def test_a_stop_and_what_moves_no_money_take_one_person(bot, name):
    before = state()

    apply_or_propose(lambda: FREE[name](bot))

    assert state() != before
    assert not ChangeRequest.objects.exists()


LIFTED: dict[str, Callable[[], Any]] = {
    "of a bot": lambda: Bot.objects.update(is_paused=False),
    "of a category": lambda: Category.objects.update(is_paused=False),
    "of a domain": lambda: Domain.objects.update(is_paused=False),
    "of everything": lambda: resume_everything(by="ann"),
    "of everything, by deleting it": lambda: Pause.objects.all().delete(),
}


@pytest.mark.parametrize("name", LIFTED)
def test_to_lift_a_pause_takes_two(bot, name):
    for pause in FREE.values():
        apply_or_propose(lambda pause=pause: pause(bot))
    before = state()

    request = propose(LIFTED[name])

    assert state() == before
    assert approve(request.pk, BOB).status == Status.APPLIED


@pytest.mark.parametrize(
    ("person", "number"), [("ann", 1), ("renamed", 1), ("ann", 99)], ids=["himself", "renamed", "by a second account"]
)
def test_nobody_approves_his_own_change(bot, person, number):
    request = propose(lambda: Route.objects.update(price_id="price_B2"))

    with pytest.raises(NotPermitted, match=r"^You proposed this change, so another person must approve it\.$"):
        approve(request.pk, Person(person, number))
    with pytest.raises(DatabaseError, match="Nobody approves his own change"):
        ChangeApproval.objects.create(request=request, person=person, person_id=number)

    assert Route.objects.get().price_id == "price_A1"


def test_several_rows_take_effect_together_or_not_at_all(bot):
    def change() -> None:
        Route.objects.update(price_id="price_B2")
        Cap.objects.update(limit=2000)

    request = propose(change)
    apply_or_propose_alone = propose(lambda: Cap.objects.update(limit=3000), "bob", 2)
    approve(apply_or_propose_alone.pk, ANN)

    decided = approve(request.pk, BOB)

    assert decided.status == Status.STALE
    assert decided.decision_reason == (
        "gross per day, bot stripe:finance:invoicer has changed since this was proposed. Propose it again."
    )
    assert (Route.objects.get().price_id, Cap.objects.get().limit) == ("price_A1", 3000)
    assert not ChangeApproval.objects.filter(request=request).exists()


def test_who_proposes_the_same_again_gets_the_first_change(bot):
    first = propose(lambda: _route(bot))

    assert propose(lambda: _route(bot)) == first
    assert propose(lambda: _route(bot), "bob", 2) != first


def test_a_change_that_is_outdated_says_so_before_it_is_approved(bot):
    request = propose(lambda: Cap.objects.update(limit=2000))
    assert outdated_items(request) == []

    approve(propose(lambda: Cap.objects.update(limit=3000), "bob", 2).pk, ANN)

    assert len(outdated_items(request)) == 1


def test_what_conflicts_with_something_new_is_out_of_date(bot):
    eu = Region.objects.create(slug="eu")
    values = {"bot": bot, "region": eu, "product_id": "prod_A1", "price_id": "price_EU", "customer_id": "cus_A1"}
    first = propose(lambda: Route.objects.create(**values))
    second = propose(lambda: Route.objects.create(**values), "bob", 2)
    approve(first.pk, BOB)

    decided = approve(second.pk, ANN)

    assert decided.status == Status.STALE
    assert Route.objects.filter(region=eu).count() == 1


def test_a_rejected_or_withdrawn_change_takes_no_effect_any_more(bot):
    rejected = propose(lambda: Route.objects.update(price_id="price_B2"))
    withdrawn = propose(lambda: Route.objects.update(price_id="price_C3"))

    with pytest.raises(InvalidRequest, match="Give the reason"):
        reject(rejected.pk, BOB, " ")
    assert reject(rejected.pk, BOB, "too dear").decision_reason == "too dear"
    with pytest.raises(NotPermitted):
        withdraw(withdrawn.pk, BOB)
    assert withdraw(withdrawn.pk, ANN).status == Status.WITHDRAWN

    for request in (rejected, withdrawn):
        with pytest.raises(InvalidRequest, match="was decided already"):
            approve(request.pk, BOB)
    assert Route.objects.get().price_id == "price_A1"


def test_editing_a_change_voids_its_approval(bot):
    def change() -> None:
        Route.objects.update(price_id="price_B2")
        Cap.objects.update(limit=2000)

    request = propose(change)
    ChangeApproval.objects.create(request=request, person=BOB.name, person_id=BOB.id)
    item = request.items.get(table_name="routing_cap")
    with pytest.raises(NotPermitted):
        leave_out(request.pk, item.pk, BOB)

    leave_out(request.pk, item.pk, ANN)

    assert not ChangeApproval.objects.exists()
    with pytest.raises(DatabaseError, match="Nobody has approved"):
        ChangeRequest.objects.filter(pk=request.pk).update(status=Status.APPLIED, decided_at=timezone.now())
    approve(request.pk, BOB)
    assert (Route.objects.get().price_id, Cap.objects.get().limit) == ("price_B2", 1000)


AROUND = {
    "to apply what nobody approved": "UPDATE routing_changerequest SET status = 'applied', decided_at = now()",
    "to write it applied": (
        "INSERT INTO routing_changerequest (status, reason, road, proposed_by, decided_by, decision_reason, applied_in,"
        " decided_at) VALUES ('applied', '', 'SQL', 'x', 'y', '', pg_current_xact_id()::text, now())"
    ),
    "to apply one twice": "UPDATE routing_changerequest SET applied_in = pg_current_xact_id()::text",
    "to edit what was approved": "UPDATE routing_changeitem SET after = '{}'",
    "to make somebody else the proposer": "UPDATE routing_changerequest SET proposed_by = 'bob', proposed_by_id = 2",
    "to delete a change": "DELETE FROM routing_changerequest",
    "to switch it off": (
        "SELECT set_config('pgtrigger.ignore', (SELECT array_agg(tgname)::text FROM pg_trigger), true);"
        " UPDATE routing_route SET price_id = 'price_X'"
    ),
}


@pytest.mark.parametrize("name", AROUND)
def test_there_is_no_road_around_in_sql(bot, name):
    request = propose(lambda: Cap.objects.update(limit=2000))
    if name not in ("to apply what nobody approved", "to make somebody else the proposer"):
        approve(request.pk, BOB)
    before = state(), list(ChangeRequest.objects.values()), list(ChangeItem.objects.values())

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(AROUND[name])

    assert (state(), list(ChangeRequest.objects.values()), list(ChangeItem.objects.values())) == before


def test_what_is_applied_beside_an_approved_change_is_refused(bot):
    """An approval is for these very rows, and for this very content."""
    request = propose(lambda: Cap.objects.update(limit=2000))

    def apply_another() -> None:
        with transaction.atomic():
            ChangeApproval.objects.create(request=request, person=BOB.name, person_id=BOB.id)
            ChangeRequest.objects.filter(pk=request.pk).update(status=Status.APPLIED, decided_at=timezone.now())
            Cap.objects.update(limit=2001)

    with pytest.raises(DatabaseError) as refused:
        apply_another()

    assert needs_approval(refused.value)
    assert isinstance(refused.value.__cause__, psycopg.Error)


def test_the_audit_log_has_who_proposed_and_who_approved(bot):
    request = propose(lambda: Route.objects.update(price_id="price_B2"))
    with acting(lambda: Acting("admin", "bob", 2)):
        approve(request.pk, BOB)

    entries = AuditEntry.objects.filter(table_name="routing_changerequest", object_id=request.pk)
    assert [(entry.actor, entry.after["status"]) for entry in entries if entry.after] == [
        ("bob", "applied"),
        ("ann", "open"),
    ]
    change = AuditEntry.objects.filter(table_name="routing_route", action="update").get()
    assert (change.actor, change.after and change.after["price_id"]) == ("bob", "price_B2")


def test_what_needs_no_approval_takes_effect_at_once(bot):
    Domain.objects.create(slug="other")

    assert apply_or_propose(lambda: Domain.objects.filter(slug="other").update(account_id="acct_1")) == 1


def test_an_error_of_the_change_undoes_it(bot):
    def change() -> None:
        Bot.objects.update(owner="Ann")
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        apply_or_propose(change)

    assert Bot.objects.get().owner == ""


def test_signing_in_makes_nothing_out_of_date_that_is_proposed_for_a_user(bot):
    request = propose(lambda: User.objects.filter(username="carl").update(email="carl@example.com"))
    User.objects.filter(username="carl").update(last_login=timezone.now())
    last_login = User.objects.get(username="carl").last_login

    assert outdated_items(request) == []
    assert approve(request.pk, BOB).status == Status.APPLIED
    carl = User.objects.get(username="carl")
    assert (carl.email, carl.last_login) == ("carl@example.com", last_login)
