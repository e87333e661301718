"""Bot tokens are issued, rotated and revoked in the admin, and shown once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from routing.access.models import BotToken, StaffDomains
from routing.access.tokens import authenticate, issue
from routing.approval.decisions import approve
from routing.approval.models import ChangeRequest
from routing.audit.acting import Person
from routing.errors import NotAuthenticated
from routing.registry.models import Domain

pytestmark = pytest.mark.django_db(transaction=True)

BOT = "stripe:finance:invoicer"
FORM = {"name": "invoicing", "bots": BOT, "scopes": ["charge", "read"], "qualifiers": "region=eu\ntier=gold",
        "days": "30", "networks": "10.0.0.0/24"}  # fmt: skip
ADD = "/admin/routing/bottoken/add/"


def token_in(page: Any) -> str:
    found = re.search(r"brt_[0-9a-f]{12}_[\w-]{43}", page.content.decode())
    assert found, page.content.decode()
    return found[0]


def test_a_token_is_issued_and_shown_once(finance, bot):
    assert finance.get(ADD).status_code == 200
    token = token_in(finance.post(ADD, FORM))

    [row] = BotToken.objects.all()
    assert (row.name, row.bots, row.scopes) == ("invoicing", [BOT], ["charge", "read"])
    assert (row.qualifiers, row.networks) == (["region=eu", "tier=gold"], ["10.0.0.0/24"])
    assert (row.expires_at - row.created_at).days in (29, 30)
    assert authenticate(token, "10.0.0.7").name == "invoicing"
    for page in ("/admin/", "/admin/routing/bottoken/", f"/admin/routing/bottoken/{row.pk}/change/",
                 "/admin/routing/auditentry/"):  # fmt: skip
        assert token not in finance.get(page).content.decode()


WRONG = {
    "a bot that is not registered": ({"bots": "finance:nobody"}, "is not registered"),
    "no bot": ({"bots": ""}, "required"),
    "no scope": ({"scopes": []}, "required"),
    "every bot with routes": ({"bots": "*", "scopes": ["routes:write"]}, "Name the bots"),
    "no qualifier": ({"qualifiers": "gold"}, "is no qualifier"),
    "no network": ({"networks": "office"}, "is no network"),
    "a time without end": ({"days": "0"}, "greater than or equal to 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_token_may_have_is_said_beside_the_form(finance, bot, name):
    given, said = WRONG[name]

    page = finance.post(ADD, FORM | given)

    assert said in page.content.decode()
    assert not BotToken.objects.exists()


def test_where_changes_need_approval_it_is_valid_once_another_person_has_approved_it(finance, bot):
    Domain.objects.update(requires_approval=True)

    page = finance.post(ADD, FORM)
    token = token_in(page)
    [change] = ChangeRequest.objects.all()

    assert f"/admin/routing/changerequest/{change.pk}/change/" in page.content.decode()
    with pytest.raises(NotAuthenticated):
        authenticate(token, "10.0.0.7")
    approve(change.pk, Person("bob", 99))
    assert authenticate(token, "10.0.0.7").name == "invoicing"
    assert token not in str([item.after for item in change.items.all()])
    page = finance.get(f"/admin/routing/bottoken/{BotToken.objects.get().pk}/change/").content.decode()
    assert "finance, approved by" in page


def test_a_token_is_rotated_while_both_are_valid(finance, bot):
    old = issue("invoicing", [BOT], ["charge"])
    url = reverse("admin:routing_bottoken_rotate", args=[BotToken.objects.get().pk])

    assert "valid for 7 days" in finance.get(url).content.decode()
    new = token_in(finance.post(url, {"confirmed": "yes"}))

    assert authenticate(old).name == authenticate(new).name == "invoicing"
    assert old != new


def test_a_revoked_token_is_not_rotated(finance, bot):
    issue("invoicing", [BOT], ["charge"])
    token = BotToken.objects.get()
    finance.post(reverse("admin:routing_bottoken_revoke", args=[token.pk]), {"confirmed": "yes"})

    assert (
        finance.post(reverse("admin:routing_bottoken_rotate", args=[token.pk]), {"confirmed": "yes"}).status_code == 404
    )


@pytest.mark.parametrize(("given", "may_issue"), [("", False), ("change_bottoken", False), ("add_bottoken", True)])
def test_it_takes_the_permission(bot, given, may_issue):
    client = signed_in("view_bottoken", given)
    issue("invoicing", [BOT], ["charge"])
    rotate = reverse("admin:routing_bottoken_rotate", args=[BotToken.objects.get().pk])

    assert client.get(ADD).status_code == (200 if may_issue else 403)
    assert client.post(ADD, FORM).status_code == (200 if may_issue else 403)
    assert client.post(rotate, {"confirmed": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("scope", "permissions"),
    [("routes:write", ["change_route", "change_override"]), ("refund", ["refund_payment"])],
)
def test_nobody_gives_a_token_more_than_he_may_do_himself(bot, scope, permissions):
    client = signed_in("view_bottoken", "add_bottoken", "change_bottoken")
    issue("invoicing", [BOT], ["charge", scope])
    rotate = reverse("admin:routing_bottoken_rotate", args=[BotToken.objects.get().pk])

    refused = client.post(ADD, FORM | {"scopes": ["charge", scope]}).content.decode()
    assert "You cannot give what you may not do yourself" in refused
    assert client.post(rotate, {"confirmed": "yes"}).status_code == 403
    assert BotToken.objects.count() == 1
    User.objects.get().user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    assert token_in(client.post(ADD, FORM | {"scopes": ["charge", scope]}))
    assert token_in(client.post(rotate, {"confirmed": "yes"}))


def test_somebody_who_works_in_one_domain_issues_tokens_for_its_bots(bot):
    client = signed_in("view_bottoken", "add_bottoken", domains=["other"])
    Domain.objects.create(slug="other")

    for bots in (BOT, "*", "stripe:*:*", f"{BOT}\nother:*:*"):
        assert "You work in some domains alone" in client.post(ADD, FORM | {"bots": bots}).content.decode()
    assert token_in(client.post(ADD, FORM | {"bots": "other:*:*"}))


def signed_in(*permissions: str, domains: list[str] | None = None) -> Client:
    user = User.objects.create_user("ann", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    if domains:
        StaffDomains.objects.create(user=user, domains=domains)
    client = Client()
    client.force_login(user)
    return client
