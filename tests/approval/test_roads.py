"""Every road that changes what needs approval proposes it: pages, commands, an import and the API."""

from __future__ import annotations

import secrets
from contextlib import nullcontext
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

import manage
from routing.access.tokens import authenticate
from routing.admin.shared import people
from routing.approval.models import ChangeRequest
from routing.errors import NotAuthenticated
from routing.registry.models import Bot, Category, Domain, Region, Route

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = secrets.token_urlsafe(12)


@pytest.fixture(autouse=True)
def _approval(bot: Bot, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = False
    Domain.objects.update(requires_approval=True)


@pytest.fixture
def ann() -> Client:
    return sign_in("ann")


@pytest.fixture
def bob() -> Client:
    return sign_in("bob")


def sign_in(name: str) -> Client:
    client = Client()
    assert client.login(username=name, password=PASSWORD)
    return client


@pytest.fixture
def bot(db: Any) -> Bot:
    for name in ("ann", "bob"):
        User.objects.create_superuser(name, password=PASSWORD)
    viewer = User.objects.create_user("viewer", password=PASSWORD, is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    bot = Bot.objects.create(
        domain=Domain.objects.get_or_create(slug="stripe")[0],
        category=Category.objects.create(slug="finance"),
        name="invoicer",
    )
    region, _ = Region.objects.get_or_create(slug="default")
    Route.objects.create(bot=bot, region=region, product_id="prod_A1", price_id="price_A1", customer_id="cus_A1")
    return bot


def save_price(client: Client, price: str) -> Any:
    route = Route.objects.get()
    address = reverse("admin:routing_route_change", args=[route.pk])
    page = client.get(address)
    sent = {}
    for field in page.context["adminform"].form:
        value = field.value()
        if hasattr(field.field.widget, "decompress"):
            for number, part in enumerate(field.field.widget.decompress(value)):
                sent[f"{field.html_name}_{number}"] = "" if part is None else str(part)
        elif value not in (None, False):
            sent[field.html_name] = str(value)
    return client.post(address, sent | {"price_id": price}, follow=True)


def only_change() -> ChangeRequest:
    return ChangeRequest.objects.get()


def decide(client: Client, name: str, **more: str) -> Any:
    address = reverse(f"admin:routing_changerequest_{name}", args=[only_change().pk])
    return client.post(address, {"confirmed": "yes", **more}, follow=True)


def test_saving_a_page_proposes_and_another_person_approves_it_on_its_page(ann, bob):
    saved = save_price(ann, "price_B2").content.decode()
    meanwhile = Route.objects.get().price_id
    own_page = ann.get(reverse("admin:routing_changerequest_change", args=[only_change().pk])).content.decode()
    refused = decide(ann, "approve").content.decode()
    approved = decide(bob, "approve").content.decode()

    assert f"Proposed as change {only_change().pk}. It takes effect when another person has approved it." in saved
    assert meanwhile == "price_A1"
    assert "Withdraw" in own_page
    assert "/approve" not in own_page
    assert '<td data-label="Before">price_A1</td><td data-label="After">price_B2</td>' in own_page
    assert "You proposed this change, so another person must approve it." in refused
    assert f"Change {only_change().pk} is applied." in approved
    assert Route.objects.get().price_id == "price_B2"
    assert (only_change().proposed_by, only_change().decided_by, only_change().road) == ("ann", "bob", "admin")


def test_whoever_signed_in_long_ago_gives_the_password_again(ann, bob, monkeypatch):
    save_price(ann, "price_B2")
    session = bob.session
    session["signed_in_at"] -= people.RECENT.total_seconds()
    session.save()

    asked = decide(bob, "approve").content.decode()
    wrong = decide(bob, "approve", password="a guess").content.decode()
    before = only_change().status
    decide(bob, "approve", password=PASSWORD)

    assert "Your password" in asked
    assert "That is not your password." in wrong
    assert before == ChangeRequest.Status.OPEN
    assert only_change().status == ChangeRequest.Status.APPLIED


def test_it_is_rejected_with_a_reason_and_withdrawn_by_whoever_proposed_it(ann, bob):
    save_price(ann, "price_B2")
    assert "This field is required." in decide(bob, "reject").content.decode()
    decide(bob, "reject", reason="too dear")
    assert (only_change().status, only_change().decision_reason) == ("rejected", "too dear")

    save_price(ann, "price_C3")
    newest = ChangeRequest.objects.order_by("-id")[0]
    ann.post(reverse("admin:routing_changerequest_withdraw", args=[newest.pk]), {"confirmed": "yes"})
    newest.refresh_from_db()
    assert newest.status == ChangeRequest.Status.WITHDRAWN


def test_a_viewer_decides_nothing(ann):
    save_price(ann, "price_B2")
    viewer = sign_in("viewer")

    assert decide(viewer, "approve").status_code == 403
    assert decide(viewer, "reject", reason="x").status_code == 403
    assert only_change().status == ChangeRequest.Status.OPEN


def test_deleting_and_resuming_are_proposed_and_pausing_is_not(ann, bot):
    ann.post(reverse("admin:routing_bot_pause", args=[bot.pk]), {"confirmed": "yes"})
    assert Bot.objects.get().is_paused
    assert not ChangeRequest.objects.exists()

    ann.post(reverse("admin:routing_bot_resume", args=[bot.pk]), {"confirmed": "yes"})
    ann.post(reverse("admin:routing_bot_delete", args=[bot.pk]), {"post": "yes"})

    assert Bot.objects.get().is_paused
    assert [len(change.items.all()) for change in ChangeRequest.objects.order_by("id")] == [1, 2]


def test_the_api_answers_202_with_the_changes_number(bot, ann, bob):
    issued = StringIO()
    call_command("issue_token", "invoicing", "--bot", str(bot), "--scope", "routes:write", stdout=issued)
    token = issued.getvalue().split()[0]
    with pytest.raises(NotAuthenticated):
        authenticate(token)
    decide(bob, "approve")
    headers = {"Authorization": f"Bearer {token}"}
    body = {
        "business_category": "finance",
        "bot_name": "invoicer",
        "route": {"product_id": "prod_A1", "price_id": "price_api", "customer_id": "cus_A1"},
    }

    first = Client().put("/api/v1/routes", body, "application/json", headers=headers)
    again = Client().put("/api/v1/routes", body, "application/json", headers=headers)
    number = first.json()["change"]
    open_one = Client().get(f"/api/v1/changes/{number}", headers=headers).json()
    address = reverse("admin:routing_changerequest_approve", args=[number])
    ann.post(address, {"confirmed": "yes"})
    applied = Client().get(f"/api/v1/changes/{number}", headers=headers).json()

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["change"] == number
    assert (open_one["status"], applied["status"]) == ("open", "applied")
    assert Route.objects.get().price_id == "price_api"
    assert Client().put("/api/v1/routes", body, "application/json", headers=headers).status_code == 200


def test_a_token_sees_only_the_changes_that_it_proposed(ann):
    save_price(ann, "price_B2")

    answer = Client().get(f"/api/v1/changes/{only_change().pk}", headers={"Authorization": "Bearer x"})

    assert answer.status_code == 401


def test_an_import_is_one_change(tmp_path: Path, bob):
    exported = tmp_path / "routes.yaml"
    call_command("export_routes", exported)
    exported.write_text(exported.read_text().replace("price_A1", "price_yaml"))
    output = StringIO()

    call_command("import_routes", exported, stdout=output)
    meanwhile = Route.objects.get().price_id
    decide(bob, "approve")

    assert f"Proposed as change {only_change().pk}" in output.getvalue()
    assert meanwhile == "price_A1"
    assert Route.objects.get().price_id == "price_yaml"
    assert only_change().reason == "Import of routes.yaml"


def test_a_dry_run_proposes_nothing(tmp_path: Path):
    exported = tmp_path / "routes.yaml"
    call_command("export_routes", exported)
    exported.write_text(exported.read_text().replace("price_A1", "price_yaml"))

    call_command("import_routes", exported, "--dry-run", stdout=StringIO())

    assert not ChangeRequest.objects.exists()


def test_djangos_own_command_says_that_it_needs_approval(monkeypatch, capsys):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    monkeypatch.setattr("sys.argv", ["manage.py", "createsuperuser", "--noinput", "--username=eve", "--email=e@x.org"])
    monkeypatch.setattr(manage, "running_database", nullcontext)

    with pytest.raises(SystemExit, match=r"^This needs the approval of another person\. Make the change in the admin"):
        manage.main()

    assert not User.objects.filter(username="eve").exists()


def test_the_password_of_a_colleague_is_set_by_two_people_and_ones_own_by_one(bot, ann, bob):
    """Or whoever proposes a change could sign in as his second person."""
    Domain.objects.update(requires_approval=True)
    new = {"password1": "another-long-passphrase", "password2": "another-long-passphrase"}

    ann.post(reverse("admin:auth_user_password_change", args=[User.objects.get(username="bob").pk]), new)

    assert User.objects.get(username="bob").check_password(PASSWORD)
    assert only_change().proposed_by == "ann"
    own = {"old_password": PASSWORD, "new_password1": new["password1"], "new_password2": new["password1"]}
    bob.post(reverse("admin:password_change"), own)
    assert User.objects.get(username="bob").check_password(new["password1"])
