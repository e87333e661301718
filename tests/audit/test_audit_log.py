"""The audit log: who changed what, by every road, and nobody can change it unseen."""

from __future__ import annotations

import json
import logging
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from django.urls import reverse

from routing.access.tokens import issue
from routing.audit.acting import Acting, acting
from routing.audit.models import AuditEntry, AuditUnsealed
from routing.audit.seals import seal, verify
from routing.caps.models import Cap
from routing.registry.models import Bot, Category, Domain, Override, Pause, Region, Route
from tests.database_roles import as_administrator

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db


@pytest.fixture
def bot(db) -> Bot:
    bot = Bot.objects.create(
        domain=Domain.objects.get_or_create(slug="stripe")[0],
        category=Category.objects.create(slug="finance"),
        name="invoicer",
    )
    region, _ = Region.objects.get_or_create(slug="default")
    Route.objects.create(bot=bot, region=region, product_id="prod_A1", price_id="price_A1", customer_id="cus_A1")
    return bot


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def last() -> AuditEntry:
    entry = AuditEntry.objects.first()
    assert entry
    return entry


CHANGES: dict[str, tuple[Callable[[Bot], Any], str]] = {
    "a domain": (lambda _: Domain.objects.update(account_id="acct_other1"), "stripe"),
    "a region": (lambda _: Region.objects.create(slug="eu"), "eu"),
    "a category": (lambda _: Category.objects.update(is_paused=True), "finance"),
    "a bot": (lambda _: Bot.objects.update(owner="Ann"), "stripe:finance:invoicer"),
    "a route": (lambda _: Route.objects.update(price_id="price_B2"), "stripe:finance:invoicer in default"),
    "a route's end": (lambda _: Route.objects.all().delete(), "stripe:finance:invoicer in default"),
    "an override": (
        lambda bot: Override.objects.create(bot=bot, key="business", value="enterprise", price_id="price_C3"),
        "stripe:finance:invoicer, business=enterprise",
    ),
    "a cap": (
        lambda bot: Cap.objects.create(bot=bot, measure="gross", per="day", currency="usd", limit=1),
        "gross per day, bot stripe:finance:invoicer",
    ),
    "a pause": (lambda _: Pause.objects.create(paused_by="Ann"), "all billing"),
    "a token": (lambda bot: issue("invoicing", [str(bot)], ["charge"]), "invoicing ("),
    "a user": (lambda _: User.objects.create_user("ann", password="correct horse battery"), "ann"),
    "a group": (lambda _: Group.objects.create(name="finance"), "finance"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_written_with_who_and_by_what_road(bot, change):
    make, name = CHANGES[change]

    with acting(lambda: Acting("admin", "maria", 7, "request-1", "the prices of 2027")):
        make(bot)

    entry = last()
    assert entry.object_name.startswith(name)
    assert (entry.actor, entry.actor_id, entry.road) == ("maria", 7, "admin")
    assert (entry.request_id, entry.reason) == ("request-1", "the prices of 2027")
    assert entry.before != entry.after


def test_a_change_in_psql_is_named_by_its_role(bot):
    execute("UPDATE routing_route SET price_id = 'price_psql'")

    entry = last()
    assert (entry.actor, entry.road) == (entry.database_role, "SQL")
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["price_id"], entry.after["price_id"]) == ("price_A1", "price_psql")


def test_what_changes_nothing_is_not_written(bot):
    before = AuditEntry.objects.count()

    Bot.objects.update(name="invoicer")
    User.objects.create_user("ann")
    User.objects.update(last_login="2026-01-01T00:00Z")

    assert AuditEntry.objects.count() == before + 1


def test_a_new_password_is_seen_and_not_shown(bot):
    user = User.objects.create_user("ann", password="correct horse battery")
    user.set_password("another horse battery")
    user.save()

    entry = last()
    assert entry.before is not None
    assert entry.after is not None
    assert entry.before["password"] != entry.after["password"]
    assert entry.after["password"].startswith("masked ")
    assert user.password not in json.dumps([entry.before, entry.after])


def test_what_people_may_do_is_written(bot):
    group, user = Group.objects.create(name="approvers"), User.objects.create_user("ann")

    user.groups.add(group)
    assert last().object_name == "ann in approvers"
    user.is_superuser = True
    user.save()
    assert last().after is not None
    assert last().after["is_superuser"] is True


@pytest.mark.django_db(transaction=True)
def test_a_request_names_its_user_or_token_and_its_id(bot, settings):
    settings.SECURE_SSL_REDIRECT = False
    client = Client()
    client.force_login(User.objects.create_superuser("maria"))
    client.post(
        reverse("admin:routing_bot_pause", args=[bot.pk]), {"confirmed": "yes"}, headers={"X-Request-ID": "desk-1"}
    )
    by_person = last()
    token = issue("invoicing", [str(bot)], ["routes:write"])
    answer = Client().put(
        "/api/v1/routes",
        {
            "business_category": "finance",
            "bot_name": "invoicer",
            "route": {"product_id": "prod_A1", "price_id": "price_api", "customer_id": "cus_A1"},
        },
        "application/json",
        headers={"Authorization": f"Bearer {token}", "X-Request-ID": "not an id"},
    )
    by_bot = last()

    assert (by_person.actor, by_person.road, by_person.request_id) == ("maria", "admin", "desk-1")
    assert answer.status_code == 200
    assert by_bot.actor.startswith("token invoicing (")
    assert (by_bot.road, by_bot.request_id) == ("API", answer["X-Request-ID"])
    assert by_bot.request_id != "not an id"


@pytest.mark.django_db(transaction=True)
def test_nobody_is_named_for_what_comes_after_a_request(bot):
    with acting(lambda: Acting("admin", "maria")):
        Bot.objects.update(owner="Ann")
    Bot.objects.update(owner="Bob")

    assert last().road == "SQL"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE routing_auditentry SET actor = 'somebody else'",
        "DELETE FROM routing_auditentry",
        "UPDATE routing_auditseal SET digest = ''",
        "DELETE FROM routing_auditseal",
    ],
)
def test_the_log_is_only_added_to(bot, statement):
    seal()

    refused = pytest.raises(ProgrammingError, match=r"Cannot (update|delete|update or delete) rows")
    with as_administrator(), refused, transaction.atomic():
        execute(statement)
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        execute(statement)


def by_a_superuser(*statements: str) -> None:
    """Change the log as only somebody can who may switch off triggers."""
    with as_administrator():
        execute("SET session_replication_role = replica")
        for statement in statements:
            execute(statement)
        execute("SET session_replication_role = origin")


def test_a_whole_log_is_verified_and_sealed_once(bot):
    assert seal()
    assert seal() == []
    Bot.objects.update(owner="Ann")
    assert [made.number for made in seal()] == [2]

    assert list(verify({})) == []
    assert not AuditUnsealed.objects.exists()
    output = StringIO()
    call_command("verify_audit", stdout=output)
    assert output.getvalue().startswith("The audit log is whole: ")


INTERFERENCE = {
    "a changed entry": (
        "UPDATE routing_auditentry SET actor = 'x' WHERE object_name = 'finance'",
        "was changed. Seal 1",
    ),
    "a removed entry": (
        "DELETE FROM routing_auditentry WHERE object_name = 'finance'",
        "was removed. Seal 1 names it.",
    ),
    "an inserted entry": (
        """INSERT INTO routing_auditentry
        SELECT (jsonb_populate_record(entry, jsonb_build_object('id', gen_random_uuid()))).*
        FROM routing_auditentry AS entry LIMIT 1""",
        "was inserted by hand",
    ),
    "a changed seal": ("UPDATE routing_auditseal SET entries = entries - 0 WHERE number = 1", "Seal 1 was changed."),
    "a removed seal": ("DELETE FROM routing_auditseal WHERE number = 1", "The seals from 1 to 1 were removed."),
    "a seal that hides an entry": (
        "UPDATE routing_auditseal SET digest = md5('x') WHERE number = 1",
        "Seal 2 was changed.",
    ),
}


@pytest.mark.parametrize("kind", INTERFERENCE)
def test_interference_is_found_and_named(bot, kind):
    statement, sentence = INTERFERENCE[kind]
    seal()
    Bot.objects.update(owner="Ann")
    seal()

    by_a_superuser(statement)

    assert any(sentence in problem for problem in verify({})), list(verify({}))
    with pytest.raises(CommandError, match=sentence.replace(".", r"\.")):
        call_command("verify_audit")


def test_a_log_that_was_made_anew_differs_from_the_chain_that_was_kept(bot, caplog, tmp_path):
    with caplog.at_level(logging.INFO, "routing.audit.seals"):
        seal()
        Bot.objects.update(owner="Ann")
        seal()
    kept = tmp_path / "server.log"
    kept.write_text("\n".join(record.getMessage() for record in caplog.records))
    by_a_superuser(
        "TRUNCATE routing_auditseal",
        "DELETE FROM routing_auditentry WHERE object_name = 'finance'",
        "INSERT INTO routing_auditunsealed SELECT id FROM routing_auditentry",
    )
    seal()

    assert list(verify({})) == []
    with pytest.raises(
        CommandError, match=r"Seal 1 is not the one that was logged\.\nSeal 2 was logged and is missing\."
    ):
        call_command("verify_audit", log=kept)


def test_each_change_is_logged_as_a_line_of_json(bot, caplog):
    with caplog.at_level(logging.INFO, "routing.audit.seals"):
        seal()

    lines = [json.loads(text.removeprefix("audit ")) for text in caplog.messages if text.startswith("audit {")]
    assert {line["object_name"] for line in lines} >= {"stripe:finance:invoicer", "stripe:finance:invoicer in default"}


def test_a_log_that_is_sealed_no_more_is_said(bot):
    by_a_superuser("UPDATE routing_auditentry SET at = at - interval '11 minutes'")

    assert any("Sealing has stopped" in problem for problem in verify({}))


def test_it_is_exported_as_csv_and_json_without_formulas(bot):
    Bot.objects.update(owner="=HYPERLINK(1)")
    output = StringIO()
    call_command("export_audit", stdout=output)
    table = StringIO()
    call_command("export_audit", "--format=csv", "--since=2026-01-01", stdout=table)

    entries = [json.loads(line) for line in output.getvalue().splitlines()]
    assert len(entries) == AuditEntry.objects.count() == len(table.getvalue().splitlines()) - 1
    assert entries[-1]["after"]["owner"] == "=HYPERLINK(1)"


def test_the_pages_show_each_field_before_and_after_and_an_objects_own_history(bot, settings):
    settings.SECURE_SSL_REDIRECT = False
    client = Client()
    client.force_login(User.objects.create_superuser("maria"))
    route = Route.objects.get()
    Route.objects.update(price_id="price_B2")
    other = Route.objects.create(
        bot=bot,
        region=Region.objects.create(slug="eu"),
        product_id="prod_A1",
        price_id="price_EU",
        customer_id="cus_A1",
    )
    page = client.get(reverse("admin:routing_auditentry_changelist")).content.decode()
    history = client.get(reverse("admin:routing_route_history", args=[route.pk]), follow=True)
    Route.objects.filter(pk=other.pk).delete()
    address = f"{reverse('admin:routing_auditentry_changelist')}?table_name=routing_route&object_id={other.pk}"

    assert "price: price_A1 → price_B2" in page
    assert {entry.object_id for entry in history.context["cl"].queryset} == {str(route.pk)}
    assert [entry.action for entry in client.get(address).context["cl"].queryset] == ["delete", "insert"]
    entry = AuditEntry.objects.filter(action="update", table_name="routing_route").get()
    detail = client.get(reverse("admin:routing_auditentry_change", args=[entry.pk])).content.decode()
    assert '<td data-label="Before">price_A1</td><td data-label="After">price_B2</td>' in detail
    for name in ("export_csv", "export_json_lines"):
        answer = client.post(
            reverse("admin:routing_auditentry_changelist"), {"action": name, "_selected_action": str(entry.pk)}
        )
        assert b"price_B2" in b"".join(answer.streaming_content)
