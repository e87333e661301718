"""Pausing and resuming all billing, in the admin and by command."""

from __future__ import annotations

import re
import secrets
from html import unescape
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.urls import reverse

from routing.payments.states import Status
from routing.registry.models import Pause
from routing.registry.pausing import pause_everything, resume_everything

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

PAGE = "/admin/routing/pause/"
BANNER = "<strong>All billing is paused</strong>"


@pytest.fixture
def operator(viewer: Client) -> Client:
    """Return a client that may see the pages, and pause and resume all billing, and nothing else."""
    User.objects.get().user_permissions.add(Permission.objects.get(codename="pause_everything"))
    return viewer


def test_everything_is_paused_after_a_question_with_who_and_why(operator):
    question = operator.get(f"{PAGE}pause/").content.decode()
    before = Pause.objects.exists()
    answer = operator.post(f"{PAGE}pause/", {"confirmed": "yes", "reason": "Stripe is down"}, follow=True)

    pause = Pause.objects.get()
    assert "Pause all billing?" in question
    assert not before
    assert (pause.paused_by, pause.reason, pause.resumed_at) == ("viewer", "Stripe is down", None)
    assert "by viewer. Reason: Stripe is down" in answer.content.decode()
    assert LogEntry.objects.get().get_change_message() == "Paused all billing: Stripe is down."


def test_it_is_resumed_after_a_question(operator):
    pause_everything(by="night shift")

    question = operator.get(f"{PAGE}resume/").content.decode()
    answer = operator.post(f"{PAGE}resume/", {"confirmed": "yes"}, follow=True).content.decode()

    pause = Pause.objects.get()
    assert "Resume all billing?" in question
    assert (pause.paused_by, pause.resumed_by) == ("night shift", "viewer")
    assert pause.resumed_at >= pause.paused_at
    assert "Billing is active" in answer
    assert BANNER not in answer
    assert LogEntry.objects.get().get_change_message() == "Resumed all billing."


def test_a_question_that_was_not_answered_changes_nothing(operator):
    operator.post(f"{PAGE}pause/", {"reason": "Stripe is down"})

    assert not Pause.objects.exists()


def test_a_second_pause_changes_nothing_and_says_so(operator):
    pause_everything(by="night shift", reason="first")

    question = operator.get(f"{PAGE}pause/").content.decode()
    operator.post(f"{PAGE}pause/", {"confirmed": "yes", "reason": "second"})

    assert "There is nothing to change" in question
    assert Pause.objects.get().reason == "first"
    assert not LogEntry.objects.exists()


def test_a_key_is_no_reason_and_is_not_repeated(operator):
    key = "sk_live_" + secrets.token_hex(16)

    answer = operator.post(f"{PAGE}pause/", {"confirmed": "yes", "reason": key})

    assert "This looks like a key" in answer.content.decode()
    assert key not in answer.content.decode()
    assert not Pause.objects.exists()


def test_who_may_only_look_sees_the_state_and_no_button(viewer):
    page = viewer.get(PAGE).content.decode()
    answers = {viewer.post(f"{PAGE}{step}/", {"confirmed": "yes"}).status_code for step in ("pause", "resume")}

    assert "Billing is active" in page
    assert f"{PAGE}pause/" not in page
    assert answers == {403}
    assert not Pause.objects.exists()


def test_a_visitor_without_a_login_pauses_nothing(client):
    assert client.post(f"{PAGE}pause/", {"confirmed": "yes"}).status_code == 302
    assert not Pause.objects.exists()


@pytest.mark.parametrize(
    "address", ["/admin/", "/admin/routing/bot/", "/admin/routing/bot/add/", PAGE, f"{PAGE}resume/"]
)
def test_every_page_says_that_everything_is_paused(finance, address):
    before = finance.get(address).content.decode()
    pause_everything(by="night shift", reason="<b>fraud</b>")

    page = finance.get(address).content.decode()

    assert BANNER not in before
    assert BANNER in page
    assert "&lt;b&gt;fraud&lt;/b&gt;" in page


def test_who_is_not_logged_in_is_told_nothing_of_it(finance):
    pause_everything(by="night shift")

    for page in (finance.post("/admin/logout/"), finance.get("/admin/login/")):
        assert page.status_code == 200
        assert BANNER not in page.content.decode()


def test_the_page_keeps_every_pause(finance):
    for number in range(2):
        pause_everything(by="night shift", reason=f"incident {number}")
        resume_everything(by="day shift")

    page = finance.get(PAGE).content.decode()

    for text in ("incident 0", "incident 1", "night shift", "day shift"):
        assert text in page


def test_no_bot_category_or_domain_reads_as_active_meanwhile(finance, bot):
    pause_everything(by="night shift")

    for model in ("bot", "category", "domain"):
        page = finance.get(reverse(f"admin:routing_{model}_changelist")).content.decode()

        assert "All billing paused" in page
        assert ">Active<" not in page
    assert "All billing, since" in finance.get("/admin/").content.decode()


def test_the_commands_pause_and_resume_all_billing_too():
    output = StringIO()

    call_command("pause_billing", "Stripe is down", stdout=output)
    call_command("pause_billing", stdout=output)
    pause = Pause.objects.get()
    call_command("resume_billing", stdout=output)
    call_command("resume_billing", stdout=output)

    assert (pause.reason, pause.paused_by[:9]) == ("Stripe is down", "manage.py")
    assert Pause.objects.get().resumed_by[:9] == "manage.py"
    assert [line.partition(".")[0] for line in output.getvalue().splitlines()] == [
        "All billing is paused",
        "It was already paused",
        "All billing is resumed",
        "It was not paused",
    ]


@pytest.mark.parametrize("reason", ["x" * 201, "sk_live_" + "a1" * 8])
def test_the_command_refuses_a_reason_that_bots_must_not_see(reason):
    with pytest.raises(CommandError, match="must not be a key"):
        call_command("pause_billing", reason)

    assert not Pause.objects.exists()


@pytest.mark.parametrize("part", ["bot", "category", "domain", "everything"])
def test_a_pause_asks_with_what_is_in_flight_and_links_to_it(finance, bot, payment, part):
    """Of three payments, the one whose outcome is open is in flight."""
    payment(status=Status.UNKNOWN, settled_at=None, amount_minor=1234)
    payment(status=Status.SUCCEEDED, amount_minor=500)
    others = {"bot": "other:sales:closer", "domain": "other", "category": "sales"}
    payment(status=Status.UNKNOWN, settled_at=None, amount_minor=99, **others)
    rows = {"bot": bot, "category": bot.category, "domain": bot.domain}
    row = rows.get(part)
    question = (
        finance.get(reverse(f"admin:routing_{part}_pause", args=[row.pk])) if row else finance.get(f"{PAGE}pause/")
    ).content.decode()
    page = finance.get(reverse(f"admin:routing_{part}_change", args=[row.pk])).content.decode() if row else question

    amounts = "1 payment, 12.34 USD" if row else "2 payments, 13.33 USD"
    [link] = re.findall(rf'In flight now: <a class="text-link" href="([^"]+)">{re.escape(amounts)}</a>', question)
    assert f">{amounts}</a>" in page
    listed = finance.get(unescape(link)).context["cl"].queryset
    assert sorted(each.amount_minor for each in listed) == ([1234] if row else [99, 1234])


def test_nothing_in_flight_is_said(finance, bot):
    question = finance.get(reverse("admin:routing_bot_pause", args=[bot.pk])).content.decode()

    assert "Nothing is in flight now." in question
    assert "In flight now" not in question
