"""What each role may do, and how somebody who works in some domains alone sees nothing of the others."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.urls import reverse

from routing.access.models import StaffDomains
from routing.access.staff import ROLES, domains_of, make_roles
from routing.access.tokens import issue
from routing.approval.models import ChangeRequest
from routing.approval.proposals import apply_or_propose
from routing.audit.acting import Acting, acting
from routing.caps.models import Cap
from routing.payments.kinds import Kind
from routing.payments.settlement.models import Discrepancy
from routing.payments.webhooks.models import WebhookEvent
from routing.registry.models import Bot, Category, Domain, Override, Pause, Region, Route
from tests.database_roles import as_administrator
from tests.payments.ledger import without_triggers

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _permissions(db) -> None:
    """Make what a migration has made, and a test before this one has flushed."""
    ContentType.objects.clear_cache()
    with as_administrator():
        for label in ("auth", "routing"):
            create_permissions(apps.get_app_config(label), verbosity=0)
    make_roles(apps)


def person(name: str, *roles: str, domains: tuple[str, ...] = ()) -> Client:
    user = User.objects.create_user(name, password="a-long-passphrase", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=roles))
    if domains:
        StaffDomains.objects.create(user=user, domains=list(domains))
    client = Client()
    client.force_login(user)
    return client


def url(model: str, page: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{'auth' if model in ('user', 'group') else 'routing'}_{model}_{page}", args=args)


def test_the_migration_makes_the_roles_also_where_changes_need_approval():
    migration = import_module("routing.migrations.0024_staff_roles")
    Group.objects.all().delete()
    Domain.objects.update(requires_approval=True)

    with as_administrator(), connection.schema_editor() as editor:
        migration._make_roles(apps, editor)

    given = {
        group.name: {f"{each.content_type.app_label}.{each.codename}" for each in group.permissions.all()}
        for group in Group.objects.all()
    }
    assert given == ROLES


@pytest.mark.parametrize("role", ROLES)
def test_a_role_names_permissions_that_exist(role):
    existing = {
        f"{app}.{codename}" for app, codename in Permission.objects.values_list("content_type__app_label", "codename")
    }

    assert ROLES[role] <= existing
    assert ROLES["Viewer"] <= ROLES[role] <= ROLES["Administrator"]


def test_a_group_of_the_same_name_is_finances_and_stays_as_it_is():
    Group.objects.all().delete()
    Group.objects.create(name="Editor")

    make_roles(apps)

    assert not Group.objects.get(name="Editor").permissions.exists()
    assert Group.objects.count() == len(ROLES)


PAGES = {
    "bot": "Editor",
    "route": "Editor",
    "override": "Editor",
    "cap": "Editor",
    "domain": "Administrator",
    "region": "Administrator",
    "category": "Administrator",
    "user": "Administrator",
    "group": "Administrator",
}
"""By model: the least role that may add one."""


@pytest.mark.parametrize("role", ROLES)
def test_who_may_open_which_page(role, bot):
    client = person("ann", role)

    for model, needed in PAGES.items():
        may = ROLES[needed] <= ROLES[role]
        assert client.get(url(model, "add")).status_code == (200 if may else 403), model
    for model in ("payment", "discrepancy", "changerequest", "auditentry", "webhookevent", "pause", "bottoken"):
        assert client.get(url(model)).status_code == 200, model
    may_revoke = ROLES["Token administrator"] <= ROLES[role]
    assert ("revoke_selected" in client.get(url("bottoken")).content.decode()) == may_revoke


def test_a_customers_address_is_shown_to_those_who_may_see_it(payment):
    made = payment(
        kind=Kind.CUSTOMER,
        description="for jane.doe@example.com",
        request={"customer": {"email": "jane.doe@example.com", "phone": "+15550100", "name": "Jane Doe"}},
        result={"id": "cus_J1", "email": "jane.doe@example.com"},
        metadata={"contact": "jane.doe@example.com"},
        error={"message": "jane.doe@example.com is no address", "code": "email_invalid"},
    )
    pages = (url("payment"), f"{url('payment')}?kind=customer", url("payment", "change", made.pk))

    for page in pages:
        shown = person(f"viewer{page}", "Viewer").get(page).content.decode()
        assert "jane.doe" not in shown
        assert "+15550100" not in shown
        assert "Jane Doe" not in shown
    assert "j…@example.com" in shown
    assert "jane.doe@example.com" in person("approver", "Approver").get(pages[-1]).content.decode()


@pytest.fixture
def worlds(bot, payment) -> dict[str, list[tuple[str, Any]]]:
    """In each of two domains: a bot, its route, override, cap, token, payment, discrepancy, event and a change."""
    other = Domain.objects.create(slug="other")
    second = Bot.objects.create(domain=other, category=bot.category, name="second")
    region = Region.objects.get(slug="default")
    Route.objects.create(bot=second, region=region, product_id="prod_X", price_id="price_X", customer_id="cus_X")
    Override.objects.create(bot=second, key="tier", value="gold", price_id="price_X2")
    rows: dict[str, list[tuple[str, Any]]] = {}
    for each in (bot, second):
        domain = each.domain
        issue(f"token of {domain}", [str(each)], ["charge"])
        Domain.objects.filter(pk=domain.pk).update(requires_approval=True)
        with acting(lambda: Acting("admin", "dora", 99)):
            change = apply_or_propose(lambda each=each: Route.objects.filter(bot=each).update(price_id="price_N"))
        assert isinstance(change, ChangeRequest)
        with without_triggers():
            Domain.objects.filter(pk=domain.pk).update(requires_approval=False)
        mine = {"domain": str(domain), "bot": str(each)}
        rows[str(domain)] = [
            ("domain", domain),
            ("bot", each),
            ("route", each.routes.get()),
            ("override", each.overrides.get()),
            ("cap", Cap.objects.create(bot=each, measure="gross", per="day", currency="usd", limit=1000)),
            ("payment", payment(**mine)),
            (
                "discrepancy",
                Discrepancy.objects.create(
                    kind="bypass", details={"stripe": {}}, domain=str(domain), stripe_id=f"pi_{domain}"
                ),
            ),
            (
                "webhookevent",
                WebhookEvent.objects.create(
                    domain=str(domain),
                    event_id=f"evt_{domain}",
                    type="t",
                    object_type="o",
                    object_id="pi_1",
                    created=datetime.now(UTC),
                    source="webhook",
                ),
            ),
            ("changerequest", change),
        ]
    return rows


def test_a_person_limited_to_a_domain_sees_nothing_of_the_others(worlds):
    client = person("ann", "Administrator", domains=("stripe",))

    for model, row in worlds["stripe"]:
        assert client.get(url(model, "change", row.pk)).status_code == 200, model
    for model, row in worlds["other"]:
        assert client.get(url(model, "change", row.pk)).status_code == 302, model
        listed = client.get(url(model)).context["cl"].queryset
        assert listed.filter(pk=worlds["stripe"][[m for m, _ in worlds["stripe"]].index(model)][1].pk).exists(), model
        assert not listed.filter(pk=row.pk).exists(), model
    for page in ("/admin/", reverse("admin:routing_check_call"), url("bottoken"), url("auditentry"), url("payment")):
        assert "other:" not in client.get(page).content.decode(), page
    assert "second" not in client.get("/admin/search/?s=second").content.decode()
    refused = client.get(reverse("admin:routing_check_call"), {"bot": "other:finance:second"}).content.decode()
    assert "You work in some domains alone" in refused
    keys = client.get(reverse("admin:routing_keys")).context["keys"]
    assert [key.domain.slug for key in keys] == ["stripe"]


def test_nor_does_he_change_what_is_of_every_domain(worlds):
    client = person("ann", "Administrator", domains=("stripe",))

    for model in ("domain", "region", "category", "user", "group"):
        assert client.get(url(model, "add")).status_code == 403, model
    client.post(reverse("admin:routing_pause_everything"), {"confirmed": "yes", "reason": "now"})
    client.post(
        url("category", "changelist"),
        {"action": "pause_selected", "_selected_action": [Category.objects.get().pk], "confirmed": "yes"},
    )
    cap = {"measure": "gross", "per": "day", "currency": "eur", "limit": "1.00"}
    assert client.post(url("cap", "add"), cap).status_code == 403
    assert client.post(url("cap", "add"), cap | {"domain": Domain.objects.get(slug="other").pk}).status_code == 200
    assert client.post(url("cap", "add"), cap | {"domain": Domain.objects.get(slug="stripe").pk}).status_code == 302

    assert not Pause.objects.exists()
    assert not Category.objects.filter(is_paused=True).exists()
    assert Cap.objects.filter(currency="eur").count() == 1


def test_nor_does_he_put_a_bot_or_a_rule_elsewhere(worlds):
    client = person("ann", "Editor", domains=("stripe",))
    second = Bot.objects.get(name="second")
    rule = {"bot": second.pk, "region": Region.objects.get().pk, "product_id": "prod_A", "price_id": "price_A",
            "customer_id": "cus_A", "currency": "usd"}  # fmt: skip

    client.post(url("route", "add"), rule)
    client.post(url("override", "add"), rule | {"key": "tier", "value": "silver"})
    client.post(url("bot", "change", second.pk), {"owner": "ann"})

    assert Route.objects.filter(bot=second).count() == 1
    assert Override.objects.filter(bot=second).count() == 1
    assert Bot.objects.get(name="second").owner == ""


def test_a_change_is_decided_by_whoever_works_in_all_its_domains(worlds):
    changes = ChangeRequest.objects.order_by("pk")
    assert [change.domains for change in changes] == [["stripe"], ["other"]]
    clients = {"ann": person("ann", "Approver", domains=("stripe",)), "bob": person("bob", "Approver")}
    Domain.objects.update(requires_approval=True)
    with acting(lambda: Acting("admin", "dora", 99)):
        both = apply_or_propose(lambda: Route.objects.update(price_id="price_both"))
        of_all = apply_or_propose(lambda: Cap.objects.create(measure="gross", per="day", currency="usd", limit=1))
        new = apply_or_propose(
            lambda: Route.objects.create(
                bot=Bot.objects.create(domain=Domain.objects.get(slug="stripe"), category=Category.objects.get(),
                                       name="third"),
                region=Region.objects.get(), product_id="prod_A", price_id="price_A", customer_id="cus_A",
            )
        )  # fmt: skip
    assert (both.domains, of_all.domains, new.domains) == (["other", "stripe"], ["*"], ["stripe"])

    for name, decided in (("ann", {changes[0].pk, new.pk}), ("bob", {both.pk, of_all.pk})):
        for change in (changes[0], both, of_all, new):
            page = reverse("admin:routing_changerequest_approve", args=[change.pk])
            clients[name].post(page, {"confirmed": "yes", "password": "a-long-passphrase"})
        assert set(ChangeRequest.objects.filter(decided_by=name).values_list("pk", flat=True)) == decided


def test_an_administrator_says_in_which_domains_a_person_works(bot):
    Domain.objects.create(slug="other")
    client = person("boss", "Administrator")
    ann = User.objects.create_user("ann", is_staff=True)
    form = {"username": "ann", "is_active": "on", "is_staff": "on", "date_joined_0": "2026-11-27",
            "date_joined_1": "12:00"}  # fmt: skip

    client.post(url("user", "change", ann.pk), form | {"domains": ["stripe"]})
    limited = domains_of(User.objects.get(pk=ann.pk))
    listed = client.get(url("user")).content.decode()
    client.post(url("user", "change", ann.pk), form)

    assert limited == {"stripe"}
    assert "every domain" in listed
    assert domains_of(User.objects.get(pk=ann.pk)) is None


def test_that_takes_two_people_where_changes_need_approval(bot):
    Domain.objects.update(requires_approval=True)
    with acting(lambda: Acting("admin", "boss", 1)):
        change = apply_or_propose(
            lambda: StaffDomains.objects.create(user=User.objects.create_user("ann"), domains=["stripe"])
        )

    assert isinstance(change, ChangeRequest)
    assert change.domains == ["*"]
    assert not User.objects.filter(username="ann").exists()
