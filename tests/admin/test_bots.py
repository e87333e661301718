"""Editing a bot's page."""

from __future__ import annotations

import secrets

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.urls import reverse

from routing.postgres import connection as hot_connection
from routing.registry import lock
from routing.registry.models import Bot, Override, Region, Route

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(bot: Bot) -> str:
    return reverse("admin:routing_bot_change", args=[bot.pk])


def _new_route(sent: dict[str, str], row: int, **changes: str) -> dict[str, str]:
    values = {
        "region": str(Region.objects.get(slug="default").pk),
        "product_id": "prod_N",
        "price_id": "price_N",
        "customer_id": "cus_N",
        "currency": "usd",
        "bot": "",
        "id": "",
    }
    rows = {f"routes-{row}-{name}": value for name, value in (values | changes).items()}
    return sent | rows | {"routes-TOTAL_FORMS": str(row + 1)}


def test_a_price_is_edited_on_the_bots_page(finance, form_of, page):
    sent = form_of(finance, page) | {"routes-0-price_id": "price_New"}

    answer = finance.post(page, sent)

    assert answer.status_code == 302
    assert Route.objects.get().price_id == "price_New"
    assert LogEntry.objects.get().get_change_message().count("page_version") == 0


def test_an_override_is_added_and_another_ended_in_one_save(finance, form_of, page):
    sent = form_of(finance, page)
    sent |= {"overrides-0-valid_until_0": "2027-01-01", "overrides-0-valid_until_1": "00:00:00"}
    second = {"key": "business", "value": "enterprise", "region": "", "price_id": "price_C3", "id": "", "bot": ""}
    second |= {"valid_from_0": "2027-01-01", "valid_from_1": "00:00:00"}
    sent |= {f"overrides-1-{name}": value for name, value in second.items()} | {"overrides-TOTAL_FORMS": "2"}

    answer = finance.post(page, sent)

    assert answer.status_code == 302
    assert Override.objects.count() == 2


def test_a_wrong_id_is_explained_beside_its_field(finance, form_of, page):
    sent = form_of(finance, page) | {"routes-0-price_id": "no price"}

    answer = finance.post(page, sent)

    row = answer.context["inline_admin_formsets"][0].formset.forms[0]
    assert list(row.errors) == ["price_id"]
    assert (
        "The price must be its ID at Stripe, such as price_1a2B3c, and not the ID of something else."
        in answer.content.decode()
    )


def test_two_routes_that_overlap_are_explained_and_not_saved(finance, form_of, page):
    sent = _new_route(form_of(finance, page), 1)

    answer = finance.post(page, sent)

    assert "The bot already has a route in this region for part of this period." in answer.content.decode()
    assert Route.objects.count() == 1


def test_two_new_routes_that_overlap_each_other_are_explained(finance, form_of, page):
    eu = str(Region.objects.create(slug="eu").pk)
    sent = _new_route(_new_route(form_of(finance, page), 1, region=eu), 2, region=eu)

    answer = finance.post(page, sent)

    assert "The bot already has a route in this region for part of this period." in answer.content.decode()
    assert Route.objects.count() == 1


def test_the_same_period_in_another_region_is_no_overlap(finance, form_of, page):
    sent = _new_route(form_of(finance, page), 1, region=str(Region.objects.create(slug="eu").pk))

    finance.post(page, sent)

    assert Route.objects.count() == 2


def test_a_route_can_be_ended_and_followed_by_another_in_one_save(finance, form_of, page):
    sent = form_of(finance, page) | {"routes-0-valid_until_0": "2027-01-01", "routes-0-valid_until_1": "00:00:00"}
    sent = _new_route(sent, 1, valid_from_0="2027-01-01", valid_from_1="00:00:00")

    answer = finance.post(page, sent)

    assert answer.status_code == 302
    assert Route.objects.count() == 2


def test_an_override_that_changes_nothing_is_explained(finance, form_of, page):
    sent = form_of(finance, page) | {"overrides-0-price_id": ""}

    answer = finance.post(page, sent)

    assert "An override must change the product, price" in answer.content.decode()


def test_an_edit_of_a_page_that_changed_meanwhile_is_refused(finance, form_of, page):
    sent = form_of(finance, page) | {"routes-0-price_id": "price_Mine"}
    Route.objects.update(price_id="price_Theirs")

    answer = finance.post(page, sent)

    assert "Somebody changed this after you opened the page." in answer.content.decode()
    assert Route.objects.get().price_id == "price_Theirs"


def test_a_page_of_which_a_row_was_deleted_meanwhile_is_refused(finance, form_of, page):
    sent = form_of(finance, page) | {"owner": "Finance"}
    Override.objects.all().delete()

    answer = finance.post(page, sent)

    assert "Somebody changed this after you opened the page." in answer.content.decode()
    assert Bot.objects.get().owner == ""


def test_what_only_the_database_sees_is_a_sentence_too(finance, form_of, page):
    Bot.objects.update(is_paused=False)
    eu = Region.objects.create(slug="eu")
    first = Route.objects.get()
    second = Route.objects.create(
        bot=first.bot, region=eu, product_id="prod_A", price_id="price_A", customer_id="cus_A", currency="eur"
    )
    sent = form_of(finance, page) | {"routes-0-region": str(eu.pk), "routes-1-region": str(first.region_id)}

    answer = finance.post(page, sent)

    assert answer.status_code == 200
    assert "The bot already has a route in this region for part of this period." in answer.content.decode()
    second.refresh_from_db()
    assert second.region == eu


@pytest.mark.django_db(transaction=True)
def test_while_somebody_else_changes_the_registry_an_edit_is_put_off_in_words(finance, form_of, page, monkeypatch):
    monkeypatch.setattr(lock, "_TIMEOUT_SECONDS", 0.1)
    sent = form_of(finance, page) | {"owner": "Finance"}
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '2s'")

    with hot_connection() as other, other.transaction():
        other.execute("LOCK TABLE routing_bot IN SHARE ROW EXCLUSIVE MODE")
        answer = finance.post(page, sent)

    assert "Somebody else is changing the registry." in answer.content.decode()
    assert Bot.objects.get().owner == ""


def test_a_key_that_was_typed_is_refused_and_not_shown_again(finance, form_of, page):
    key = "sk_live_" + secrets.token_hex(16)
    sent = form_of(finance, page) | {"routes-0-price_id": key, "owner": key}

    answer = finance.post(page, sent)

    assert "This looks like a key, and was not saved." in answer.content.decode()
    assert key not in answer.content.decode()


def test_the_names_by_which_bots_call_cannot_be_changed(finance, form_of, page):
    sent = form_of(finance, page) | {"name": "another", "owner": "Finance"}

    finance.post(page, sent)

    bot = Bot.objects.get()
    assert (bot.name, bot.owner) == ("invoicer", "Finance")


@pytest.mark.parametrize("term", ["invoicer", "stripe:finance:invoicer", "finance:invoicer", "price_B2", "cus_A1"])
def test_a_bot_is_found_by_its_name_and_by_stripe_ids(finance, page, term):
    answer = finance.get(reverse("admin:routing_bot_changelist"), {"q": term})

    assert [str(bot) for bot in answer.context["cl"].result_list] == ["stripe:finance:invoicer"]


def test_pausing_asks_first(finance, bot):
    address = reverse("admin:routing_bot_pause", args=[bot.pk])

    question = finance.get(address)
    Bot.objects.get(is_paused=False)
    finance.post(address, {"confirmed": "yes"})

    assert "What Stripe has made stays: it is neither stopped nor refunded." in question.content.decode()
    assert Bot.objects.get().is_paused
    assert LogEntry.objects.get().get_change_message() == "Paused billing."


def test_several_bots_are_paused_from_the_list_after_a_question(finance, bot):
    address = reverse("admin:routing_bot_changelist")
    chosen = {"action": "pause_selected", "_selected_action": str(bot.pk)}

    question = finance.post(address, chosen)
    before = Bot.objects.get().is_paused
    finance.post(address, chosen | {"confirmed": "yes"})

    assert "Pause billing for this bot?" in question.content.decode()
    assert (before, Bot.objects.get().is_paused) == (False, True)


def test_deleting_a_bot_says_that_its_payments_stay(finance, bot, payment):
    payment()
    address = reverse("admin:routing_bot_delete", args=[bot.pk])

    question = finance.get(address)
    finance.post(address, {"post": "yes"})

    assert "payments stay in the ledger forever" in question.content.decode()
    assert not Bot.objects.exists()


def test_a_page_with_many_rules_reads_the_regions_once(finance, page, bot, django_assert_max_num_queries):
    Override.objects.bulk_create(
        Override(bot=bot, key="tier", value=f"t{number}", price_id=f"price_{number}") for number in range(30)
    )

    with django_assert_max_num_queries(20):
        finance.get(page)
